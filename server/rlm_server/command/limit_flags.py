"""Limit flags: the flags of all limits of a run, made from the table of limits.

In: a command, and the values that click parsed. Out: the command with its flags; the limits that were set, as
`BrowserRLM` takes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import click

from rlm_core.limits import LIMITS, LimitFacts

from ..headless.names import snake


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """The flags of all limits: `max_seconds`, option `maxTimeout`, is `--max-timeout`."""
    for facts in reversed(LIMITS):
        command = _limit_option(facts)(command)
    return command


def _limit_option(facts: LimitFacts) -> Callable[[Callable[..., None]], Callable[..., None]]:
    flag = "--" + re.sub(r"[A-Z]", lambda letter: f"-{letter.group().lower()}", facts.option)
    never = "; 0: never" if facts.off else ""
    usual = "" if facts.default is None else f"; {facts.default:g} if not given"
    text = f"{facts.unit[0].upper()}{facts.unit[1:]} {facts.of}{never}{usual}."
    if facts.whole:
        return click.option(flag, facts.option.lower(), type=click.IntRange(min=facts.least), help=text)
    values = click.FloatRange(min=facts.least, min_open=not facts.off, max=facts.most)
    return click.option(flag, facts.option.lower(), type=values, help=text)


def chosen_limits(limits: Mapping[str, float | None]) -> dict[str, float]:
    """The limits that were set, as `BrowserRLM` takes them."""
    values = {facts: limits[facts.option.lower()] for facts in LIMITS}
    return {
        snake(facts.option): False if facts.off and value == 0 else value
        for facts, value in values.items()
        if value is not None
    }
