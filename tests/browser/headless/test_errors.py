"""Errors of BrowserRLM: impossible options, a log that is none, a browser or a server that is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError, RLMError
from rlm_server.headless import BlockingBrowserRLM, BrowserLost, BrowserRLM
from tests.browser.headless.driving import ENDLESS, elsewhere, elsewhere_raising
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel


def test_an_option_that_a_provider_has_not_is_refused_by_its_name(rlm: BlockingBrowserRLM) -> None:
    result = rlm.run("What?", model="builtin:extractive", model_options={"seed": 7})
    assert result.fault is not None
    assert (result.stopped_by, result.fault["type"]) == ("provider_error", "unknown-option")
    assert "has no option `seed`" in result.detail


@pytest.mark.parametrize("log", ["run.jsonl", Path("nowhere.jsonl"), 5])
def test_a_log_that_is_none_is_refused(rlm: BlockingBrowserRLM, log: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be a Path of a trajectory or its text|cannot be read"):
        rlm.replay(log)


def test_an_impossible_option_is_refused_by_name(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    question = model.question(code("FINAL(1)"))
    model.asked.clear()
    with pytest.raises(ConfigError, match="max_timeout must be a number of seconds above 0, not 0"):
        rlm.run(question, max_timeout=0)
    with pytest.raises(ConfigError, match="maxTimeout must"):
        rlm.run(question, maxTimeout=0)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="the question must be text"):
        rlm.run(" ")
    assert model.asked == []


def test_durations_are_seconds_and_javascripts_spelling_has_its_units(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    spellings: list[dict[str, Any]] = [
        {"max_timeout": 9.5, "compact_at": False},
        {"maxTimeout": 9500, "compactAt": False},
    ]
    for options in spellings:
        events: list[dict[str, Any]] = []
        rlm.run(model.question(code("FINAL(1)")), on_event=events.append, **options)
        assert (events[0]["limits"]["max_seconds"], events[0]["limits"]["compact_at"]) == (9.5, None)


@pytest.mark.parametrize("is_read", [True, False], ids=["events read", "no listener"])
def test_a_browser_that_is_lost_is_an_error_of_ours_with_what_there_was(model: ScriptedModel, is_read: bool) -> None:
    async def main() -> None:
        async with BrowserRLM(model.url, model="openai:m") as rlm:
            page = rlm._page
            assert page is not None
            run = rlm.start(model.question(code("answer['content'] = 'partly'\nprint(llm_query('sub'))"), ENDLESS))
            if is_read:
                async for event in run:
                    if event["type"] == "iteration_finished":
                        break
            while not any('"iteration_finished"' in line for line in run._live.lines):
                await asyncio.sleep(0.01)
            await page._page.context.browser.close()  # type: ignore[union-attr]
            with pytest.raises(BrowserLost, match="The browser was lost") as lost:
                await run
            assert lost.value.partial.answer == "partly"
            assert lost.value.partial.usage["openai:m"]["calls"] >= 2
            assert json.loads(lost.value.partial.trajectory.splitlines()[0])["type"] == "run_started"
            with pytest.raises(RLMError, match=r"The browser was lost|cannot be handed"):
                await rlm.run("Q?")

    elsewhere(lambda: asyncio.run(main()))


def test_a_server_that_is_not_there_is_an_error_of_ours(chromium: Path) -> None:
    async def main() -> None:
        with pytest.raises(RLMError, match="did not load"):
            async with BrowserRLM("http://127.0.0.1:1"):
                pass

    elsewhere(lambda: asyncio.run(main()))


def test_it_must_be_open() -> None:
    with pytest.raises(ConfigError, match="not open"):
        elsewhere_raising(lambda: asyncio.run(BrowserRLM("http://nowhere.invalid").run("What?")))
    with pytest.raises(ConfigError, match="not open"):
        BlockingBrowserRLM("http://nowhere.invalid").run("What?")
