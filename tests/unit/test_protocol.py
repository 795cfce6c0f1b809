"""protocol: frames survive any text, malformed ones are told, and the generated JavaScript is not stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_core import ProtocolError, _protocol_js, protocol
from rlm_core.events import EVENT_TYPES
from rlm_core.limits import LIMITS
from rlm_core.protocol import FRAME_ERROR, FRAME_OK, Frame, decode_frames, encode_frame

FRAMES = (
    Frame(0, FRAME_OK, {"model": "m", "usage": {"calls": 1}}, "hello"),
    Frame(2, FRAME_ERROR, {"title": "Refused", "status": None}, ""),
    Frame(1, FRAME_OK, {}, "naïve 🦊\n\x00" * 1000),
)


def test_frames_come_out_as_they_went_in() -> None:
    data = b"".join(encode_frame(frame) for frame in FRAMES)
    assert tuple(decode_frames(data)) == FRAMES
    assert tuple(decode_frames(bytearray(data))) == FRAMES
    assert tuple(decode_frames(data.decode())) == FRAMES


def test_no_bytes_are_no_frames() -> None:
    assert list(decode_frames(b"")) == []


def test_a_lone_surrogate_is_replaced() -> None:
    frame = next(decode_frames(encode_frame(Frame(0, FRAME_OK, {}, "a\ud800b"))))
    assert frame.text == "a?b"


@pytest.mark.parametrize("length", range(1, len(encode_frame(FRAMES[0]))))
def test_a_reply_that_is_cut_anywhere_is_told(length: int) -> None:
    with pytest.raises(ProtocolError, match="reply ends inside a frame"):
        list(decode_frames(encode_frame(FRAMES[0])[:length]))


@pytest.mark.parametrize(
    "data",
    [
        b"[0, 7, {}, 0]\n",
        b"[0, 0, [], 0]\n",
        b"[0, 0, {!, 0]\n",
        b"[0, 0, {}, 2]\n\xff\xfe",
        b'["0", 0, {}, 0]\n',
        b'[0, 0, {}, ""]\n',
        b"[0, 0, {}, -1]\n",
        b"[0, 0, {}]\n",
        b"[0, 0, {}, 0, 0]\n",
        b"[0, 0, {}, 0]{}",
        b"7\n",
        b"\n",
    ],
    ids=[
        "status", "list as meta", "meta no JSON", "text no UTF-8", "text as index", "text as length", "length below 0",
        "three fields", "five fields", "no line feed", "no list", "no head",
    ],
)  # fmt: skip
def test_a_malformed_frame_is_told(data: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"at character 0|byte 0xff in position 14"):
        list(decode_frames(data))


def test_the_states_fit_into_their_bits() -> None:
    states = {
        protocol.PENDING, protocol.CHUNK, protocol.LAST, protocol.ERROR, protocol.PROGRESS, protocol.INTERRUPTED,
        protocol.TIMED_OUT,
    }  # fmt: skip
    assert states == set(range(7))
    assert max(states) < 1 << protocol.STATE_BITS
    assert (protocol.SEQUENCE_MASK << protocol.STATE_BITS) < 1 << 31


def test_the_generated_javascript_is_not_stale() -> None:
    written = _protocol_js.TARGET.read_text(encoding="utf-8")
    assert written == _protocol_js.source(), "worker/wire/protocol.js is stale: run `python -m rlm_core.protocol`"


def test_the_generated_javascript_knows_every_event_and_message() -> None:
    source = _protocol_js.source()
    for event_type in EVENT_TYPES:
        assert f"  {event_type.type}: [" in source
        assert f"}}}} {event_type.__name__}\n" in source
    for name in ("stage", "ready", "request", "ack", "events", "finished", "failed"):
        assert f'  {name}: ["struct"' in source


def test_a_limit_is_written_down_once() -> None:
    """The types of the public face take the limits from the table; `tsc` proves the page's and the worker's use."""
    types = (Path(__file__).parents[2] / "worker" / "rlm.d.ts").read_text(encoding="utf-8")
    options = types.partition("interface RLMOptions extends LimitOptions {")[2].partition("\n}")[0]
    assert options
    assert [limit.option for limit in LIMITS if f"{limit.option}?:" in options] == []
