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
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

PYODIDE = Path(__file__).parents[2] / "node_modules" / "pyodide"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
DELTAS = 10


async def page(request: Request) -> Response:
    return HTMLResponse("<!doctype html><title>plain</title>", headers=ISOLATED)


async def complete(request: Request) -> Response:
    """The OpenAI chat dialect, streamed or not."""
    body = await request.json()
    if (reply := scripted(body)) is not None:
        if not body.get("stream"):
            return JSONResponse(whole(body["model"], reply))
        pace, _, milliseconds = body["model"].partition("-")
        pieces = written(reply, int(milliseconds) / 1000) if pace == "write" else iter([event(delta(reply)), END])
        return StreamingResponse(pieces, media_type="text/event-stream")
    seconds = int(body["model"].partition("-")[2]) / 1000
    if body.get("stream"):
        return StreamingResponse(deltas(seconds), media_type="text/event-stream")
    await asyncio.sleep(seconds)
    return JSONResponse(whole(body["model"], "ok"))


async def deltas(seconds: float) -> AsyncIterator[str]:
    """Each piece at its time since the call began: sleeps one after another would each end late, and add up."""
    began = time.monotonic()
    pieces = DELTAS if seconds else 1
    for number in range(pieces):
        await asyncio.sleep(began + seconds * (number + 1) / pieces - time.monotonic())
        yield event(delta(f"{number} "))
    yield END


async def written(reply: str, seconds: float) -> AsyncIterator[str]:
    lines = reply.splitlines(keepends=True)
    for line in lines:
        await asyncio.sleep(seconds / len(lines))
        yield event(delta(line))
    yield END


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


def event(value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


BLOCKS = re.compile(r"blocks:([A-Za-z0-9+/=]+)")
SCRIPT = re.compile(r"script:([A-Za-z0-9+/=]+)")
replied: Counter[str] = Counter()
END = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}) + "data: [DONE]\n\n"


class Isolated(StaticFiles):
    """Static files that a page with COEP may load."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update({"Cache-Control": "max-age=31536000", "Cross-Origin-Resource-Policy": "same-origin"})
        response.headers.update(ISOLATED)
        return response


def main() -> None:
    app = Starlette(
        routes=[
            Route("/", page),
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Mount("/pyodide", Isolated(directory=PYODIDE)),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])


if __name__ == "__main__":
    main()
