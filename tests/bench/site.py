"""The bench's own server, a process of its own: a page without protection, plain Pyodide, and a model of fixed speed.

`python -m tests.bench.site` prints its URL. A model is named `wait-<milliseconds>`: it answers after that time. To
a root call whose question holds `blocks:<JSON in base64>` it answers with these blocks of code, one an iteration. A
call that holds `script:<JSON in base64>` gets the whole replies in it, in turn. A model `say-<base64>` says that text;
`write-<milliseconds>` takes that time to write its blocks, line by line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

PYODIDE = Path(__file__).parents[2] / "node_modules" / "pyodide"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


async def page(request: Request) -> Response:
    return HTMLResponse("<!doctype html><title>plain</title>", headers=ISOLATED)


async def complete(receive: Receive, send: Send) -> None:
    """The OpenAI chat dialect, streamed or not. Bare ASGI: a real model takes no time of the user's processor."""
    content = bytearray()
    while (message := await receive()).get("more_body"):
        content += message["body"]
    body = json.loads(content + message["body"])
    reply = scripted(body)
    pace, _, milliseconds = body["model"].partition("-")
    seconds = int(milliseconds) / 1000 if reply is None or pace == "write" else 0.0
    if body.get("stream"):
        await begin(send, b"text/event-stream")
        await write_events(send, DELTAS if reply is None else pieces_of(reply, pace), seconds)
    else:
        await asyncio.sleep(0.0 if reply is not None else seconds)
        text = json.dumps(whole(body["model"], "ok" if reply is None else reply)).encode()
        await begin(send, b"application/json", (b"content-length", str(len(text)).encode()))
        await send({"type": "http.response.body", "body": text})


async def begin(send: Send, media_type: bytes, *headers: tuple[bytes, bytes]) -> None:
    named = [(b"content-type", media_type), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": named})


async def write_events(send: Send, events: Sequence[bytes], seconds: float) -> None:
    """Each event at its time since the call began: sleeps one after another would each end late, and add up."""
    began = time.monotonic()
    events = events if seconds else events[:1]
    for number, written in enumerate(events, 1):
        await asyncio.sleep(began + seconds * number / len(events) - time.monotonic())
        await send({"type": "http.response.body", "body": written, "more_body": True})
    await send({"type": "http.response.body", "body": END})


def pieces_of(reply: str, pace: str) -> Sequence[bytes]:
    """A reply line by line, where it is to be written slowly."""
    return [event(delta(line)) for line in (reply.splitlines(keepends=True) if pace == "write" else [reply])]


def whole(model: str, text: str) -> object:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "bench",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": USAGE,
    }


def scripted(body: dict[str, Any]) -> str | None:
    """The next reply of a call that brings its own."""
    messages = body["messages"]
    if body["model"].startswith("say-"):
        return base64.urlsafe_b64decode(body["model"].removeprefix("say-")).decode()
    if (found := SCRIPT.search(text := json.dumps(messages))) is not None:
        script = json.loads(base64.b64decode(found[1]))
        replied[script["number"]] += 1
        return str(script["replies"][min(replied[script["number"]], len(script["replies"])) - 1])
    if messages[0]["role"] != "system" or (found := BLOCKS.search(text)) is None:
        return None
    blocks: list[str] = json.loads(base64.b64decode(found[1]))
    code = blocks[min(sum(message["role"] == "assistant" for message in messages), len(blocks) - 1)]
    return f"```repl\n{code}\n```"


def delta(text: str) -> object:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


def event(value: object) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


BLOCKS = re.compile(r"blocks:([A-Za-z0-9+/=]+)")
SCRIPT = re.compile(r"script:([A-Za-z0-9+/=]+)")
replied: Counter[str] = Counter()
END = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}) + b"data: [DONE]\n\n"
DELTAS = [event(delta(f"{number} ")) for number in range(10)]


class Isolated(StaticFiles):
    """Static files that a page with COEP may load."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update({"Cache-Control": "max-age=31536000", "Cross-Origin-Resource-Policy": "same-origin"})
        response.headers.update(ISOLATED)
        return response


def main() -> None:
    pages = Starlette(routes=[Route("/", page), Mount("/pyodide", Isolated(directory=PYODIDE))])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] == "http" and scope["path"] == "/v1/chat/completions"
        await (complete(receive, send) if is_call else pages(scope, receive, send))

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])


if __name__ == "__main__":
    main()
