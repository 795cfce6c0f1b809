"""Large JSON: a request body of many megabytes, parsed without stopping the process and without many times its size.

In: the bytes of a JSON value that holds few values and perhaps very long strings. Out: the value. Python's own parser
holds the interpreter's lock until it is done, and takes up to nine times the body. Here long strings are taken out and
decoded in pieces, so that other threads run in between, and all that is not within strings is bounded.
"""

from __future__ import annotations

import json
import re
import secrets

LONG_BYTES = 64 * 1024
"""A string from this size is decoded in pieces."""
PIECE_BYTES = 256 * 1024
MAX_STRUCTURE_BYTES = 256 * 1024
"""Most bytes outside strings: brackets, commas, numbers and white space."""
INSIDE = re.compile(rb'(?:[^"\\]++|\\(?:u[0-9a-fA-F]{4}|[^u]))*+', re.DOTALL)
"""The part of a string that can be decoded by itself: no escape is cut."""
HIGH, LOW = "\ud800\udbff", "\udc00\udfff"


class TooManyValues(ValueError):
    """The body has more structure than any request."""


def parse_large(body: bytes | bytearray) -> object:
    """The JSON value of `body`.

    Raises:
        TooManyValues: there is more outside of its strings than `MAX_STRUCTURE_BYTES`.
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.

    >>> parse_large(b'{"prompt": "' + b"a" * 100_000 + b'", "n": 1}')["n"]
    1
    """
    skeleton: list[bytes] = []
    texts: dict[str, str] = {}
    mark = secrets.token_hex(16)
    position, structure = 0, 0
    while True:
        quote = body.find(b'"', position)
        end = len(body) if quote < 0 else quote
        structure += end - position
        if structure > MAX_STRUCTURE_BYTES:
            raise TooManyValues
        skeleton.append(bytes(body[position:end]))
        if quote < 0:
            break
        close = _short_end(body, quote + 1)
        if close is not None:
            skeleton.append(bytes(body[quote : close + 1]))
        else:
            text, close = _long_text(body, quote + 1)
            name = f"{mark}{len(texts)}"
            texts[name] = text
            skeleton.append(f'"{name}"'.encode())
        position = close + 1
    return _filled(json.loads(b"".join(skeleton), parse_constant=_refuse_constant), texts)


def _short_end(body: bytes | bytearray, start: int) -> int | None:
    """Position of the quote that ends a short string, `None` for a long one."""
    match = INSIDE.match(body, start, start + LONG_BYTES)
    end = start if match is None else match.end()
    return end if body[end : end + 1] == b'"' else None


def _long_text(body: bytes | bytearray, start: int) -> tuple[str, int]:
    """The text of a long string, and the position of the quote that ends it."""
    pieces: list[str] = []
    while True:
        match = INSIDE.match(body, start, start + PIECE_BYTES)
        end = start if match is None else match.end()
        is_last = body[end : end + 1] == b'"'
        while not is_last and end > start and end < len(body) and body[end] & 0xC0 == 0x80:
            end -= 1  # a character is not cut either
        if end == start and not is_last:
            raise ValueError("a string has no end, or holds an escape that is none")
        piece: str = json.loads(b'"' + body[start:end] + b'"')
        if pieces and piece and _is_pair(pieces[-1], piece):
            pieces[-1], piece = pieces[-1][:-1], _joined(pieces[-1][-1], piece[0]) + piece[1:]
        if piece:
            pieces.append(piece)
        if is_last:
            return "".join(pieces), end
        start = end


def _is_pair(before: str, after: str) -> bool:
    """Whether two halves of one character, escaped, came into two pieces."""
    return HIGH[0] <= before[-1] <= HIGH[1] and LOW[0] <= after[0] <= LOW[1]


def _joined(high: str, low: str) -> str:
    return (high + low).encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _filled(value: object, texts: dict[str, str]) -> object:
    """`value` with the long texts back in their positions."""
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, list):
        return [_filled(item, texts) for item in value]
    if isinstance(value, dict):
        return {texts.get(name, name): _filled(item, texts) for name, item in value.items()}
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
