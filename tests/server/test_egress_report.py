"""The ledger's file, and the question on the terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlm_server.headless.egress_report import EgressReport, question


def started(call: int, kind: str) -> dict[str, Any]:
    return {"type": "call_started", "call": call, "kind": kind}


def egress(call: int, left: int, denied: str | None = None) -> dict[str, Any]:
    sizes = {"chars": 10, "bytes": 12, "left_chars": left, "context_size": 400, "spans": []}
    return {"type": "egress", "call": call, "to": "http://127.0.0.1:8000", **sizes, "denied": denied}


def test_what_left_is_added_up_and_what_was_denied_is_not() -> None:
    account = EgressReport()
    for event in [
        started(0, "root"),
        egress(0, 50),
        started(1, "sub"),
        {"type": "notice", "text": "x"},
        egress(1, 100),
        started(2, "sub"),
        egress(2, 100, "no"),
    ]:
        account.take(event)
    told = json.loads(account.text())
    assert [entry["kind"] for entry in told.pop("entries")] == ["root", "sub", "sub"]
    assert told == {
        "to": ["http://127.0.0.1:8000"],
        "calls": 2,
        "denied": 1,
        "bytes": 24,
        "chars": 20,
        "context": {"chars": 100, "size": 400, "share": 0.25},
    }


def test_a_run_from_which_nothing_left_has_a_ledger_too() -> None:
    assert json.loads(EgressReport().text())["context"] == {"chars": 0, "size": 0, "share": None}


REQUEST = {
    "kind": "sub",
    "to": "http://127.0.0.1:8000 → m",
    "models": ["m"],
    "prompts": 7,
    "chars": 12_345,
    "tokens": 3_087,
    "price": None,
    "contextChars": {"added": 1_000, "left": 20, "of": 4_000},
    "texts": ["short\x1b[31m\nred", *["x" * 1_000] * 6],
}


@pytest.mark.parametrize(("price", "told"), [(None, "price unknown"), (0.01234, "price about 0.0123 USD")])
def test_the_question_shows_the_numbers_and_the_texts(price: float | None, told: str) -> None:
    text = question(REQUEST | {"price": price})
    assert "To http://127.0.0.1:8000 → m: sub-calls, 7 prompts, 12,345 characters" in text
    assert told in text
    assert "1,000 characters would leave for the first time; 20 of 4,000 have left" in text
    assert "  | short\\x1b[31m\\nred\n" in text, "a prompt cannot write to the terminal as it likes"
    assert f"  | ... {'x' * 400}\n" in text
    assert "... and 2 more prompts" in text
    assert text.endswith("Send? [y/N] ")
