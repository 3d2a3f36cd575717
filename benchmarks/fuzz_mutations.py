"""Mutations of valid files: random bytes, and such that know the format, to get beyond its first check."""

from __future__ import annotations

import copy
import json
import random
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

from fuzz_seeds import png_chunk

__all__ = ["mutate"]

Mutation = Callable[[random.Random, bytes, list[bytes]], bytes]
NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    *("", " ", "0", "-1", "1e400", "-inf", "nan", "NaN", "1.5", "99999999999999999999", "5.88E+17", "\0", "\ud800"),
    *('"', "'", ",", ";", "\t", "\n", "\r", "\x1a", "é", "\u202e", "a" * 5000, "../../etc/passwd", "C:\\x.png", "%s"),
    *("{question}", "{answer:>99999999}", "{answer.__class__}", "{0}", "{", "(a", "[", "*" * 50, "gz2", "clockwise"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 0.5, 1e308, -1e-320, 10**30, 10**400, float("nan"), float("inf"), [], {}),
    *([[]], [1, 2], ["a", "a"], {"a": 1}, [None], [["a"]], *WORDS),
)


def flip_bits(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """One to eight bits."""
    changed = bytearray(content)
    for _ in range(choose.randint(1, 8)):
        changed[choose.randrange(len(changed))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def write_number(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """A number at the edge of a type, of one, two or four bytes."""
    size = choose.choice((1, 2, 4))
    number = (choose.choice(NUMBERS) % 256**size).to_bytes(size, choose.choice(("big", "little")))
    start = choose.randrange(len(content))
    return content[:start] + number + content[start + size :]


def cut(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """The end is lost."""
    return content[: choose.randrange(len(content))]


def drop(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """A stretch is lost."""
    start = choose.randrange(len(content))
    return content[:start] + content[start + choose.randint(1, 64) :]


def repeat(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """A stretch is there several times."""
    start = choose.randrange(len(content))
    end = start + choose.randint(1, 256)
    return content[:end] + content[start:end] * choose.choice((1, 2, 50)) + content[end:]


def splice(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """The start of one file and the end of another."""
    other = choose.choice(seeds)
    return content[: choose.randrange(len(content))] + other[choose.randrange(len(other)) :]


def add_noise(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """Random bytes somewhere."""
    start = choose.randrange(len(content) + 1)
    return content[:start] + choose.randbytes(choose.randint(1, 200)) + content[start:]


def mend_png(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """Another mutation, and checksums that agree with it."""
    content = choose.choice(BYTES)(choose, content, seeds)
    position, mended = 8, content[:8]
    while position + 12 <= len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        body = content[position + 8 : position + 8 + length]
        mended += png_chunk(content[position + 4 : position + 8], body)
        position += 12 + length
    return mended


def change_pixels(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """A PNG whose unpacked data are mutated, too many or too few."""
    start = content.find(b"IDAT")
    try:
        (length,) = struct.unpack(">I", content[start - 4 : start])
        pixels = zlib.decompress(content[start + 4 : start + 4 + length])
    except (struct.error, zlib.error):
        return flip_bits(choose, content, seeds)
    pixels = choose.choice((flip_bits, cut, repeat, add_noise))(choose, pixels, seeds)
    return content[: start - 4] + png_chunk(b"IDAT", zlib.compress(pixels)) + content[start + 8 + length :]


def change_segment(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """A number in one of a JPEG's segments: sizes, tables, components."""
    starts = [match.start() for match in re.finditer(rb"\xff[\xc0-\xfe]", content)]
    start = choose.choice(starts or [0]) + choose.randint(1, 20)
    return content[:start] + choose.choice(NUMBERS).to_bytes(4, "big")[-2:] + content[start + 2 :]


def change_card(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """The value of one of a FITS header's cards."""
    cards = [match.start() for match in re.finditer(rb"[A-Z0-9]{3,8} *= ", content)]
    start = choose.choice(cards or [0]) + 10
    values = (*map(str, NUMBERS), "-1", "1E400", "T", "'text'", "'1PB(9999999)'", "'99999999J'", "-32", "64", "NaN", "")
    return content[:start] + choose.choice(values).rjust(20).encode() + content[start + 20 :]


def change_cell(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """A cell or a name of a CSV or VOTable."""
    pieces = re.split(rb"([,;\n<>\"])", content)
    for _ in range(choose.randint(1, 3)):
        pieces[choose.randrange(len(pieces))] = choose.choice(WORDS).encode("utf-8", "surrogatepass")
    return b"".join(pieces)


def change_encoding(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """The same text, as another program writes it."""
    text = content.decode("utf-8", "replace")
    return text.encode(choose.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7")), "replace")


def change_value(choose: random.Random, content: bytes, seeds: list[bytes]) -> bytes:
    """Values and keys of a JSON file, one to three of them."""
    try:
        root = {"root": json.loads(content)}
    except ValueError:
        return flip_bits(choose, content, seeds)
    for _ in range(choose.randint(1, 3)):
        holder, key = choose.choice(list(places(root)))
        act = choose.randrange(5)
        if act == 0 and isinstance(holder, dict) and len(root) > 1:
            holder[choose.choice(WORDS)] = holder.pop(key)
        elif act == 1 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(choose.choice([*VALUES, holder[key]])))
        elif act == 2 and holder is not root:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(choose.choice(VALUES))
    return json.dumps(root.get("root")).encode("utf-8", "surrogatepass")


def places(holder: Any) -> Any:
    """All (container, key) of a JSON value."""
    for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from places(holder[key])


BYTES: tuple[Mutation, ...] = (flip_bits, write_number, cut, drop, repeat, splice, add_noise)
KNOWING: dict[str, tuple[Mutation, ...]] = {
    "JPEG": (change_segment,),
    "PNG": (mend_png, change_pixels),
    "FITS image": (change_card,),
    "FITS catalogue": (change_card,),
    "CSV catalogue": (change_cell, change_encoding),
    "VOTable catalogue": (change_cell, change_encoding),
    "JSON": (change_value,),
}


def mutate(kind: str, choose: random.Random, seeds: list[bytes]) -> bytes:
    """One valid file after one to three mutations, half of which know its format.

    Args:
        kind: of input, a key of `fuzz_seeds.SEEDS`.
        choose: where all chance comes from.
        seeds: valid files.
    """
    content = choose.choice(seeds)
    knowing = KNOWING[kind.split()[0] if kind.startswith("JSON") else kind]
    for _ in range(choose.choice((1, 1, 2, 3))):
        if not content:
            break
        content = choose.choice(knowing if choose.random() < 0.5 else BYTES)(choose, content, seeds)
    return content
