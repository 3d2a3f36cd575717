"""Valid files of every kind that the package reads, small, and bombs: what `benchmarks/fuzz.py` starts from."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
from astropy.io import fits
from PIL import Image

from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.data.questions import PRESETS, Questions
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.training.config import RunConfig

__all__ = ["BOMBS", "GALAXIES", "NUMBERED", "SEEDS", "picture", "png_chunk"]

GALAXIES = ("g1", "g2", "g3", "g4")
NUMBERED = tuple(str(587722981736120347 + row) for row in range(4))
UNPACKED = 200 << 20  # bytes that a bomb of zeros has


def picture(size: int = 40, channels: int = 3) -> np.ndarray:
    """A blurred spot, uint8 [H, W, C]."""
    y, x = np.mgrid[:size, :size] - size / 2
    light = 250 * np.exp(-(x**2 + 2 * y**2) / size)
    return np.stack([light * (1 - 0.2 * channel) for channel in range(channels)], axis=-1).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _jpegs() -> list[bytes]:
    colour, grey = Image.fromarray(picture()), Image.fromarray(picture(33, 1)[..., 0])
    large = Image.fromarray(picture(200))
    return [
        _saved(colour, "JPEG", quality=90),
        _saved(colour, "JPEG", progressive=True),
        _saved(grey, "JPEG"),
        _saved(colour.convert("CMYK"), "JPEG"),
        _saved(large, "JPEG", comment=b"text"),
    ]


def _pngs() -> list[bytes]:
    colour = Image.fromarray(picture())
    deep = Image.fromarray(picture(33, 1)[..., 0].astype(np.uint16) * 200)
    images = [colour, colour.convert("L"), colour.convert("RGBA"), colour.quantize(16), colour.convert("1"), deep]
    return [_saved(image, "PNG") for image in images]


def _fits_bytes(*units: object) -> bytes:
    stream = io.BytesIO()
    fits.HDUList(list(units)).writeto(stream)
    return stream.getvalue()


def _fits_images() -> list[bytes]:
    light = picture(32).astype(np.float32)
    cube = np.moveaxis(light, -1, 0)
    scaled = fits.PrimaryHDU(light[..., 0].astype(np.int16))
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.5, 10.0, -1
    plain = _fits_bytes(fits.PrimaryHDU(light[..., 0]))
    return [
        plain,
        _fits_bytes(fits.PrimaryHDU(cube)),
        _fits_bytes(scaled),
        _fits_bytes(fits.PrimaryHDU(), fits.ImageHDU(cube)),
        _fits_bytes(fits.PrimaryHDU(), fits.CompImageHDU(light[..., 0].astype(np.int16), compression_type="RICE_1")),
        _fits_bytes(fits.PrimaryHDU(), fits.CompImageHDU(light[..., 0], compression_type="GZIP_1")),
        gzip.compress(plain, mtime=0),
    ]


VOTES = {
    "shape_smooth": [30, 5, 12, 0],
    "shape_featured": [10, 35, 12, 0],
    "bar_yes": [3, 20, 6, 0],
    "bar_no": [7, 15, 6, 0],
}


def _csvs() -> list[bytes]:
    header = ",".join(["id", *VOTES])
    rows = [",".join(map(str, row)) for row in zip(GALAXIES, *VOTES.values(), strict=True)]
    plain = "\n".join([header, *rows, ""])
    named = "\n".join([f"{header},file", *(f"{row},{name}.png" for row, name in zip(rows, GALAXIES, strict=True)), ""])
    quoted = "\r\n".join([header, *('"' + row.replace(",", '","') + '"' for row in rows)])
    return [
        plain.encode(),
        named.encode("utf-8-sig"),
        plain.replace(",", ";").encode(),
        quoted.encode(),
        gzip.compress(plain.encode(), mtime=0),
    ]


def _fits_tables() -> list[bytes]:
    columns = [fits.Column("id", "8A", array=np.array(GALAXIES))]
    columns += [fits.Column(name, "E", array=np.array(values)) for name, values in VOTES.items()]
    integers = [fits.Column("id", "K", array=np.array(NUMBERED, np.int64))]
    integers += [fits.Column(name, "J", array=np.array(values)) for name, values in VOTES.items()]
    return [_fits_bytes(fits.PrimaryHDU(), fits.BinTableHDU.from_columns(one)) for one in (columns, integers)] + [
        _fits_bytes(fits.PrimaryHDU(), fits.TableHDU.from_columns(columns))
    ]


def _votable(body: str) -> bytes:
    head = '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
    fields = '<FIELD name="id" datatype="char" arraysize="*"/>'
    fields += "".join(f'<FIELD name="{name}" datatype="int"/>' for name in VOTES)
    return f"{head}{fields}<DATA>{body}</DATA></TABLE></RESOURCE></VOTABLE>".encode()


def _votables() -> list[bytes]:
    rows = zip(GALAXIES, *VOTES.values(), strict=True)
    cells = "".join("<TR>" + "".join(f"<TD>{value}</TD>" for value in row) + "</TR>" for row in rows)
    return [_votable(f"<TABLEDATA>{cells}</TABLEDATA>")]


def _json(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def _questions() -> list[bytes]:
    return _json(*(Questions.preset(name).to_dict() for name in PRESETS))


# By kind of input: valid files.
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "JPEG": _jpegs,
    "PNG": _pngs,
    "FITS image": _fits_images,
    "CSV catalogue": _csvs,
    "FITS catalogue": _fits_tables,
    "VOTable catalogue": _votables,
    "JSON questions": _questions,
    "JSON RunConfig": lambda: _json(RunConfig().to_dict(), {"training": {"regime": "supervised"}}),
    "JSON ModelConfig": lambda: _json(ModelConfig().to_dict()),
    "JSON Preprocessing": lambda: _json(Preprocessing().to_dict()),
}


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Length, kind, content and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png_bomb(width: int, height: int, rows: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes((width + 1) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def _jpeg_bombs() -> list[bytes]:
    """Sizes of 4 gigapixels in the frame's header, as it is, and behind bytes that decoders skip."""
    content = _jpegs()[0]
    frame = content.index(b"\xff\xc0")
    huge = content[: frame + 5] + struct.pack(">HH", 65500, 65500) + content[frame + 9 :]
    return [huge, huge[:20] + b"\x00\x01\x02" + huge[20:]]


def _fits_bombs() -> list[bytes]:
    plain = _fits_bytes(fits.PrimaryHDU(picture(32, 1)[..., 0]))
    huge = plain.replace(b"NAXIS1  =                   32", b"NAXIS1  =               300000")
    huge = huge.replace(b"NAXIS2  =                   32", b"NAXIS2  =               300000")
    return [huge, gzip.compress(plain + bytes(UNPACKED), mtime=0)]


def _deep(text: str) -> bytes:
    return (text * 100_000).encode()


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]><VOTABLE>&a11;</VOTABLE>'.encode()


# What is small and would be large, or ask for what it should not; must be refused, not read.
BOMBS: dict[str, Callable[[], list[bytes]]] = {
    "JPEG": _jpeg_bombs,
    "PNG": lambda: [
        _png_bomb(60_000, 60_000, 5_000),
        _png_bomb(2**31 - 1, 2**31 - 1, 0),
        _png_bomb(9_000, 9_000, 9_000),
    ],
    "FITS image": _fits_bombs,
    "CSV catalogue": lambda: [gzip.compress(bytes(UNPACKED), mtime=0), b"id," + b"a" * 300_000],
    "FITS catalogue": lambda: [gzip.compress(_fits_tables()[0] + bytes(UNPACKED), mtime=0)],
    "VOTable catalogue": lambda: [
        _laughs(),
        _votable('<BINARY><STREAM href="http://127.0.0.1:9/votes"/></BINARY>'),
        _votable('<BINARY><STREAM href="file:///dev/zero"/></BINARY>'),
    ],
    "JSON questions": lambda: [
        _deep("["),
        _deep('{"a":'),
        *_json({**Questions.preset("gz1").to_dict(), "columns": {"votes": [{"pattern": "{answer:>999999999}"}]}}),
    ],
    "JSON RunConfig": lambda: [_deep("["), b'{"training": {"weight_decay": 1' + b"0" * 5000 + b"}}"],
    "JSON ModelConfig": lambda: [_deep("["), b'{"prior_scale": 1' + b"0" * 400 + b"}", b"9" * 5000],
    "JSON Preprocessing": lambda: [_deep("["), b'{"crop_fraction": 1' + b"0" * 400 + b"}"],
}
