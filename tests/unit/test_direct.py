"""Direct: one call over the whole context, its quotes, its value, and the ways in which it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rlm_core.direct_reply import read_reply
from rlm_core.errors import ProviderError
from rlm_core.events import CallStarted, Event, RunStarted
from rlm_core.job import Job
from rlm_core.json_schema import Schema
from rlm_core.limits import Limits
from rlm_core.run import answer, run
from rlm_core.session import Session
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.types import Child, Json, Reply, RunResult, Shape

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
TOTAL: dict[str, Any] = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}


def shape(schema: dict[str, Any]) -> Shape:
    return Shape(schema, Schema(schema).differences)


def asked(context: object, *replies: Line, **options: Any) -> tuple[RunResult, ScriptedProvider, list[Event]]:
    events: list[Event] = []
    provider = ScriptedProvider(replies)
    result = run("Who?", context, provider=provider, emit=events.append, direct=True, **options)
    return result, provider, events


def test_tags_that_the_question_asks_for_are_part_of_the_answer() -> None:
    reply = "<think>hm</think><analysis>\nAda\n</analysis>\n<answer>Ada</answer>"
    result = run("Write <analysis> and <answer>.", "a", provider=ScriptedProvider([reply]), direct=True)
    assert result.answer == "<analysis>\nAda\n</analysis>\n<answer>Ada</answer>"


def test_one_call_over_the_whole_context_gives_answer_and_evidence() -> None:
    context = {"a.txt": "Ada\nsigned it.", "b.txt": "Bob paid."}
    reply = 'Ada signed [1] and Bob paid [2].\n\nEvidence:\n[1] "Ada signed it" (a.txt)\n[2] "Bob paid" (a.txt)'
    result, provider, events = asked(context, reply)
    [call] = provider.calls
    [message] = call.messages
    assert (call.kind, message.role) == ("root", "user")
    assert all(text in message.content for text in ('"a.txt"', "Ada\nsigned it.", "Bob paid.", "Question: Who?"))
    assert (result.answer, result.iterations, result.stopped_by) == (
        "Ada signed [1] and Bob paid [2].",
        1,
        "final_answer",
    )
    assert [(item.status, item.source, item.line) for item in result.evidence] == [
        ("found", "a.txt", 1),
        ("elsewhere", "b.txt", 1),
    ]
    assert [event.type for event in events] == [
        "run_started",
        "iteration_started",
        "call_started",
        "call_finished",
        "iteration_finished",
        "run_finished",
    ]
    assert [event.direct for event in events if isinstance(event, RunStarted)] == [True]


def test_a_quote_that_stands_nowhere_is_marked_and_costs_no_second_call() -> None:
    result, provider, _ = asked("Ada signed.", 'Ada.\n\nEvidence:\n- "Bob signed the whole lease" (context)')
    assert [item.status for item in result.evidence] == ["missing"]
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Ada.", ("Ada.", [])),
        ("Ada.\nEvidence: none", ("Ada.", [])),
        ('Ada [1].\n\n**Evidence:**\n1. "a b" (x.txt)', ("Ada [1].", [("a b", "x.txt")])),
        ("Ada [1].\n\n## Evidence\n- \u201ca b\u201d \u2014 x.txt", ("Ada [1].", [("a b", "x.txt")])),
        ('Ada [1].\n\nEvidence:\n[1] "a\nb" (x.txt)\n[2] "c"', ("Ada [1].", [("a\nb", "x.txt"), ("c", None)])),
        ('A [2]. B [4].\n\nEvidence:\n[2] "a b"\n[4] "c d"', ("A [1]. B [2].", [("a b", None), ("c d", None)])),
        ('A [1].\n\nEvidence:\n[1] "he said "no" twice" (x.txt)', ("A [1].", [('he said "no" twice', "x.txt")])),
        ("A.\n\nEvidence:\n[1] without marks", ("A.", [("without marks", None)])),
        ("The evidence: it says so. Ada.", ("The evidence: it says so. Ada.", [])),
        ("Evidence: the ledger says so.\nAda.", ("Evidence: the ledger says so.\nAda.", [])),
    ],
)  # fmt: skip
def test_quotes_are_read_in_the_forms_that_models_write(reply: str, expected: tuple[str, list[Any]]) -> None:
    text, quotes = read_reply(reply)
    assert (text, [(item["quote"], item["source"]) for item in quotes]) == expected


def test_a_long_reply_of_blanks_and_quotes_is_read_in_linear_time() -> None:
    text, quotes = read_reply("Ada.\n" + "\n" * 200_000 + "Evidence:\n" + '[1] "' + '" (' * 200_000)
    assert (text, len(quotes)) == ("Ada.", 1)


def test_a_value_that_does_not_fit_is_asked_for_once_more() -> None:
    result, provider, _ = asked("40 and 2", '{"total": "many"}', '```json\n{"total": 42}\n```', shape=shape(TOTAL))
    first, second = provider.calls
    assert (result.value, result.iterations, result.stopped_by) == ('{"total": 42}', 2, "final_answer")
    for call in (first, second):
        assert call.schema == json.dumps(TOTAL)
        assert call.messages[-1].content.endswith(call.schema)
    assert '{"total": "many"}' in second.messages[-1].content
    assert "$.total" in second.messages[-1].content
    result, _, _ = asked("40 and 2", '{"total": "many"}', '{"total": "more"}', shape=shape(TOTAL))
    assert (result.value, result.stopped_by, result.answer) == (None, "max_iterations", '{"total": "more"}')
    assert "asked 2 times" in result.detail


def test_a_value_whose_key_is_content_is_taken_as_it_is() -> None:
    schema = {"type": "object", "properties": {"content": {"type": "string"}}, "required": ["content"]}
    result, _, _ = asked("x", '{"content": "a"}', shape=shape(schema))
    assert result.value == '{"content": "a"}'


def test_a_schema_that_is_no_object_stands_in_the_prompt_alone() -> None:
    result, provider, _ = asked("x", "41", shape=Shape(True, lambda value: []))
    assert (provider.calls[0].schema, result.value) == (None, "41")
    assert provider.calls[0].messages[-1].content.endswith("true")


def test_a_context_that_is_larger_than_the_window_is_refused_before_anything_leaves(tmp_path: Path) -> None:
    file_of_text = tmp_path / "text.txt"
    file_of_text.write_text("x" * 4_001)
    for context in ("x" * 4_001, {"a": "x" * 2_000, "b": "y" * 2_001}, file_of_text):
        result, provider, _ = asked(context, limits=Limits(window_tokens=1_000))
        assert (provider.calls, result.iterations, result.stopped_by) == ([], 0, "provider_error")
        assert result.fault is not None
        assert result.fault.type == "request-too-large"
        assert "1,001 tokens (4,001 bytes" in result.detail
        assert "the window has 1,000" in result.detail


def test_pictures_and_pages_without_text_stand_beside_the_prompt(tmp_path: Path) -> None:
    picture, scan = tmp_path / "a.png", tmp_path / "scan.pdf"
    picture.write_bytes(PNG)
    scan.write_bytes(b"%PDF-1.7 ...")
    functions: dict[str, Callable[..., object]] = {
        "read": lambda file: "[page 1]\nThe cover.\n\n[page 2]\n\n[page 3]\nThe end.",
        "page_image": lambda file, page: PNG + bytes([page]),
    }
    provider = ScriptedProvider(["Seen."])
    job = Job(question="What?", context={"a.png": picture, "scan.pdf": scan}, functions=functions, direct=True)
    result = answer(job, provider=provider)
    [call] = provider.calls
    assert result.answer == "Seen."
    assert [(image.source, image.page, image.data[28:]) for image in call.images] == [
        ("a.png", None, b""),
        ("", 2, b"\x02"),
    ]
    assert "pages 2 of scan.pdf" in call.messages[0].content


def test_a_scan_is_drawn_and_one_of_too_many_pages_is_refused(tmp_path: Path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 ...")

    def no_text(file: object) -> str:
        raise ValueError("likely a scan")

    def of(pages: int) -> RunResult:
        def draw(file: object, page: int) -> bytes:
            if page > pages:
                raise ValueError("no such page")
            return PNG

        job = Job(question="What?", context=scan, functions={"read": no_text, "page_image": draw}, direct=True)
        provider = ScriptedProvider(["Seen."])
        result = answer(job, provider=provider)
        if provider.calls:
            assert len(provider.calls[0].images) == pages
        return result

    assert of(3).answer == "Seen."
    assert "21 pictures or more" in of(40).detail
    assert "likely a scan" in of(0).detail


def test_a_file_that_cannot_be_read_is_named_to_the_model_and_none_at_all_ends_the_run(tmp_path: Path) -> None:
    broken = tmp_path / "b.bin"
    broken.write_bytes(b"\0\1\2")
    result, provider, _ = asked({"a.txt": "Ada.", "b.bin": broken}, "Ada.")
    assert result.answer == "Ada."
    assert "b.bin is no text" in provider.calls[0].messages[0].content
    result, provider, _ = asked(broken, "Ada.")
    assert (provider.calls, result.stopped_by) == ([], "provider_error")
    assert "Nothing of the context can be read" in result.detail


@pytest.mark.parametrize(
    ("reply", "kind", "partial"),
    [
        (Reply("", finish_reason="stop"), "reply-empty", ""),
        (Reply("<think>hm</think>"), "reply-empty", ""),
        (Reply("", finish_reason="content_filter"), "reply-content-filter", ""),
        (Reply("Ada signed the", finish_reason="length"), "reply-length", "Ada signed the"),
        (ProviderError("down", type="upstream-failed"), "upstream-failed", ""),
    ],
)
def test_a_reply_that_is_no_answer_ends_the_run_with_its_reason(reply: Line, kind: str, partial: str) -> None:
    result, provider, _ = asked("Ada.", reply)
    assert result.fault is not None
    assert (len(provider.calls), result.fault.type, result.answer) == (1, kind, partial)


def test_a_json_context_is_shown_whole() -> None:
    _, provider, _ = asked([{"name": "Ada", "n": 1}], "Ada.")
    assert '[{"name": "Ada", "n": 1}]' in provider.calls[0].messages[0].content


def test_a_direct_question_of_a_session_has_the_earlier_ones_and_a_later_run_their_context() -> None:
    session = Session()
    provider = ScriptedProvider(["Ada.", "In May.", "```repl\nFINAL(context + str(len(history_0)))\n```"])
    for question, context, direct in (("Who?", "Ada, May.", True), ("When?", None, True), ("What?", None, False)):
        result = run(question, context, provider=provider, session=session, direct=direct)
    assert result.answer == "Ada, May.2"
    prompt = provider.calls[1].messages[0].content
    assert all(part in prompt for part in ("Ada, May.", "An earlier question was: Who?", "Its answer: Ada."))


def test_the_second_call_for_a_value_counts_in_the_limits() -> None:
    result, provider, _ = asked("x", "no", limits=Limits(max_input_tokens=1), shape=shape(TOTAL))
    assert (len(provider.calls), result.stopped_by, result.value) == (1, "max_input_tokens", None)
    result, provider, _ = asked("x", "no", limits=Limits(max_iterations=1), shape=shape(TOTAL))
    assert (len(provider.calls), result.stopped_by, result.value) == (1, "max_iterations", None)


def test_a_child_of_a_direct_run_would_be_a_plain_run() -> None:
    assert not Job(question="q", direct=True).child(Child("c"), 0).direct


def test_prompts_are_equal_each_time() -> None:
    def prompts() -> Sequence[Json]:
        _, _, events = asked({"b": "2", "a": "1"}, "x")
        return [message.content for event in events if isinstance(event, CallStarted) for message in event.messages]

    assert prompts() == prompts()
