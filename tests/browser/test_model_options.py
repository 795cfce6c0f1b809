"""Model options: they go with each call of their kind, into the log, and into what a replay compares."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from rlm_core.events import CallStarted, RunStarted
from rlm_core.trajectory import read
from tests.browser.lab import code, run

REPLIES: list[str | None] = [code("a = llm_query('one'); b = llm_batch(['two', 'three'])"), code("FINAL(a)")]
CHOSEN = {
    "modelOptions": {"temperature": 0, "topP": 0.5, "maxOutputTokens": 900, "reasoningEffort": "low", "seed": 7},
    "subModelOptions": {"temperature": 1.5, "seed": None},
}
ROOT = {"temperature": 0, "top_p": 0.5, "max_output_tokens": 900, "reasoning_effort": "low", "seed": 7}
SUB = {"temperature": 1.5}


def of_posts(result: Any) -> list[Any]:
    return [post.get("options") for post in result["posts"]]


def test_options_go_with_the_calls_of_their_kind_and_into_the_log(shared_page: Page) -> None:
    result = run(shared_page, REPLIES, options=CHOSEN)
    assert result["answer"] == "sub:one", result
    assert of_posts(result) == [ROOT, SUB, SUB, ROOT]
    events = read(result["trajectory"].splitlines()).events
    assert [event.options for event in events if isinstance(event, CallStarted)] == [ROOT, SUB, SUB, SUB, ROOT]
    (started,) = [event for event in events if isinstance(event, RunStarted)]
    assert (started.model_options, started.sub_model_options) == (ROOT, SUB)


def test_without_options_none_are_sent_and_sub_calls_have_those_of_the_model(shared_page: Page) -> None:
    assert of_posts(run(shared_page, REPLIES)) == [None] * 4
    result = run(shared_page, REPLIES, options={"modelOptions": {"seed": 3}})
    assert of_posts(result) == [{"seed": 3}] * 4
    same = {"modelOptions": {"seed": 3}, "model": "openai:m", "subModel": "openai:m"}
    assert of_posts(run(shared_page, REPLIES, options=same)) == [{"seed": 3}] * 4


def test_another_sub_model_has_its_own_options_or_none(shared_page: Page) -> None:
    low = {"reasoning_effort": "low"}
    other = {"modelOptions": {"reasoningEffort": "low"}, "model": "openai:m", "subModel": "openai:small"}
    assert of_posts(run(shared_page, REPLIES, options=other)) == [low, None, None, low]
    chosen = {**other, "subModelOptions": {"seed": 1}}
    assert of_posts(run(shared_page, REPLIES, options=chosen))[1:3] == [{"seed": 1}] * 2


def test_a_replay_has_the_recorded_options_and_refuses_others(shared_page: Page) -> None:
    log = run(shared_page, REPLIES, options=CHOSEN)["trajectory"]
    again = run(shared_page, [], log={"replay": log})
    assert (again.get("error"), again["answer"]) == (None, "sub:one")
    same = run(shared_page, [], log={"replay": log}, options=CHOSEN)
    assert (same.get("error"), same["answer"]) == (None, "sub:one")
    other = run(shared_page, [], log={"replay": log}, options={"modelOptions": {"temperature": 1}})
    assert other["error"]["name"] == "ReplayError"
    assert 'the model options differ: recorded {"temperature":0,' in other["error"]["message"]


def test_a_fork_keeps_the_recorded_options_where_no_others_are_wanted(shared_page: Page) -> None:
    log = run(shared_page, REPLIES, options=CHOSEN)["trajectory"]
    fork = {"fork": {"log": log, "iteration": 2}}
    assert of_posts(run(shared_page, [code("FINAL(a)")], log=fork)) == [ROOT]
    assert of_posts(run(shared_page, [code("FINAL(a)")], log=fork, options={"modelOptions": {"seed": 1}})) == [
        {"seed": 1}
    ]


REFUSED = {
    "modelOptions must be an object": {"modelOptions": 7},
    "modelOptions.temperature must be a number from 0 to 2, not 3": {"modelOptions": {"temperature": 3}},
    "unknown option subModelOptions.top_p. Known are temperature, topP": {"subModelOptions": {"top_p": 1}},
    "modelOptions.maxOutputTokens must be a whole number of at least 1, not 0": {
        "modelOptions": {"maxOutputTokens": 0}
    },
    "modelOptions.reasoningEffort must be one of none, minimal": {"modelOptions": {"reasoningEffort": "LOW!"}},
    "modelOptions.seed must be a whole number, not 0.5": {"modelOptions": {"seed": 0.5}},
}


def test_an_impossible_option_is_refused_by_its_name(shared_page: Page) -> None:
    for message, options in REFUSED.items():
        refused = run(shared_page, [], options=options)["error"]
        assert (refused["name"], message in refused["message"]) == ("ConfigError", True), refused
