"""Pictures: size, and of a JPEG the camera's date and place; no text is read from pixels."""

from __future__ import annotations

import struct

from readers.source import ReadError, Source


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    raise ReadError(f"{source.name} is {describe(source, kind)}, and no text is read from pictures here.")


def describe(source: Source, kind: str) -> str:
    """Kind and size, such as "a PNG picture of 800 x 300 pixels"."""
    size = _size(source.content(), kind)
    of = f" of {size[0]:,} x {size[1]:,} pixels" if size else ""
    return f"a {kind.upper()} picture{of}"


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
    at = 2
    while at + 9 < len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
