"""Body: the JSON of a request, read no further than is allowed, whatever its headers claim.

In: a request whose body nobody has read. Out: a JSON value, or the `Problem` that says why there is none.
The shape of the value is checked in `wire.py`.
"""

from __future__ import annotations

import asyncio
import json

from starlette.requests import ClientDisconnect, Request

from ..settings import Settings
from .large_json import LONG_BYTES, TooManyValues, parse_large
from .problems import Problem

WHOLE = "rlm_server.whole"
"""Key of a scope: the body has come already, so that no time needs to be measured."""
DRAINED = 4
"""A body up to this many times the limit is read and dropped: a browser that still sends cannot read the refusal."""


async def read_json(request: Request, settings: Settings) -> object:
    """Read the body as JSON, no further than the limit, whatever its headers claim.

    Raises:
        Problem: it is not JSON, compressed, too large, or too slow.
        ClientDisconnect: the client went away before its end.
    """
    _check_headers(request, settings.max_body_bytes)
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(None if WHOLE in request.scope else settings.body_seconds):
            has_more = True
            while has_more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, has_more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size > DRAINED * settings.max_body_bytes:
                    raise _too_large(size, settings.max_body_bytes)
                if size <= settings.max_body_bytes:
                    body += chunk
    except TimeoutError:
        detail = f"Only {size:,} bytes of the body arrived within {settings.body_seconds:g} s. Send it again."
        raise Problem("body-timeout", detail, headers={"Connection": "close"}) from None
    if size > settings.max_body_bytes:
        raise _too_large(size, settings.max_body_bytes)
    return _parsed(body) if size < LONG_BYTES else await asyncio.to_thread(_parsed, body)


def _parsed(body: bytearray) -> object:
    try:
        if len(body) < LONG_BYTES:
            return json.loads(body, parse_constant=_refuse_constant)
        return parse_large(body)
    except TooManyValues:
        detail = (
            f"The body of {len(body):,} bytes holds more values than any request. Send one of the documented shapes."
        )
        raise Problem("invalid-json", detail) from None
    except RecursionError:
        raise Problem("invalid-json", "The body is nested too deeply. Send one of the documented shapes.") from None
    except ValueError as fault:
        raise Problem("invalid-json", f"The body of {len(body):,} bytes is not JSON: {_where(fault)}.") from None


def _check_headers(request: Request, max_bytes: int) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem("unsupported-media-type", "Send the body as `Content-Type: application/json`.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported-media-type", "A compressed body is not read. Send it without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > DRAINED * max_bytes:
        raise _too_large(int(declared), max_bytes)


def _too_large(size: int, max_bytes: int) -> Problem:
    limit = f"at most {max_bytes:,} are read. Send less, or raise RLM_MAX_BODY_BYTES."
    detail = f"The body holds {size:,} bytes or more; {limit}"
    return Problem("body-too-large", detail, headers={"Connection": "close"})


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _where(fault: ValueError) -> str:
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg} at line {fault.lineno}, column {fault.colno}"
    return "it is not UTF-8" if isinstance(fault, UnicodeDecodeError) else "it holds a number that cannot be read"
