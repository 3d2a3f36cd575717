"""One small export, and servants of it, that the tests of this room share."""

import numpy as np
import pytest
import tensorflow as tf
from astropy.io import fits
from export_model import jpeg, make_model
from servant import Models, grpc_server, rest_server

from tfgalaxy.export import save


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A small model and its exported version 3; not to be changed."""
    model = make_model()
    return model, save(model, tmp_path_factory.mktemp("models") / "galaxy", version=3)


@pytest.fixture(scope="module")
def version(exported):
    """The directory of an exported version."""
    return exported[1]


@pytest.fixture(scope="module")
def loaded(version):
    return Models({1: version, 2: version}, {"stable": 1, "canary": 2})


@pytest.fixture
def models(loaded):
    loaded.faults, loaded.asked = [], []
    return loaded


@pytest.fixture(scope="module")
def rest(loaded):
    with rest_server(loaded) as address:
        yield address


@pytest.fixture(scope="module")
def grpc(loaded):
    server, port = grpc_server(loaded)
    yield f"127.0.0.1:{port}"
    server.stop(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good and broken images of all kinds."""
    place = tmp_path_factory.mktemp("images")
    for seed in range(7):
        (place / f"g{seed}.jpg").write_bytes(jpeg(seed, 60 + seed))
    pixels = np.random.default_rng(9).integers(0, 255, [70, 50, 3], dtype=np.uint8)
    (place / "p.png").write_bytes(tf.io.encode_png(pixels).numpy())
    (place / "cut.png").write_bytes(tf.io.encode_png(pixels).numpy()[:2000])
    (place / "cut.jpg").write_bytes(jpeg(0, 60)[:700])
    (place / "empty.jpg").write_bytes(b"")
    (place / "text.jpg").write_bytes(b"no image at all")
    header = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452000186a0000186a00802000000") + bytes(8)
    (place / "huge.png").write_bytes(header)
    rng = np.random.default_rng(3)
    fits.PrimaryHDU(rng.normal(size=(40, 40)).astype(np.float32)).writeto(place / "f.fits")
    (place / "broken.fits").write_bytes(b"SIMPLE")
    return place
