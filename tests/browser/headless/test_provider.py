"""A provider of the Python process: limits, ledger, gate, log, replay, retries and stop hold; no server is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rlm_core import ConfigError, ProviderError
from rlm_server.headless import BlockingBrowserRLM, BrowserRLM, ProviderCall
from rlm_server.headless.page import Page
from tests.browser.headless.driving import driven
from tests.browser.lab import FINISH, code
from tests.browser.scripted_model import ScriptedModel

ASK = code("print(llm_query('one ' + context)); print(llm_batch(['two', 'three']))")
CONTEXT = "The lease of the mill was signed by Mara Lindqvist on 3 May 1931."


class Script:
    """A blocking provider.

    Attributes:
        asked: text of each sub-call.
    """

    label = "a script"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, call: ProviderCall) -> dict[str, Any]:
        text = self.reply(call.messages)
        call.on_delta(text[:5])
        call.on_delta(text[5:])
        return {"text": text, "usage": {"input_tokens": 10, "output_tokens": 5, "cost": 1}}

    def reply(self, messages: list[dict[str, str]]) -> str:
        if messages[0]["role"] == "system":
            return FINISH if any(message["role"] == "assistant" for message in messages) else ASK
        self.asked.append(messages[0]["content"])
        return f"sub:{messages[0]['content']}"


def test_a_function_of_this_process_answers_in_place_of_the_server(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    script, events, before = Script(), list[dict[str, Any]](), list(model.asked)
    arguments: dict[str, Any] = {"context": CONTEXT, "provider": script, "model": "m"}
    plain = rlm.run("What?", on_event=events.append, **arguments)
    assert (plain.answer, plain.stopped_by, plain.iterations) == ("done", "final_answer", 2)
    assert (plain.usage["m"]["calls"], plain.usage["m"]["input_tokens"], plain.usage["m"]["cost"]) == (5, 50, 5)
    assert sorted(script.asked) == sorted([f"one {CONTEXT}", "two", "three"])
    written = "".join(event["text"] for event in events if event["type"] == "reply_written" and event["path"] == [])
    assert written.startswith(ASK)
    [destination] = plain.egress["destinations"]
    assert ("a script" in destination["to"], destination["calls"]) == (True, 5)
    assert rlm.replay(plain.trajectory, context=CONTEXT, provider=script, model="m").answer == "done"
    assert len(script.asked) == 3
    limited = rlm.run("What?", max_cost=1.5, **arguments)
    assert limited.stopped_by == "max_cost"
    denied = rlm.run(
        "What?", on_egress=lambda call: {"deny": "not this"} if call["kind"] == "sub" else "allow", **arguments
    )
    assert "not this" in denied.trajectory
    assert len(script.asked) < 9
    assert model.asked == before


def test_errors_are_the_calls_own_and_those_that_may_pass_are_retried(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    faults, before = [ProviderError("slow down", type="rate-limited", retryable=True)], list(model.asked)

    async def failing_once(call: ProviderCall) -> str:
        if faults:
            raise faults.pop()
        return FINISH

    def out_of_order(call: ProviderCall) -> str:
        raise OSError("out of order")

    assert rlm.run("What?", provider=failing_once).answer == "done"
    failed = rlm.run("What?", provider=out_of_order)
    assert (failed.stopped_by, failed.fault["type"] if failed.fault else "") == ("provider_error", "provider-failed")
    assert "out of order" in failed.detail
    malformed = rlm.run("What?", provider=lambda call: {"text": 5})
    assert "the text of its reply is number" in malformed.detail
    assert model.asked == before


def test_a_stop_cancels_the_call_and_a_session_has_its_provider(rlm: BlockingBrowserRLM) -> None:
    async def use(browser: BrowserRLM) -> None:
        asked, cancelled = asyncio.Event(), asyncio.Event()

        async def endless(call: ProviderCall) -> str:
            asked.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return ""

        run = browser.start("What?", provider=endless)
        await asyncio.wait_for(asked.wait(), 60)
        await run.stop()
        assert (await run).stopped_by == "cancelled"
        await asyncio.wait_for(cancelled.wait(), 10)
        script = Script()
        async with browser.session(provider=script, model="m") as session:
            assert (await session.run("What?", context=CONTEXT)).answer == "done"
            assert (await session.run("And what?")).answer == "done"
        assert len(script.asked) == 6

    driven(rlm, use)


def test_a_server_that_is_older_than_this_program_is_named(
    rlm: BlockingBrowserRLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Page._evaluate

    async def of_older_server(self: Page, function: str, argument: object) -> Any:
        return None if "takesProvider" in function else await evaluate(self, function, argument)

    monkeypatch.setattr(Page, "_evaluate", of_older_server)
    with pytest.raises(ConfigError, match="provider is not known to the server at url"):
        rlm.run("What?", provider=Script())
