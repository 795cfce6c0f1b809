"""A hostile document gets nothing out, hangs nothing, and spoils nothing but its own run.

Every snippet is run as model code: a scripted upstream, the real server, the real page, the real worker. Snippets that
may end their run get one each; the others of a kind share one. `pytest tests/browser/attacks -k network` runs a kind.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser

from rlm_server.headless.visible_text import visible

from . import (
    snippets_files,
    snippets_kill,
    snippets_loop,
    snippets_network,
    snippets_page,
    snippets_poison,
    snippets_prompts,
    snippets_readers,
    snippets_resources,
    snippets_storage,
)
from .arena import CONTEXT, TEXT_CONTEXT, Arena, Outcome, attacked_server, leaked, open_arena
from .canary import Canary, canaries
from .control import Control, open_control
from .main_thread import busy_ms
from .snippet import Snippet, fenced

ALL: tuple[Snippet, ...] = (
    *snippets_network.SNIPPETS,
    *snippets_storage.SNIPPETS,
    *snippets_page.SNIPPETS,
    *snippets_loop.SNIPPETS,
    *snippets_kill.SNIPPETS,
    *snippets_resources.SNIPPETS,
    *snippets_files.SNIPPETS,
    *snippets_prompts.SNIPPETS,
    *snippets_readers.SNIPPETS,
    *snippets_poison.SNIPPETS,
)
TOGETHER = [snippet for snippet in ALL if not snippet.alone]
ALONE = [snippet for snippet in ALL if snippet.alone]
CONTROLS = [snippet for snippet in ALL if snippet.control]
LEAST = 120
GRACE_SECONDS = 10.0
BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def names(snippets: list[Snippet]) -> list[Any]:
    return [pytest.param(each, id=f"{each.kind}: {each.name}") for each in snippets]


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with canaries() as running:
        yield running


@pytest.fixture(scope="module")
def arena(browser: Browser, canary: Canary) -> Iterator[Arena]:
    context = browser.new_context()
    with attacked_server() as (url, upstream):
        yield open_arena(context, url, upstream, canary)
    context.close()


@pytest.fixture(scope="module")
def control(browser: Browser, canary: Canary) -> Iterator[Control]:
    with open_control(browser, canary) as opened:
        yield opened


class Together:
    """Outcomes of `snippets` that share a run: one for each group of a kind, made when its first outcome is wanted."""

    def __init__(self, arena: Arena, snippets: Sequence[Snippet]) -> None:
        self._arena = arena
        self._snippets = snippets
        self._runs: dict[tuple[str, str], dict[str, Outcome]] = {}

    def __getitem__(self, snippet: Snippet) -> Outcome:
        run = snippet.kind, snippet.group
        if run not in self._runs:
            self._runs[run] = self._run([each for each in self._snippets if (each.kind, each.group) == run])
        return self._runs[run][snippet.name]

    def _run(self, snippets: Sequence[Snippet]) -> dict[str, Outcome]:
        outcomes = self._arena.attack(snippets, _context(snippets[0]))
        check_books(self._arena, outcomes[0].run)
        check_destinations(self._arena, outcomes[0].run)
        check_terminal(outcomes[0].run)
        return {outcome.snippet.name: outcome for outcome in outcomes}


@pytest.fixture(scope="module")
def together(arena: Arena) -> Together:
    return Together(arena, TOGETHER)


def check_books(arena: Arena, run: Mapping[str, Any]) -> None:
    """The host's account of a run is the truth, whatever the worker said, and no secret went upstream."""
    assert leaked(arena.bodies()) == []
    assert arena.faults == []
    assert run["ends"] == 1
    assert run["finishedCalls"] <= run["calls"]
    assert sum(used["calls"] for used in run["usage"].values()) <= run["calls"]
    assert run["turns"] <= run["limit"]
    assert arena.root_calls() <= run["limit"] + 1
    assert "FORGED" not in str([run["usage"], run["detail"], run["told"]])


def check_destinations(arena: Arena, run: Mapping[str, Any]) -> None:
    """Only the run's model was asked; each call that was answered stands in the ledger once, with its destination."""
    assert arena.models() <= {"m"}
    events = [json.loads(line) for line in run["log"].splitlines()]
    answered = {event["call"] for event in events if event["type"] == "call_finished" and event["text"] is not None}
    egress = [event for event in events if event["type"] == "egress"]
    entered = Counter(event["call"] for event in egress)
    assert answered <= set(entered)
    assert set(entered.values()) <= {1}
    assert [event["to"] for event in egress if "FORGED" in event["to"] or "127.0.0.1" not in event["to"]] == []


def check_terminal(run: Mapping[str, Any]) -> None:
    """Whatever a run printed or answered, the command would show without a character that a terminal obeys."""
    shown = [run["answer"], run["detail"], *(block["observation"]["stdout"] for block in run["blocks"])]
    characters = set("".join(visible(text[:20_000]) for text in shown)) - {"\n", "\t"}
    assert [char for char in characters if unicodedata.category(char) == "Cc" or char in BIDIRECTIONAL] == []


def calm_run(arena: Arena) -> Mapping[str, Any]:
    run = arena.run([fenced("print(len(context))"), fenced("print(llm_query('hi'))"), fenced("FINAL('calm')")])
    assert run["answer"] == "calm"
    return run


def longest_gap(run: Mapping[str, Any]) -> float:
    return max((ms for _, ms in run["gaps"]), default=0.0)


def check_gap(browser: Browser, arena: Arena, snippet: Snippet, gap_ms: float) -> None:
    """The main thread was never busy for long.

    Where a gap was longer, processor time decides, the least of three further runs: a page that ran hundreds of attacks
    also collects their garbage once in a while.
    """
    for _ in range(3):
        if gap_ms <= snippet.gap_ms:
            return
        gap_ms = busy_ms(browser, arena.page, lambda: arena.attack([snippet], _context(snippet))[0].run)
    assert gap_ms <= snippet.gap_ms


def _context(snippet: Snippet) -> object:
    return CONTEXT if snippet.kind == "files" else TEXT_CONTEXT


def test_there_are_enough_snippets_of_each_kind() -> None:
    counts = Counter(snippet.kind for snippet in ALL)
    assert len({snippet.name for snippet in ALL}) == len(ALL) >= LEAST
    assert min(counts.values()) >= 15, counts


def test_a_busy_main_thread_is_seen(browser: Browser, arena: Arena) -> None:
    script = """ms => new Promise((done) => {
      const began = arena.now();
      while (arena.now() - began < ms);
      setTimeout(() => done({ gaps: arena.gapsSince(began - 50) }), 100);
    })"""
    assert busy_ms(browser, arena.page, lambda: arena.page.evaluate(script, 3_000)) > 200


@pytest.mark.parametrize("snippet", names(TOGETHER))
def test_it_wins_nothing_and_the_next_block_works(together: Together, snippet: Snippet) -> None:
    assert together[snippet].wins() == []


@pytest.mark.parametrize("snippet", names(TOGETHER))
def test_the_page_answers_all_the_while(browser: Browser, arena: Arena, together: Together, snippet: Snippet) -> None:
    check_gap(browser, arena, snippet, together[snippet].gap_ms)


@pytest.mark.parametrize("snippet", names(ALONE))
def test_it_ends_at_most_its_own_run(browser: Browser, arena: Arena, snippet: Snippet) -> None:
    outcome = arena.attack([snippet], _context(snippet))[0]
    run = outcome.run
    check_books(arena, run)
    assert outcome.wins() == []
    assert run["stoppedBy"] in snippet.ends, run["detail"]
    assert run["seconds"] <= dict(snippet.options).get("maxTimeout", 5_000) / 1_000 + GRACE_SECONDS
    check_gap(browser, arena, snippet, longest_gap(run))


def test_after_all_of_them_a_run_works(arena: Arena) -> None:
    calm_run(arena)


@pytest.mark.parametrize("snippet", names(CONTROLS))
def test_it_leaks_where_nothing_protects(control: Control, snippet: Snippet) -> None:
    leaks, printed = control.leaks(snippet)
    assert leaks, f"the suite is blind to this: {printed}"
