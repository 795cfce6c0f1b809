"""The values of a reply, cut out of bytes that are split anywhere and labelled by nobody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_server.providers.event_stream import DONE, EventReader, NotJson


def events(*chunks: bytes) -> list[tuple[str, object]]:
    reader = EventReader()
    found = [event for chunk in chunks for event in reader.read(chunk)]
    return [(event.name, event.value) for event in (*found, *reader.end())]


def values(*chunks: bytes) -> list[object]:
    return [value for _, value in events(*chunks)]


FORMS: dict[str, tuple[bytes, list[object]]] = {
    "nothing": (b"", []),
    "one event": (b'data: {"a": 1}\n\n', [{"a": 1}]),
    "no space": (b'data:{"a": 1}\n\n', [{"a": 1}]),
    "CRLF": (b'data: {"a": 1}\r\n\r\ndata: {"a": 2}\r\n\r\n', [{"a": 1}, {"a": 2}]),
    "CR": (b'data: {"a": 1}\r\rdata: {"a": 2}\r\r', [{"a": 1}, {"a": 2}]),
    "no blank lines": (b'data: {"a": 1}\ndata: {"a": 2}\n', [{"a": 1}, {"a": 2}]),
    "no last line end": (b'data: {"a": 1}', [{"a": 1}]),
    "several lines": (b'data: {\ndata: "a": 1\ndata: }\n\n', [{"a": 1}]),
    "comments, names, ids": (b': ping\n\nevent: x\nid: 1\nretry: 3\ndata: {"a": 1}\n\n\n', [{"a": 1}]),
    "empty data": (b'event: ping\ndata:\n\ndata: \n\ndata: {"a": 1}\n\n', [{"a": 1}]),
    "data like a comment": (b'data: : OPENROUTER PROCESSING\n\ndata: ping\n\ndata: {"a": 1}\n\n', [{"a": 1}]),
    "byte order mark": (b'\xef\xbb\xbfdata: {"a": 1}\n\n', [{"a": 1}]),
    "done": (b'data: {"a": 1}\n\ndata: [DONE]\n\n', [{"a": 1}, DONE]),
    "one value a line": (b'{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
    "one whole value": (b'{"a": {"b": 1}}', [{"a": {"b": 1}}]),
    "one value on many lines": (b'{\n  "a": [\n    1\n  ]\n}\n', [{"a": [1]}]),
    "a list": (b'[{"a": 1}]', [[{"a": 1}]]),
    "an error without data": (b'data: {"a": 1}\n\n{"error": {"code": 400}}', [{"a": 1}, {"error": {"code": 400}}]),
    "not UTF-8": (b'data: {"a": "\xff"}\n\n', [{"a": "\ufffd"}]),
}


@pytest.mark.parametrize(("stream", "expected"), FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_its_values_wherever_it_is_split(stream: bytes, expected: list[object]) -> None:
    assert values(stream) == expected
    assert values(*(stream[at : at + 1] for at in range(len(stream)))) == expected


def test_the_name_of_an_event_comes_with_its_value() -> None:
    assert events(b'event: error\ndata: {"a": 1}\n\ndata: {"a": 2}\n\n') == [("error", {"a": 1}), ("", {"a": 2})]
    assert events(b"event: error\ndata: out of memory\n\n") == [("error", "out of memory")]


def test_a_value_that_is_whole_does_not_wait_for_its_line_end() -> None:
    reader = EventReader()
    assert [*reader.read(b'{"a": '), *reader.pause(), *reader.read(b"1}")] == []
    assert [event.value for event in reader.pause()] == [{"a": 1}]


@pytest.mark.parametrize(
    ("stream", "web_page", "cut"),
    [
        (b"<!doctype html><title>Sign in</title>", True, False),
        (b"  <html>\n</html>", True, False),
        (b"upstream words", False, False),
        (b'{"a": ', False, False),
        (b'data: {"a": \n\n', False, False),
        (b'data: {"a": 1}\n\ndata: {"a": ', False, True),
        (b"[" * 2_000, False, False),
    ],
)
def test_bytes_in_none_of_the_forms_are_told_apart(stream: bytes, web_page: bool, cut: bool) -> None:
    with pytest.raises(NotJson) as caught:
        values(stream)
    assert (caught.value.web_page, caught.value.cut) == (web_page, cut)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=10))
def test_where_it_is_split_does_not_matter(chunks: list[bytes]) -> None:
    def outcome(*parts: bytes) -> object:
        try:
            return repr(values(*parts))
        except NotJson:
            return NotJson

    assert outcome(*filter(None, chunks)) == outcome(*filter(None, [b"".join(chunks)]))
