"""Arena: the real page, the real server and a scripted upstream; snippets go in, and their outcomes come out.

A run is given many snippets, one an iteration: the upstream counts the canary's hits each time it is asked for the
next reply, so that each hit is laid at the door of the snippet that caused it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from playwright.sync_api import BrowserContext, Error, Page
from starlette.types import ASGIApp

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, fake_upstream, json_turn, openai_reply, usage_of_all

from .canary import Canary, Perch
from .snippet import TOOLS, Snippet, fenced

WATCH = Path(__file__).with_name("watch.js").read_text()
PAGE_SECRET = "planted-secret-page-4f1c"
SERVER_KEY = "sk-planted-secret-server-9a7e"
CONTEXT = {"file": {"name": "notes.bin", "bytes": [255, *b"private notes of the person who asks", 254]}}
TEXT_CONTEXT = "private notes of the person who asks"
MODEL = re.compile(rb'"model":\s*"([^"\\]*)"')
ALIVE = "alive 42 True\n"


@dataclass
class Outcome:
    """Outcome of one snippet."""

    snippet: Snippet
    printed: str = ""
    error: str = ""
    probe: str = ""
    hits: list[bytes] = field(default_factory=list)
    gap_ms: float = 0.0
    run: Mapping[str, Any] = field(default_factory=dict)

    def wins(self) -> list[str]:
        """Everything that it must not have done."""
        found = [f"it won: {line}" for line in self.printed.splitlines() if line.startswith("WON")]
        if self.hits:
            found.append(f"it reached the canary: {self.hits[:3]!r}")
        if not self.snippet.alone and self.probe != ALIVE:
            found.append(
                f"the next block printed {self.probe!r}; before it {self.printed[-300:]!r} {self.error[-300:]!r}; "
                f"the run ended by {self.run['stoppedBy']}: {self.run['detail']!r}"
            )
        return found


class Arena:
    """One page and all that is around it.

    Attributes:
        faults: uncaught errors of the page.
    """

    def __init__(self, page: Page, upstream: FakeUpstream, canary: Canary) -> None:
        self.page = page
        self.upstream = upstream
        self.canary = canary
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.extend([] if _is_the_workers(error) else [str(error)]))
        page.evaluate(WATCH)
        page.evaluate("secret => arena.plant(secret)", PAGE_SECRET)

    def run(self, replies: Sequence[str], context: object = TEXT_CONTEXT, **options: object) -> dict[str, Any]:
        """Ask on the page; the root model answers with `replies`, by the length of its conversation."""
        self.upstream.seen.clear()
        self.upstream.answer = lambda seen: _answer(seen, replies)
        wanted = {"maxIterations": len(replies) + 2, "maxErrors": 1_000, "maxOutputChars": 2_000, "model": "openai:m"}
        job = {"question": "What does it say?", "context": context, "options": {**wanted, **options}}
        result: dict[str, Any] = self.page.evaluate("job => arena.run(job)", job)
        return {**result, "limit": {**wanted, **options}["maxIterations"], "told": _hosts_own(result.get("log", ""))}

    def attack(self, snippets: Sequence[Snippet], context: object = TEXT_CONTEXT, **options: object) -> list[Outcome]:
        """Run `snippets`, one after another, in one run."""
        perches = [self.canary.perch() for _ in snippets]
        attacks = [snippet.reply(perch.port) for snippet, perch in zip(snippets, perches, strict=True)]
        replies = [fenced(TOOLS), *attacks, fenced("FINAL('survived')")]
        own = dict(snippets[0].options) if len(snippets) == 1 else {}
        run = self.run(replies, context, **{**options, **own})
        return [
            _outcome(run, at, snippet, perch) for at, (snippet, perch) in enumerate(zip(snippets, perches, strict=True))
        ]

    def root_calls(self) -> int:
        """How often the root model was asked in the last run."""
        return sum(seen.path.endswith("/completions") and _is_root(seen) for seen in self.upstream.seen)

    def models(self) -> set[str]:
        """Names of the models that were asked in the last run."""
        asked = [seen.body for seen in self.upstream.seen if seen.path.endswith("/completions")]
        return {name.decode() for body in asked for name in MODEL.findall(body)}

    def bodies(self) -> bytes:
        """All that went upstream in the last run."""
        return b"".join(seen.body for seen in self.upstream.seen)


def _is_the_workers(error: Error) -> bool:
    """A promise that was refused inside of the worker, and that nobody awaits there, is told here too."""
    return any(script in (error.stack or "") for script in ("/rlm/assets/worker.", "blob:null/"))


def _answer(seen: Seen, replies: Sequence[str]) -> Turn:
    messages = seen.json()["messages"]
    assert isinstance(messages, list)
    if not _is_root(seen):
        return json_turn(openai_reply("sub: " + str(messages[-1]["content"])[:100], usage=usage_of_all(seen)))
    said = sum(message["role"] == "assistant" for message in messages)
    return json_turn(openai_reply(replies[min(said, len(replies) - 1)], usage=usage_of_all(seen)))


def _is_root(seen: Seen) -> bool:
    return b'"role":"system"' in seen.body[:500].replace(b" ", b"")


def _hosts_own(log: str) -> list[object]:
    """The facts of a trajectory that are the host's alone: calls, replies and the end."""
    events = [json.loads(line) for line in log.splitlines()]
    return [event["usage"] for event in events if event["type"] in ("call_finished", "run_finished")]


def _outcome(run: Mapping[str, Any], at: int, snippet: Snippet, perch: Perch) -> Outcome:
    blocks = [event for event in run.get("blocks", []) if event["iteration"] == at + 2]
    seen = [event["observation"] for event in blocks]
    outcome = Outcome(snippet, hits=list(perch.hits), run=run, gap_ms=_gap(run, at))
    if seen:
        outcome.printed, outcome.error = seen[0]["stdout"], seen[0]["error"] or ""
    if len(seen) > 1:
        outcome.probe = seen[1]["stdout"] + (seen[1]["error"] or "")
    return outcome


def _gap(run: Mapping[str, Any], at: int) -> float:
    """The longest gap of the main thread while the snippet at `at` had its turn."""
    turns = run.get("iterations", [])
    began = turns[at + 1] if len(turns) > at + 1 else 0
    ended = turns[at + 2] if len(turns) > at + 2 else float("inf")
    return max((ms for when, ms in run.get("gaps", []) if when + ms >= began and when <= ended), default=0.0)


def settings_for(upstream: FakeUpstream) -> Settings:
    """One provider, the scripted upstream, with the planted key."""
    values = {"openai_api_key": SERVER_KEY, "openai_base_url": f"{upstream.url}/v1", "models": "openai:m,openai:other"}
    with mock.patch.dict(os.environ, clear=True):
        return Settings(_env_file=None, ollama_base_url="", retries=0, **values)  # type: ignore[arg-type, call-arg]


@contextmanager
def attacked_server(wrap: Any = lambda app: app) -> Iterator[tuple[str, FakeUpstream]]:
    """The real server before a scripted upstream; `wrap` puts something around the app."""
    with fake_upstream() as upstream:
        app: ASGIApp = wrap(create_app(settings_for(upstream)))
        with serving(app, drain_seconds=0) as url:
            yield url, upstream


def open_arena(context: BrowserContext, url: str, upstream: FakeUpstream, canary: Canary) -> Arena:
    """A new page, planted with secrets."""
    page = context.new_page()
    page.goto(url)
    return Arena(page, upstream, canary)


def leaked(data: bytes) -> list[str]:
    """Names of the planted secrets that `data` holds."""
    secrets = {"the page's secret": PAGE_SECRET, "the server's key": SERVER_KEY}
    return [name for name, secret in secrets.items() if secret.encode() in data]
