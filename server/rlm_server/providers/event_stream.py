"""Event streams: the `data` of server-sent events, cut out of the bytes that carry them.

In: chunks of bytes, split anywhere. Out: one string for each event. Names, ids and comments of events are dropped,
for both dialects repeat the relevant ones inside the data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

MAX_LINE_BYTES = 4 * 1024 * 1024


class LineTooLong(ValueError):
    """A line exceeds `MAX_LINE_BYTES`: this is no event stream."""


async def data_of_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    r"""Yield the data of each event; bytes that are not UTF-8 become U+FFFD.

    Raises:
        LineTooLong: a line has no end.

    `b"data: {\n", b"data: }\n\n: ping\n\n"` gives `"{\n}"`.
    """
    data: list[str] = []
    async for line in _lines(chunks):
        if not line and data:
            yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    if data:
        yield "\n".join(data)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="replace")
        if len(rest) > MAX_LINE_BYTES:
            raise LineTooLong(f"a line of more than {MAX_LINE_BYTES:,} bytes")
    if rest:
        yield rest.removesuffix(b"\r").decode(errors="replace")
