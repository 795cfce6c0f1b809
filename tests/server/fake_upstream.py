"""A vendor's API on loopback, scripted: requests are recorded, answers are up to the test.

It speaks plain sockets, so that it can also hang, cut a reply off, or send what is no HTTP at all.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class Turn:
    """An answer.

    Attributes:
        raw: sent instead of everything else.
        chunks: sent one by one; without `cut` a Content-Length says that they are all.
        cut: close the connection in the middle of a body that is promised to be longer.
        hang: after the chunks, wait until the client goes away.
        silent: send nothing at all and wait until the client goes away.
        slow_end: the end of a body of chunked coding comes later than the body.
        seconds: time before the answer begins.
        held: send the second half of the chunks only when the test releases them.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[bytes] = ()
    cut: bool = False
    hang: bool = False
    silent: bool = False
    held: bool = False
    seconds: float = 0.0
    slow_end: bool = False
    raw: bytes | None = None


Answerer = Callable[[Seen], Turn]


class FakeUpstream:
    """The server; `url` is where it listens."""

    loop: asyncio.AbstractEventLoop  # since the first connection

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.connections = 0
        self.answer: Answerer = lambda seen: Turn(status=500)
        self.arrived = threading.Semaphore(0)
        self.abandoned = threading.Semaphore(0)
        self.released = asyncio.Event()
        self.in_flight = 0
        self.most_in_flight = 0

    def script(self, *turns: Turn) -> None:
        """Answer with `turns` in order; the last one repeats."""
        waiting = list(turns)
        self.answer = lambda seen: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def release(self) -> None:
        """Let all held turns go on, now and later."""
        self.loop.call_soon_threadsafe(self.released.set)

    def reset(self) -> None:
        """Forget everything."""
        url = self.url
        self.__init__()  # type: ignore[misc]
        self.url = url

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.loop = asyncio.get_running_loop()
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        seen = await _read_request(reader)
        self.seen.append(seen)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.arrived.release()
        try:
            return await self._send(self.answer(seen), reader, writer)
        except ConnectionError:  # a client that leaves with bytes unread resets the connection
            self.abandoned.release()
            raise
        finally:
            self.in_flight -= 1

    async def _send(self, turn: Turn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if turn.seconds:
            await asyncio.sleep(turn.seconds)
        if turn.raw is not None:
            writer.write(turn.raw)
            return False
        if not turn.silent:
            writer.write(_head(turn))
            for number, chunk in enumerate(turn.chunks):
                if turn.held and number == len(turn.chunks) // 2:
                    await self.released.wait()
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if turn.slow_end else chunk)
                await writer.drain()
                await asyncio.sleep(0)
        if turn.slow_end:
            await asyncio.sleep(0.01)
            writer.write(b"0\r\n\r\n")
        if turn.hang or turn.silent:
            await reader.read(1)
            self.abandoned.release()
            return False
        return not turn.cut


def _head(turn: Turn) -> bytes:
    length = sum(map(len, turn.chunks)) + (1000 if turn.cut or turn.hang else 0)
    framing = {"Transfer-Encoding": "chunked"} if turn.slow_end else {"Content-Length": str(length)}
    headers = {"Content-Type": "application/json", **framing, **turn.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {turn.status} X\r\n{lines}\r\n".encode("latin-1")


async def _read_request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, body)


@contextmanager
def fake_upstream() -> Iterator[FakeUpstream]:
    """Run one in a thread of its own."""
    fake = FakeUpstream()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.start_server(fake.serve, "127.0.0.1", 0, backlog=1024)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result()
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    exchanges = asyncio.all_tasks() - {asyncio.current_task()}
    for exchange in exchanges:
        exchange.cancel()
    await asyncio.gather(*exchanges, return_exceptions=True)


def json_turn(value: object, **more: object) -> Turn:
    """A JSON reply."""
    return Turn(chunks=(json.dumps(value).encode(),), **more)  # type: ignore[arg-type]


def events_turn(*events: object, **more: object) -> Turn:
    """A stream of server-sent events; a string is sent as it is, anything else as JSON."""
    chunks = tuple(
        b"data: " + (event if isinstance(event, str) else json.dumps(event)).encode() + b"\n\n" for event in events
    )
    return Turn(headers={"Content-Type": "text/event-stream"}, chunks=chunks, **more)  # type: ignore[arg-type]


def openai_reply(text: object = "Paris", **more: object) -> dict[str, object]:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 2}, **more}


def reply_turn(text: str = "Paris", *, held: bool = False, **more: object) -> Turn:
    """A whole chat completion."""
    return json_turn(openai_reply(text, **more), held=held)


def openai_turn(seen: Seen, *texts: str, **more: Any) -> Turn:
    """A chat completion, in events where `seen` asks for them."""
    if seen.json().get("stream"):
        return events_turn(*openai_deltas(*texts, **more))
    return reply_turn("".join(texts), **more)


def streamed_turn(provider: str, *texts: str, held: bool = False) -> Turn:
    """A reply in the events of a provider's dialect."""
    return events_turn(*(anthropic_deltas(*texts) if provider == "anthropic" else openai_deltas(*texts)), held=held)


def usage_of_all(seen: Seen) -> dict[str, int]:
    """Usage of a completion for which the whole prompt was read."""
    return {"prompt_tokens": len(seen.body), "completion_tokens": 2}


def openai_deltas(*texts: str, usage: object = None) -> list[object]:
    """The events of a streamed chat completion."""
    deltas: list[object] = [{"choices": [{"delta": {"content": text}, "finish_reason": None}]} for text in texts]
    last = {"choices": [], "usage": usage or {"prompt_tokens": 7, "completion_tokens": 2}}
    return [*deltas, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, last, "[DONE]"]


def anthropic_reply(text: object = "Paris", **more: object) -> dict[str, object]:
    """A message."""
    usage = {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 3}
    content = [{"type": "text", "text": text}]
    return {"type": "message", "content": content, "stop_reason": "end_turn", "usage": usage, **more}


def anthropic_deltas(*texts: str) -> list[object]:
    """The events of a streamed message."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 1}}}
    deltas = [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}} for text in texts]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    return [start, {"type": "ping"}, *deltas, end, {"type": "message_stop"}]


def usage_of(calls: int, input_tokens: int, output_tokens: int, **known: float) -> dict[str, object]:
    """The usage in a reply of the server, with the `known` fields besides."""
    counts = {"calls": calls, "input_tokens": input_tokens, "output_tokens": output_tokens}
    return {**counts, "cached_tokens": 0, "cost": None, **known}
