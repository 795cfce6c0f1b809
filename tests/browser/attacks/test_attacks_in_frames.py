"""The attacks again where the server sends no header of ours, so that each worker lives in a sandboxed frame.

Over both channels: that of an isolated page, whose frames share memory with their workers, and that of any other page.
The positive controls are those of `test_attacks.py`, where the page's main thread is judged too: messages reach it in
the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from rlm_server.http.security import FIXED_HEADERS

from .arena import Arena
from .snippet import Snippet, fenced
from .test_attacks import ALL, GRACE_SECONDS, Together, calm_run, check_books, names
from .test_headers_removed import CSP, EVERYWHERE, ISOLATION, changed, notice, without

KINDS = ("network", "storage", "page")
TOGETHER = [snippet for snippet in ALL if snippet.kind in KINDS and not snippet.alone]
ALONE = [snippet for snippet in ALL if snippet.kind in KINDS and snippet.alone]
OURS = [name for name in FIXED_HEADERS if name not in ISOLATION]
GONE = {"shared-memory": [CSP, "Document-Isolation-Policy", *OURS], "jspi": [CSP, *OURS, *ISOLATION]}


@dataclass(frozen=True)
class Frames:
    """A page whose workers live in frames, and the outcomes of the attacks that share a run."""

    arena: Arena
    together: Together


@pytest.fixture(scope="module", params=GONE)
def frames(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Frames]:
    with changed(browser, EVERYWHERE, **without(*GONE[request.param])) as arena:
        told = notice(arena.run([fenced("FINAL(1)")]))
        assert f", in a frame; containment: full; channel: {request.param};" in told
        yield Frames(arena, Together(arena, TOGETHER))
        calm_run(arena)


@pytest.mark.parametrize("snippet", names(TOGETHER))
def test_it_wins_nothing_in_a_frame(frames: Frames, snippet: Snippet) -> None:
    assert frames.together[snippet].wins() == []


@pytest.mark.parametrize("snippet", names(ALONE))
def test_it_ends_at_most_its_own_run_in_a_frame(frames: Frames, snippet: Snippet) -> None:
    outcome = frames.arena.attack([snippet])[0]
    check_books(frames.arena, outcome.run)
    assert outcome.wins() == []
    assert outcome.run["stoppedBy"] in snippet.ends, outcome.run["detail"]
    assert outcome.run["seconds"] <= dict(snippet.options).get("maxTimeout", 5_000) / 1_000 + GRACE_SECONDS
