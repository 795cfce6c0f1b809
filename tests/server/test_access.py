"""The access log: a JSON line for each request, and no word of a prompt."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from logging.handlers import QueueHandler
from queue import Queue

import httpx2
import pytest

from rlm_server.http.access import JsonLines
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, json_turn, openai_deltas, openai_reply

Lines = Queue[logging.LogRecord]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines as they are written; they may come after the client has its answer."""
    queue: Lines = Queue()
    logger, handler = logging.getLogger("rlm_server.access"), QueueHandler(queue)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield queue
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def next_line(lines: Lines) -> dict[str, object]:
    line = json.loads(lines.get(timeout=5).getMessage())
    assert isinstance(line, dict)
    return line


def test_a_line_has_ids_sizes_status_and_model_but_no_prompt(
    client: httpx2.Client, upstream: FakeUpstream, lines: Lines
) -> None:
    upstream.script(json_turn(openai_reply("private reply")))
    response = client.post("/api/rlm?private=1", json={"prompt": "private words", "model": "openai:m"})
    line = next_line(lines)
    assert "private" not in json.dumps(line)
    assert isinstance(line.pop("seconds"), float)
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "id": response.headers["x-request-id"],
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/api/rlm",
        "status": 200,
        "bytes_in": len(response.request.content),
        "bytes_out": len(response.content),
        "model": "openai:m",
        "calls": 1,
        "input_tokens": 7,
        "output_tokens": 2,
    }


def test_a_line_names_the_problem(client: httpx2.Client, upstream: FakeUpstream, lines: Lines) -> None:
    upstream.script(Turn(status=401))
    client.post("/api/rlm", json={"prompt": "q", "model": "openai:m"})
    client.get("/nothing")
    client.get("/", headers={"Host": "evil.example"})
    problems = [next_line(lines)["problem"] for _ in range(3)]
    assert problems == ["upstream-key-refused", "not-found", "host-refused"]


def test_a_stream_is_logged_when_it_is_over(client: httpx2.Client, upstream: FakeUpstream, lines: Lines) -> None:
    upstream.script(events_turn(*openai_deltas("a", "b")))
    response = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m", "stream": True})
    assert next_line(lines)["bytes_out"] == len(response.content)


def test_a_line_names_run_and_cost(client: httpx2.Client, upstream: FakeUpstream, lines: Lines) -> None:
    upstream.script(json_turn(openai_reply(usage={"cost": 0.25})))
    body = {"type": "batch", "prompts": ["a", "b"], "model": "openai:m"}
    client.post("/api/rlm", json=body, headers={"Idempotency-Key": "run-7/0"})
    line = next_line(lines)
    assert (line["run"], line["calls"], line["cost"]) == ("run-7", 2, 0.5)


def test_what_others_log_is_json_too() -> None:
    ours = logging.makeLogRecord({"msg": '{"time": "now"}'})
    theirs = logging.makeLogRecord({"msg": "Invalid\nrequest", "levelname": "WARNING", "name": "uvicorn.error"})
    assert JsonLines().format(ours) == '{"time": "now"}'
    line = json.loads(JsonLines().format(theirs))
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "uvicorn.error", "Invalid\nrequest")


def test_a_long_path_is_cut(client: httpx2.Client, lines: Lines) -> None:
    client.get("/" + "a" * 1000)
    assert len(str(next_line(lines)["path"])) == 200
