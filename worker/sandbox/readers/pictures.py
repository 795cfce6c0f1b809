"""Pictures: size, and the date, place and camera that EXIF holds; no text is read from pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from readers.source import ReadError, Source


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    raise ReadError(f"{source.name} is {describe(source, kind)}, and no text is read from pictures here.")


def describe(source: Source, kind: str) -> str:
    """Kind, size, and where they are known date, place and camera: "a PNG picture of 800 x 300 pixels"."""
    data = source.content()
    size = _size(data, kind)
    of = f" of {size[0]:,} x {size[1]:,} pixels" if size else ""
    try:
        facts = list(_facts(_exif(data, kind)))
    except (struct.error, IndexError, ZeroDivisionError, UnicodeDecodeError):
        facts = ["its EXIF data is broken"]
    return ", ".join([f"a {kind.upper()} picture{of}", *facts])


def _facts(exif: bytes) -> Iterator[str]:
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return
    order = "<" if exif[:2] == b"II" else ">"
    tags = _tags(exif, struct.unpack(f"{order}I", exif[4:8])[0], order)
    taken = _tags(exif, tags[_EXIF], order).get(_TAKEN) if _EXIF in tags else None
    if date := taken or tags.get(_CHANGED):
        day, _, hour = str(date).partition(" ")
        yield f"{'taken' if taken else 'changed'} {day.replace(':', '-')} {hour}".strip()
    place = _tags(exif, tags[_GPS], order) if _GPS in tags else {}
    if 2 in place and 4 in place:
        yield f"at {_degrees(place[2], place.get(1), 'S'):.5f}, {_degrees(place[4], place.get(3), 'W'):.5f} (degrees)"
    if camera := " ".join(str(tags[tag]) for tag in (_MAKE, _MODEL) if tags.get(tag)):
        yield f"camera {camera[:60]}"


_MAKE, _MODEL, _CHANGED, _EXIF, _GPS, _TAKEN = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825, 0x9003
_TEXT, _LONG, _RATIO = 2, 4, 5
MAX_TAGS = 200
MAX_TAG_CHARS = 100


def _tags(exif: bytes, at: int, order: str) -> dict[int, Any]:
    """Tag -> text, number, or fractions, of the directory at `at`."""
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    tags: dict[int, Any] = {}
    for index in range(min(count, MAX_TAGS)):
        entry = at + 2 + 12 * index
        tag, kind, length, value = struct.unpack_from(f"{order}HHII", exif, entry)
        if kind == _TEXT:
            start = entry + 8 if length <= 4 else value
            words = exif[start : start + min(length, MAX_TAG_CHARS)].split(b"\0")[0]
            tags[tag] = words.decode("utf-8", "replace").strip()
        elif kind == _LONG:
            tags[tag] = value
        elif kind == _RATIO and length <= 3:
            parts = struct.unpack_from(f"{order}{2 * length}I", exif, value)
            tags[tag] = [up / down for up, down in zip(parts[::2], parts[1::2], strict=True)]
    return tags


def _degrees(parts: Sequence[float], side: object, negative: str) -> float:
    value = float(sum(part / 60**power for power, part in enumerate(parts)))
    return -value if side == negative else value


def _exif(data: bytes, kind: str) -> bytes:
    """The block of EXIF; `b""` where there is none."""
    blocks: dict[str, Any] = {"png": _chunks_of_png, "webp": _chunks_of_webp, "jpeg": _segments_of_jpeg}
    for name, start, end in blocks[kind](data) if kind in blocks else ():
        block = data[start:end]
        if name in (b"eXIf", b"EXIF") or (name == b"\xe1" and block.startswith(b"Exif\0\0")):
            return block.removeprefix(b"Exif\0\0")
    return b""


def _chunks_of_png(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, at + 8 + length
        at += 12 + length


def _chunks_of_webp(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, at + 8 + length
        at += 8 + length + length % 2


def _segments_of_jpeg(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1 : at + 2], at + 4, at + 2 + length
        at += 2 + length


def _size(data: bytes, kind: str) -> tuple[int, int] | None:
    try:
        if kind == "png":
            return struct.unpack(">II", data[16:24])
        if kind == "gif":
            return struct.unpack("<HH", data[6:10])
        if kind == "webp":
            return _of_webp(data)
        return _of_jpeg(data)
    except (struct.error, IndexError):
        return None


def _of_webp(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    for name, start, _ in _segments_of_jpeg(data):
        if 0xC0 <= name[0] <= 0xCF and name[0] not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[start + 1 : start + 5])
            return width, height
    return None
