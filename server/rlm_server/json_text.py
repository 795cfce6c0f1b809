"""JSON text of others: its value, or none.

In: any text. Out: the JSON value; `None` where it is no JSON, or nested too deeply to be read. Nothing is reported: who
reads such text goes on without it.
"""

from __future__ import annotations

import json

DECODER = json.JSONDecoder(strict=False)


def json_in(text: str) -> object:
    """The JSON value of `text`, `None` where it is none (or `null`); strings may hold control characters.

    >>> json_in("[1]"), json_in("[1")
    ([1], None)
    """
    try:
        value: object = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value
