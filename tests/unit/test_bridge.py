"""bridge: the worker's Python half, on CPython, over a scripted line."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rlm_core import Message, ModelCall, ModelUsage, ProtocolError, ProviderError, Reply, protocol
from rlm_core.errors import ChannelError
from rlm_core.events import BlockFinished, BlockStarted, IterationStarted, Output
from rlm_core.protocol import CHUNK, ERROR, FRAME_ERROR, FRAME_OK, INTERRUPTED, LAST, TIMED_OUT, Frame, encode_frame
from rlm_core.types import FinishReason, Json, Observation

WORKER = Path(__file__).parents[2] / "worker" / "sandbox"
sys.path.insert(0, str(WORKER))
bridge = importlib.import_module("bridge")
bound_context = importlib.import_module("bound_context")

USAGE: Json = {"calls": 1, "input_tokens": 3, "output_tokens": 2}
START: dict[str, Json] = {
    "question": "What?",
    "model": None,
    "sub_model": None,
    "system_prompt": None,
    "limits": {},
    "tools": [],
}


class Data(bytes):
    def to_bytes(self) -> bytes:
        return bytes(self)


class ScriptedLine:
    """Answers requests with `parts`, (state, bytes) each, and keeps the messages to it."""

    def __init__(self, *parts: tuple[int, bytes]) -> None:
        self.parts = list(parts)
        self.requests: list[Any] = []
        self.data: tuple[bytes, ...] = ()
        self.sent: list[list[Any]] = []
        self.switches: list[bool] = []
        self.early: list[Any] = []
        self._bytes = b""

    def request(self, body: str, *data: bytes) -> int:
        self.requests.append(json.loads(body))
        self.data = data
        return self.next()

    def next(self) -> int:
        state, self._bytes = self.parts.pop(0)
        return state

    def take(self) -> Data:
        return Data(self._bytes)

    def text(self) -> str | None:
        try:
            return self._bytes.decode()
        except UnicodeDecodeError:
            return None

    def stop_reason(self) -> int:
        return 0

    def interruptible(self, on: bool) -> None:
        self.switches.append(on)

    def ahead(self, body: str, *data: bytes) -> None:
        self.early.append((json.loads(body), data))

    def emit(self, body: str) -> None:
        self.sent.append(json.loads(body))


def ok(index: int, text: str) -> bytes:
    return encode_frame(Frame(index, FRAME_OK, {"model": "m", "usage": USAGE}, text))


FACTS: dict[str, Json] = {"type": "upstream-rate-limited", "retryable": True, "status": 429, "upstream": "openai"}


def failed(index: int) -> bytes:
    meta: dict[str, Json] = {"title": "ProviderError", "detail": "no", **FACTS}
    return encode_frame(Frame(index, FRAME_ERROR, meta, ""))


def calls(count: int) -> list[ModelCall]:
    return [ModelCall((Message("user", f"p{number}"),), "m:x", "sub") for number in range(count)]


def complete(line: ScriptedLine, count: int) -> Sequence[Reply | ProviderError]:
    outcomes: Sequence[Reply | ProviderError] = bridge.BridgeProvider(line, lambda: None).complete(calls(count))
    return outcomes


def test_replies_come_in_the_order_of_the_calls() -> None:
    line = ScriptedLine((LAST, ok(1, "B") + failed(2) + ok(0, "A")))
    first, second, third = complete(line, 3)
    assert (first, second) == (Reply("A", "m", ModelUsage(1, 3, 2)), Reply("B", "m", ModelUsage(1, 3, 2)))
    assert isinstance(third, ProviderError)
    assert (str(third), vars(third)) == ("no", FACTS)
    assert line.requests[0]["calls"][1] == {"model": "m:x", "messages": [{"role": "user", "content": "p1"}]}


def test_the_schema_of_a_call_travels_with_it() -> None:
    line = ScriptedLine((LAST, ok(0, "{}")))
    call = ModelCall((Message("user", "p {}"),), "m:x", "sub", "{}")
    bridge.BridgeProvider(line, lambda: None).complete([call])
    assert line.requests[0]["calls"][0]["schema"] == "{}"


def test_a_root_call_sends_the_messages_that_the_last_one_did_not_have() -> None:
    line = ScriptedLine(*[(LAST, ok(0, "A"))] * 3)
    provider = bridge.BridgeProvider(line, lambda: None)
    first, second, third = (Message("user", text) for text in ("one", "two", "three"))
    for messages in ((first,), (first, second, third), (first, third)):
        provider.complete([ModelCall(messages, None, "root")])
    assert [(request.get("kept"), texts_of(request)) for request in line.requests] == [
        (None, ["one"]),
        (1, ["two", "three"]),
        (1, ["three"]),
    ]


def test_after_a_root_call_that_failed_all_messages_are_sent() -> None:
    fault = json.dumps({"title": "ProviderError", "detail": "no", **FACTS}).encode()
    line = ScriptedLine((LAST, ok(0, "A")), (ERROR, fault), (LAST, ok(0, "A")))
    provider = bridge.BridgeProvider(line, lambda: None)
    first, second = Message("user", "one"), Message("user", "two")
    for messages in ((first,), (first, second), (first, second)):
        provider.complete([ModelCall(messages, None, "root")])
    assert [texts_of(request) for request in line.requests] == [["one"], ["two"], ["one", "two"]]


def texts_of(request: Any) -> list[str]:
    return [message["content"] for message in request["calls"][0]["messages"]]


def test_chunks_may_be_cut_anywhere() -> None:
    data = ok(0, "naïve 🦊")
    line = ScriptedLine(*[(CHUNK, data[at : at + 1]) for at in range(len(data))], (LAST, b""))
    assert complete(line, 1)[0] == Reply("naïve 🦊", "m", ModelUsage(1, 3, 2))


def test_a_failed_request_fails_each_of_its_calls() -> None:
    facts = {"type": "unknown", "retryable": False, "status": None, "upstream": None}
    error = {"title": "Error", "detail": "broken", **facts}
    outcomes = complete(ScriptedLine((ERROR, json.dumps(error).encode())), 2)
    assert [str(outcome) for outcome in outcomes if isinstance(outcome, ProviderError)] == ["broken", "broken"]


@pytest.mark.parametrize(("state", "raised"), [(INTERRUPTED, KeyboardInterrupt), (TIMED_OUT, ChannelError)])
def test_a_wait_that_ends_without_a_reply_raises(state: int, raised: type[BaseException]) -> None:
    with pytest.raises(raised):
        complete(ScriptedLine((state, b"")), 1)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_reply_that_is_no_utf_8_is_a_fault_of_ours(parts: int) -> None:
    data = ok(0, "a")[:-1] + b"\xff"
    line = ScriptedLine(*[(CHUNK, data[:5]), (LAST, data[5:])] if parts == 2 else [(LAST, data)])
    with pytest.raises(ProtocolError, match="reply is not UTF-8"):
        complete(line, 1)


@pytest.mark.parametrize("reply", [ok(0, "a"), ok(0, "a") * 2, ok(0, "a") + ok(7, "b")])
def test_a_reply_with_missing_or_foreign_frames_is_a_fault_of_ours(reply: bytes) -> None:
    with pytest.raises(ProtocolError):
        complete(ScriptedLine((LAST, reply)), 2)


def test_a_request_above_the_limit_fails_before_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_MESSAGE_CHARS", 50)
    line = ScriptedLine()
    (outcome,) = complete(line, 1)
    assert isinstance(outcome, ProviderError)
    assert (outcome.status, line.requests) == (413, [])


def test_long_texts_go_beside_their_request_and_count_in_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    long, broken = "\ufeffé" * 2_500, "\ud800" * 5_000
    texts = ("short", long, broken)
    asked = [ModelCall((Message("user", text),), "m:x", "sub") for text in texts]
    line = ScriptedLine((LAST, ok(0, "A") + ok(1, "B") + ok(2, "C")))
    bridge.BridgeProvider(line, lambda: None).complete(asked)
    (request,) = line.requests
    assert [call["messages"][0]["content"] for call in request["calls"]] == ["short", None, broken]
    assert (request["texts"], line.data) == (1, (long.encode(),))
    monkeypatch.setattr(protocol, "MAX_MESSAGE_CHARS", 10_000)
    (outcome,) = bridge.BridgeProvider(ScriptedLine(), lambda: None).complete(asked[1:2])
    assert isinstance(outcome, ProviderError)
    assert outcome.status == 413


def test_no_calls_are_not_sent() -> None:
    assert complete(ScriptedLine(), 0) == []


def outbox(line: ScriptedLine, *times: float) -> Any:
    clock = iter([0.0, *times])
    return bridge.Outbox(line, clock=lambda: next(clock))


def output(text: str) -> Output:
    return Output(iteration=1, block=0, text=text)


def texts(line: ScriptedLine) -> list[list[str]]:
    return [[event.get("text", event["type"]) for event in sent] for sent in line.sent]


def test_the_first_lines_leave_at_once_and_the_rest_is_joined() -> None:
    line = ScriptedLine()
    box = outbox(line, *[0.0] * 100)
    for number in range(100):
        box.emit(output(f"{number}\n"))
    assert len(line.sent) == protocol.OUTPUT_BURST
    box.emit(IterationStarted(iteration=2))
    joined = "".join(f"{number}\n" for number in range(protocol.OUTPUT_BURST, 100))
    assert texts(line)[-1] == [joined, "iteration_started"]


def test_output_in_pieces_waits_for_the_end_of_its_line() -> None:
    line = ScriptedLine()
    box = outbox(line, 0.0, 0.0, 0.0)
    for piece in ("a", " ", "b\n"):
        box.emit(output(piece))
    assert texts(line) == [["a b\n"]]


def test_output_after_a_while_leaves_at_once() -> None:
    line = ScriptedLine()
    outbox(line, 1.0).emit(output("no line's end"))
    assert texts(line) == [["no line's end"]]


def test_a_great_text_leaves_at_once() -> None:
    line = ScriptedLine()
    outbox(line, 0.0).emit(output("x" * protocol.OUTPUT_CHARS))
    assert len(line.sent) == 1


def test_held_output_is_sent_before_a_wait() -> None:
    line = ScriptedLine((LAST, ok(0, "A")))
    box = outbox(line, 0.0)
    box.emit(output("held"))
    bridge.BridgeProvider(line, box.flush).complete(calls(1))
    assert texts(line) == [["held"]]


def test_only_blocks_can_be_interrupted() -> None:
    line = ScriptedLine()
    box = outbox(line)
    box.emit(BlockStarted(iteration=1, block=0, code="x"))
    box.emit(BlockFinished(iteration=1, block=0, observation=Observation()))
    assert line.switches == [True, False]


def test_a_job_runs_to_its_result() -> None:
    line = ScriptedLine((LAST, ok(0, "```repl\nFINAL(len(context))\n```")))
    result = json.loads(bridge.run(json.dumps(START), [("context", "text", Data(b"four"))], line))
    assert (result["answer"], result["stopped_by"], result["iterations"]) == ("4", "final_answer", 1)
    assert [event["type"] for sent in line.sent for event in sent][-1] == "run_finished"


def test_an_interrupted_root_call_is_a_cancelled_run() -> None:
    result = json.loads(bridge.run(json.dumps(START), [], ScriptedLine((INTERRUPTED, b""))))
    assert result["stopped_by"] == "cancelled"


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [("text", "naïve".encode(), "naïve"), ("json", b'{"a": [1]}', {"a": [1]}), ("bytes", b"\xff", b"\xff")],
)
def test_a_context_is_decoded_by_its_type(kind: str, data: bytes, value: object) -> None:
    assert bound_context.bound([("context", kind, Data(data))])[0] == value


def test_files_are_text_where_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_context, "CONTEXT_FOLDER", tmp_path)
    (tmp_path / "a.txt").write_text("naïve", encoding="utf-8")
    (tmp_path / "b.bin").write_bytes(b"\xff\x00\x01")
    assert bound_context.bound([])[0] is None
    assert bound_context.bound([("a.txt", "file", None)])[0] == "naïve"
    assert bound_context.bound([("b.bin", "file", None)])[0] == tmp_path / "b.bin"
    both = bound_context.bound([("a.txt", "file", None), ("b.bin", "file", None)])[0]
    assert both == {"a.txt": "naïve", "b.bin": tmp_path / "b.bin"}


def test_a_document_is_no_text_although_all_of_it_is_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_context, "CONTEXT_FOLDER", tmp_path)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 plain")
    assert bound_context.bound([("a.pdf", "file", None)])[0] == tmp_path / "a.pdf"


def test_each_text_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_context, "CONTEXT_FOLDER", tmp_path)
    names = [f"{number}.txt" for number in range(50)]
    for name in names:
        (tmp_path / name).write_text(f"words of {name}\n" * 1_000)
    opened: list[str] = []
    usual = Path.open

    def counting(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path.name)
        return usual(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", counting)
    monkeypatch.setattr(bound_context.Source, "open", lambda source: counting(source.path, "rb"))
    context = bound_context.bound([(name, "file", None) for name in names])[0]
    assert sorted(opened) == sorted(names)
    assert context["7.txt"] == "words of 7.txt\n" * 1_000


def test_of_very_many_files_none_is_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_context, "CONTEXT_FOLDER", tmp_path)
    monkeypatch.setattr(bound_context, "MAX_TEXT_FILES", 1)
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    contexts = [(name, "file", None) for name in ("a", "b")]
    assert bound_context.bound(contexts)[0] == {"a": tmp_path / "a", "b": tmp_path / "b"}


def test_each_file_has_a_fingerprint_by_its_own_name_up_to_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bound_context, "CONTEXT_FOLDER", tmp_path)
    contexts = [("a.txt", "file", None), ("b.bin", "file", None), ("c", "mounted", None)]
    (tmp_path / "a.txt").write_text("naïve")
    (tmp_path / "b.bin").write_bytes(b"\xff")

    def facts() -> list[tuple[Any, Any, Any]]:
        found = bound_context.fingerprints(contexts, bound_context.bound(contexts)[0])
        return [(one["name"], one["type"], one["size"]) for one in found]

    assert facts() == [("a.txt", "str", 5), ("b.bin", "file", 1)]
    monkeypatch.setattr(bound_context, "MAX_NAMED_FILES", 1)
    assert facts() == [("2 files", "dict", 2)]
    assert bound_context.fingerprints([], None) == ()


def test_files_share_the_room_for_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_context, "CONTEXT_FOLDER", tmp_path)
    monkeypatch.setattr(protocol, "MAX_TEXT_FILE_BYTES", 5)
    for name in ("a", "b"):
        (tmp_path / name).write_text("four")
    assert bound_context.bound([("a", "file", None), ("b", "file", None)])[0] == {"a": "four", "b": tmp_path / "b"}


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls", None])
def test_the_reason_why_a_reply_ended_reaches_the_core(reason: FinishReason | None) -> None:
    meta: dict[str, Any] = {"model": "m", "usage": USAGE, "finish_reason": reason}
    line = ScriptedLine((LAST, encode_frame(Frame(0, FRAME_OK, meta, "x"))))
    assert complete(line, 1)[0] == Reply("x", "m", ModelUsage(1, 3, 2), reason)


def piece(at: int, text: str) -> tuple[int, bytes]:
    return protocol.PIECE, json.dumps({"at": at, "text": text}).encode()


def test_pieces_of_a_reply_send_its_sub_calls_ahead() -> None:
    code = "llm_query('short')\nllm_query('x' * 5_000)\nFINAL('done')\n"
    reply = f"```repl\n{code}```\n"
    line = ScriptedLine(
        piece(0, reply[:20]),
        piece(20, reply[20:]),
        (CHUNK, ok(0, reply)[:30]),
        (LAST, ok(0, reply)[30:]),
        (LAST, ok(0, "one")),
        (LAST, ok(0, "two")),
    )
    result = json.loads(bridge.run(json.dumps(START), [], line))
    assert (result["answer"], result["stopped_by"]) == ("done", "final_answer")
    (first, no_data), (second, data) = line.early
    assert (first, no_data) == (line.requests[1], ())
    assert (second, data) == (line.requests[2], (b"x" * 5_000,))


def test_pieces_that_begin_in_the_middle_of_a_reply_are_passed_over() -> None:
    line = ScriptedLine(piece(9, "```repl\nllm_query('a')\nFINAL('b')\n"), (LAST, ok(0, "```repl\nFINAL('b')\n```")))
    assert json.loads(bridge.run(json.dumps(START), [], line))["answer"] == "b"
    assert line.early == []


def test_arguments_and_result_of_a_function_cross_as_json_text() -> None:
    line = ScriptedLine((LAST, b'{"10": 9007199254740993, "2": 1.0}'))
    result = bridge.BridgeProvider(line, lambda: None).tool("f")(9007199254740993, n={"10": 1.0, "2": -0.0})
    assert repr(result) == "{'10': 9007199254740993, '2': 1.0}"
    (request,) = line.requests
    assert (request["op"], request["name"]) == ("tool", "f")
    assert request["arguments"] == '{"args": [9007199254740993], "kwargs": {"n": {"10": 1.0, "2": -0.0}}}'


def test_values_of_tools_are_parsed_from_their_json_text() -> None:
    exact = '{"10": 9007199254740993, "2": [1.0, -0.0]}'
    tools = [{"name": "value", "description": "", "json": exact, "function": False}]
    (tool,) = bridge._tools(tools, bridge.BridgeProvider(ScriptedLine(), lambda: None))
    assert repr(tool.value) == "{'10': 9007199254740993, '2': [1.0, -0.0]}"


@pytest.mark.parametrize(("reason", "raised"), [(0, "KeyboardInterrupt"), (1, "RunStopped"), (2, "BlockTimedOut")])
def test_only_the_hosts_interrupt_is_a_stop(reason: int, raised: str) -> None:
    class Interrupted(ScriptedLine):
        def stop_reason(self) -> int:
            return reason

    with pytest.raises(KeyboardInterrupt) as caught:
        bridge.signalled(Interrupted(), 9.0)
    assert type(caught.value).__name__ == raised


def test_a_value_is_compared_with_the_schema_by_the_host_and_evidence_crosses_with_it() -> None:
    final = "```repl\nFINAL({'total': %s}, evidence=['of the harbour'])\n```"
    line = ScriptedLine(
        (LAST, ok(0, final % "'x'")),
        (LAST, b'["$.total: it is no number"]'),
        (LAST, ok(0, final % "3")),
        (LAST, b"[]"),
    )
    job = json.dumps({**START, "schema": {"type": "object"}})
    result = json.loads(bridge.run(job, [("a.txt", "text", Data(b"The keys\nof the harbour."))], line))
    assert result["value"] == '{"total": 3}'
    assert [{**item, "quote": ""} for item in result["evidence"]] == [
        {
            "quote": "", "source": "a.txt", "status": "found", "start": 9, "end": 23, "byte_start": 9, "byte_end": 23,
            "line": 2, "page": None, "sheet": None, "difference": None, "checked_by": "worker",
        }
    ]  # fmt: skip
    assert [request["op"] for request in line.requests] == ["complete", "shape", "complete", "shape"]
    assert json.loads(line.requests[1]["value"]) == {"total": "x"}
    assert "$.total: it is no number" in line.requests[2]["calls"][0]["messages"][-1]["content"]
