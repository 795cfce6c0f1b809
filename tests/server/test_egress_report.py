"""The ledger's file."""

from __future__ import annotations

import json
from typing import Any

from rlm_server.headless.egress_report import EgressReport


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
        started(3, "sub") | {"ahead": "unused"},
        egress(3, 100),
    ]:
        account.take(event)
    told = json.loads(account.text())
    assert [entry["kind"] for entry in told.pop("entries")] == ["root", "sub", "sub", "sub"]
    assert told == {
        "to": ["http://127.0.0.1:8000"],
        "calls": 3,
        "denied": 1,
        "unused": 1,
        "bytes": 36,
        "chars": 30,
        "context": {"chars": 100, "size": 400, "share": 0.25},
    }


def test_a_run_from_which_nothing_left_has_a_ledger_too() -> None:
    assert json.loads(EgressReport().text())["context"] == {"chars": 0, "size": 0, "share": None}
