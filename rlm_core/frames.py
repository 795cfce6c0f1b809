"""Frames: the outcomes of a request as bytes, and back.

In: outcomes with their facts. Out: a row of frames in order of completion, each of them
`u32 index, u32 status, u32 meta_bytes, u32 text_bytes` (little-endian), then the meta as JSON, then the text as UTF-8.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .errors import ProtocolError
from .types import Json

_DECODER = json.JSONDecoder()
FRAME_OK = 0
FRAME_ERROR = 1
FRAME_HEADER = struct.Struct("<IIII")
FRAME_HEADER_BYTES = FRAME_HEADER.size


@dataclass(frozen=True, slots=True)
class Frame:
    """One outcome of a `complete` request; `meta` holds the fields of `ReplyMeta` or of `WireError`."""

    index: int
    status: int
    meta: Mapping[str, Json]
    text: str


def encode_frame(frame: Frame) -> bytes:
    """Lay `frame` out as bytes; a lone surrogate in its text becomes `?`, as UTF-8 has none.

    >>> encode_frame(Frame(0, FRAME_OK, {}, "hi"))
    b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x02\\x00\\x00\\x00{}hi'
    """
    meta = json.dumps(frame.meta).encode()
    text = frame.text.encode("utf-8", "replace")
    return FRAME_HEADER.pack(frame.index, frame.status, len(meta), len(text)) + meta + text


def decode_frames(data: bytes | bytearray) -> Iterator[Frame]:
    """Read the frames of a whole reply, without copying the text twice.

    Raises:
        ProtocolError: the bytes are not a whole number of frames, or hold something else.
    """
    view = memoryview(data)
    offset = 0
    while offset < len(view):
        frame, offset = _decode_frame(view, offset)
        yield frame


def _decode_frame(view: memoryview, offset: int) -> tuple[Frame, int]:
    text_at = offset + FRAME_HEADER_BYTES
    if text_at > len(view):
        raise ProtocolError(f"reply ends inside a frame header: {len(view) - offset} bytes at {offset}.")
    index, status, meta_bytes, text_bytes = FRAME_HEADER.unpack_from(view, offset)
    meta_at, text_at = text_at, text_at + meta_bytes
    end = text_at + text_bytes
    if end > len(view):
        raise ProtocolError(f"reply ends inside a frame: {end} bytes announced, {len(view)} received.")
    try:
        meta = _read_json(str(view[meta_at:text_at], "utf-8"))
        text = str(view[text_at:end], "utf-8")
    except ValueError as fault:
        raise ProtocolError(f"frame at byte {offset} is not JSON and UTF-8: {fault}.") from fault
    if not isinstance(meta, dict) or status not in (FRAME_OK, FRAME_ERROR):
        raise ProtocolError(f"frame at byte {offset} has status {status} and a {type(meta).__name__} as meta.")
    return Frame(index, status, meta, text), end


def _read_json(text: str) -> object:
    """As `json.loads`, which costs half as much again for text without blanks around it."""
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError(f"{len(text) - end} characters follow the JSON")
    return value
