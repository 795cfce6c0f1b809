"""Scripted run: one question over one context, answered by replies that are written down."""

from __future__ import annotations

from collections.abc import Iterable

from rlm_core.events import Event
from rlm_core.run import run
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.types import RunResult


def block(code: str) -> str:
    return f"```repl\n{code}\n```"


def ran(replies: Iterable[Line], **options: object) -> tuple[RunResult, ScriptedProvider, list[Event]]:
    events: list[Event] = []
    provider = ScriptedProvider(replies)
    result = run("Who?", "Ada did it.", provider=provider, emit=events.append, **options)  # type: ignore[arg-type]
    return result, provider, events


def told(provider: ScriptedProvider) -> str:
    """The last message that the root model was sent."""
    return provider.root_calls[-1].messages[-1].content
