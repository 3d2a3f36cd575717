"""The client over real sockets, against the servant of this folder: same table as local predictions, and faults."""

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from astropy.io import fits
from export_model import CLASSIFY, EMBED, jpeg
from servant import Models, RefusalError, RestServer, grpc_server, images_as_rows, rest_server, stacked

from tfgalaxy.errors import InputError
from tfgalaxy.export import Client, ServingError, open_predictor, predict_files

BUSY = RefusalError("UNAVAILABLE", 503, "The server is busy")
FAST = {"backoff": 0.01, "questions": "gz1"}


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


def client_of(address, protocol="rest", **options):
    return Client(address, protocol=protocol, **{**FAST, "batch_size": 4, **options})


@pytest.fixture(scope="module")
def local(folder, version):
    """Files, and the table of local predictions with an embedding."""
    files = [str(path) for path in sorted(folder.iterdir())] + [str(folder / "missing.jpg")]
    return files, predict_files(open_predictor(version), files, embedding=True)


def check_table(client, local, **options):
    files, expected = local
    if not options:
        expected = expected[[name for name in expected.columns if not name.startswith(("latent", "pose"))]]
    table = client.predict(files, **options)
    assert list(table.columns) == list(expected.columns)
    assert table["reason"].tolist() == expected["reason"].tolist()
    assert (table["valid"] == 0).sum() == 7
    pd.testing.assert_frame_equal(table, expected, rtol=0, atol=1e-5)


@pytest.mark.core
def test_rest_gives_the_table_of_local_predictions(rest, models, local):
    with client_of(rest) as client:
        check_table(client, local)
        check_table(client, local, embedding=True)


@pytest.mark.core
def test_grpc_gives_the_table_of_local_predictions(grpc, models, local):
    with client_of(grpc, "grpc") as client:
        check_table(client, local, embedding=True)
        assert client.status() == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_a_folder_and_progress(rest, models, folder):
    calls = []
    with client_of(rest) as client:
        table = client.predict(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (15, 15)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert table["id"].tolist() == sorted(table["id"], key=lambda name: table["file"][table["id"] == name].iloc[0])
    # Broken ones that the client can tell are never sent.
    assert sum(rows for _, _, rows in models.asked) == 15 - 4


def test_both_protocols_answer_alike(rest, grpc, models):
    contents = [jpeg(seed, 50) for seed in range(3)] + [b"broken"]
    images = np.random.default_rng(0).uniform(0, 1, [3, 32, 32, 3]).astype(np.float32)
    with client_of(rest) as one, client_of(grpc, "grpc") as other:
        assert one.metadata() == other.metadata()
        assert one.status() == other.status()
        for method, names in (("classify", CLASSIFY), ("embed", EMBED)):
            for given in (contents, images):
                first, second = getattr(one, method)(given), getattr(other, method)(given)
                assert set(first) == set(second) == names
                for name in names:
                    np.testing.assert_allclose(first[name], second[name], atol=1e-6)
        np.testing.assert_array_equal(one.classify(contents)["valid"], [1, 1, 1, 0])
    assert {name for _, name, _ in models.asked} == {"classify", "classify_bytes", "embed", "embed_bytes"}


def test_metadata(rest, models):
    with client_of(rest) as client:
        found = client.metadata()
    assert found["classify_bytes"].inputs["image_bytes"].dtype == "DT_STRING"
    assert found["classify"].inputs["image"].shape == (None, 32, 32, 3)
    assert found["embed"].outputs["latent_mean"].shape == (None, 4)


def test_the_row_format_of_other_clients_says_the_same(rest, models):
    contents = [jpeg(seed, 50) for seed in range(3)]
    answer = httpx.post(f"http://{rest}/v1/models/galaxy:predict", json=images_as_rows(contents), timeout=60).json()
    with client_of(rest) as client:
        expected = client.classify(contents)
    for name, value in stacked(answer["predictions"]).items():
        np.testing.assert_array_equal(value, expected[name])


def test_versions_and_labels(rest, grpc, models):
    for options, number in (({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary"}, 2)):
        for protocol, address in (("rest", rest), ("grpc", grpc)):
            with client_of(address, protocol, **options) as client:
                client.classify([jpeg(0, 50)])
            assert models.asked.pop() == (number, "classify_bytes", 1)


def test_threads_share_a_client(rest, models):
    contents = [jpeg(seed, 50) for seed in range(8)]
    with client_of(rest, concurrency=2) as client, ThreadPoolExecutor(8) as pool:
        alone = client.classify(contents)["fraction"]
        results = list(pool.map(lambda row: client.classify([contents[row % 8]])["fraction"][0], range(40)))
    for row, fraction in enumerate(results):
        np.testing.assert_allclose(fraction, alone[row % 8], atol=1e-5)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_busy_then_well(rest, grpc, models, protocol):
    models.faults = [BUSY, BUSY]
    with client_of(rest if protocol == "rest" else grpc, protocol, retries=2) as client:
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        models.faults = [BUSY] * 3
        with pytest.raises(
            ServingError, match=r"model 'galaxy': .*(503 Service|UNAVAILABLE).*busy \(3 attempts\)\. .+"
        ):
            client.classify([jpeg(0, 50)])
    assert models.faults == []


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_what_will_not_get_better_is_not_tried_again(rest, grpc, models, protocol):
    models.faults = [RefusalError("INVALID_ARGUMENT", 400, "no such tensor"), BUSY]
    with client_of(rest if protocol == "rest" else grpc, protocol) as client:
        with pytest.raises(ServingError, match=r"no such tensor\. Check the signatures") as caught:
            client.classify([jpeg(0, 50)])
        assert caught.value.status in ("400 Bad Request", "INVALID_ARGUMENT")
        assert models.faults == [BUSY]
    for options in ({"version": 9}, {"label": "none"}, {"model": "spiral"}):
        with (
            client_of(rest if protocol == "rest" else grpc, protocol, **options) as client,
            pytest.raises(ServingError, match=r"Servable not found .* Check the model's name, version or label"),
        ):
            client.status()


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_time_out(rest, grpc, models, protocol):
    address = rest if protocol == "rest" else grpc
    models.faults = [4.0, 4.0]
    with client_of(address, protocol, timeout=2.0, retries=0) as client:
        started = time.monotonic()
        with pytest.raises(ServingError, match=r"(no answer within 2 s|Deadline).* \(1 attempts\)\. Raise timeout"):
            client.classify([jpeg(0, 50)])
        assert 1.9 < time.monotonic() - started < 3.9
        client.retries = 5
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
    assert models.faults == []


def test_a_connection_cut_in_the_answer(rest, models):
    models.faults = ["cut"]
    with client_of(rest) as client:
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        models.faults = ["cut"] * 2
        client.retries = 1
        with pytest.raises(ServingError, match=r"RemoteProtocolError.*\(2 attempts\)\. Check that the server runs"):
            client.classify([jpeg(0, 50)])


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_rest_server_that_dies_in_a_request(models, comes_back):
    models.faults = [3.0]
    server = RestServer(models)
    port, restarted = server.server_port, []

    def kill():
        time.sleep(0.3)
        server.die()
        time.sleep(0.3)
        if comes_back:
            restarted.append(RestServer(models, port))

    killer = threading.Thread(target=kill)
    with client_of(f"127.0.0.1:{port}", backoff=0.1, retries=6 if comes_back else 1) as client:
        killer.start()
        if comes_back:
            assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        else:
            with pytest.raises(ServingError, match=rf"server 127.0.0.1:{port} \(rest\).*Check that the server runs"):
                client.classify([jpeg(0, 50)])
    killer.join()
    for new in restarted:
        new.die()


def test_a_grpc_server_that_dies_in_a_request(models):
    models.faults = [3.0]
    server, port = grpc_server(models)
    restarted = []

    def kill():
        time.sleep(0.3)
        server.stop(0).wait()
        time.sleep(0.3)
        restarted.append(grpc_server(models, port)[0])

    killer = threading.Thread(target=kill)
    with client_of(f"127.0.0.1:{port}", "grpc", backoff=0.1, retries=6) as client:
        killer.start()
        assert client.classify([jpeg(0, 50)])["valid"][0] == 1
        killer.join()
        restarted[0].stop(0).wait()
        client.retries = 1
        with pytest.raises(ServingError, match=r"UNAVAILABLE.*\(2 attempts\)\. Check that the server runs"):
            client.classify([jpeg(0, 50)])


def test_something_else_on_the_port(models):
    """A web page under the address, as of another service."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *arguments):
            """Says nothing."""

    page = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    with (
        client_of(f"127.0.0.1:{page.server_port}") as client,
        pytest.raises(ServingError, match=r"no 'model_version_status' in the answer: <html>hello</html>\. Check that"),
    ):
        client.status()
    page.shutdown()
    page.server_close()


def test_another_model_under_the_name(tmp_path, folder):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def classify_bytes(self, image_bytes):
            return {"score": tf.zeros(tf.shape(image_bytes)), "valid": tf.ones(tf.shape(image_bytes))}

    path = tmp_path / "other"
    module = Other()
    tf.saved_model.save(module, str(path), signatures={"classify_bytes": module.classify_bytes})
    with rest_server(Models({1: path})) as address, client_of(address) as client:
        with pytest.raises(
            ServingError, match=r"another model: its outputs lack asked_probability, .* Check the model's"
        ):
            client.predict(folder)
        with pytest.raises(
            ServingError, match=r"its outputs lack latent_mean, latent_stddev, pose, pose_concentration"
        ):
            client.predict(folder, embedding=True)
        assert client.classify([b"x", b"y"])["score"].tolist() == [0, 0]


def test_questions_and_voters(rest, models, version, folder):
    file = [str(folder / "g0.jpg")]
    with client_of(rest, questions=None) as client, pytest.raises(InputError, match="questions must be given"):
        client.predict(file)
    with client_of(rest, questions="gz2") as client, pytest.raises(InputError, match="questions must be the model's"):
        client.predict(file)
    tables = []
    for options in ({"questions": version}, {"questions": version / "assets/questions.json", "voters": 80}):
        with client_of(rest, **options) as client:
            tables.append(client.predict(file))
    column = "smooth-or-featured_smooth_expected_votes"
    assert tables[1][column][0] == pytest.approx(2 * tables[0][column][0], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "soap"}, "protocol must be rest or grpc, not 'soap'"),
        ({"address": "http://localhost:8501"}, "address must be host or host:port"),
        ({"address": ""}, "address must be host or host:port"),
        ({"model": "a/b"}, "model must be a name"),
        ({"version": 1, "label": "stable"}, "version and label must not both be given"),
        ({"version": 0}, "version must be at least 1, not 0"),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"retries": -1}, "retries must be a whole number of at least 0, not -1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"concurrency": 1.5}, "concurrency must be a whole number"),
        ({"backoff": 0}, "backoff must be above 0"),
        ({"voters": 0}, "voters must be above 0"),
        ({"questions": "gz9"}, "questions must be a preset"),
    ],
)
def test_arguments(options, words):
    with pytest.raises(InputError, match=words):
        Client(**options)


def test_bad_images(rest, models, tmp_path):
    with client_of(rest) as client:
        with pytest.raises(InputError, match="images must be a folder or a list of files"):
            client.predict(tmp_path / "none.jpg")
        with pytest.raises(InputError, match="images must hold at least one image"):
            client.classify([])
        with pytest.raises(InputError, match=r"none\.jpg must be a readable file"):
            client.classify([tmp_path / "none.jpg"])


def test_default_ports():
    from tfgalaxy.export.transport import Target

    assert Target("galaxies.example").host_and_port == "galaxies.example:8501"
    assert Target("[::1]", protocol="grpc").host_and_port == "[::1]:8500"
    assert Target("localhost:80").host_and_port == "localhost:80"


def test_without_the_extra(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("tensorflow_serving"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    with pytest.raises(InputError, match=r'Run pip install "tfgalaxy\[serving\]"'):
        Client(protocol="grpc")


def test_the_example_of_the_guide(rest, models, folder, version, capsys):
    guide = Path(__file__).resolve().parents[2] / "docs" / "serving.md"
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text("utf-8"), re.DOTALL)
    here = {"localhost": rest, "models/galaxy/1": version, "images/a.jpg": folder / "g0.jpg", "images/": folder}
    for name, value in here.items():
        code = code.replace(f'"{name}"', f'"{value}"')
    names: dict = {}
    exec(code, names)
    assert "AVAILABLE" in capsys.readouterr().out
    assert len(names["table"]) == 15
    assert names["answers"]["valid"] == [1]


def test_rest_needs_no_tensorflow(rest, models, folder):
    code = f"""
import sys
from tfgalaxy.export import Client, ServingError
with Client({rest!r}, questions="gz1") as client:
    table = client.predict({str(folder)!r}, embedding=True)
assert table["valid"].sum() == 9, table
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
