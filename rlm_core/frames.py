"""Frames: the outcomes of a request as text, and back.

In: outcomes with their facts. Out: a row of frames in order of completion, each of them the list
`[index, status, meta, characters]` as JSON in a line, then the text of that many characters (code points). On their way
they are UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .errors import ProtocolError
from .types import Json

_READ = json.JSONDecoder().raw_decode
FRAME_OK = 0
FRAME_ERROR = 1


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
    b'[0, 0, {}, 2]\\nhi'
    """
    head = json.dumps([frame.index, frame.status, frame.meta, len(frame.text)])
    return f"{head}\n{frame.text}".encode("utf-8", "replace")


def decode_frames(reply: str | bytes | bytearray) -> Iterator[Frame]:
    """Read the frames of a whole reply.

    Raises:
        ProtocolError: it is not a whole number of frames, or holds something else.
    """
    text = reply if isinstance(reply, str) else _text(reply)
    at = 0
    while at < len(text):
        frame, at = _decode_frame(text, at)
        yield frame


def _text(reply: bytes | bytearray) -> str:
    try:
        return str(reply, "utf-8")
    except UnicodeDecodeError as fault:
        raise ProtocolError(f"reply is not UTF-8: {fault}.") from fault


def _decode_frame(text: str, at: int) -> tuple[Frame, int]:
    try:
        (index, status, meta, chars), head_end = _READ(text, at)
    except (ValueError, TypeError) as fault:
        raise ProtocolError(f"reply ends inside a frame, or has no head at character {at}: {fault}.") from fault
    if not (isinstance(index, int) and isinstance(chars, int) and chars >= 0 and isinstance(meta, dict)):
        raise ProtocolError(f"the head at character {at} is malformed: {index!r}, {type(meta).__name__}, {chars!r}.")
    text_at, end = head_end + 1, head_end + 1 + chars
    if end > len(text):
        raise ProtocolError(f"reply ends inside a frame: {end} characters announced, {len(text)} received.")
    if status not in (FRAME_OK, FRAME_ERROR) or text[head_end] != "\n":
        raise ProtocolError(f"frame at character {at} has status {status!r}, and {text[head_end]!r} behind its head.")
    return Frame(index, status, meta, text[text_at:end]), end
