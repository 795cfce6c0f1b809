"""Server-sent events, cut out of bytes that are split anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_server.providers.event_stream import MAX_LINE_BYTES, LineTooLong, data_of_events


def data_of(*chunks: bytes) -> list[str]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[str]:
        return [data async for data in data_of_events(stream())]

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: {\ndata: }\n\n", ["{\n}"]),
        (b": ping\n\nevent: x\nid: 1\ndata: a\n\n\n\n", ["a"]),
        (b"data: last", ["last"]),
        (b"data\n\ndatax: a\n\n", []),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"data: \n\n", [""]),
    ],
)
def test_the_data_of_each_event(stream: bytes, events: list[str]) -> None:
    assert data_of(stream) == events
    assert data_of(*(stream[at : at + 1] for at in range(len(stream)))) == events


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_where_it_is_split_does_not_matter(chunks: list[bytes]) -> None:
    assert data_of(*chunks) == data_of(b"".join(chunks))


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(LineTooLong):
        data_of(b"data: ", b"x" * MAX_LINE_BYTES)
