"""Flags: the tables of each command's options but for the limits, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from rlm_core.limits import LIMITS
from rlm_server.command.cli import main

from .parts import plain, table

LIMIT_FLAGS = {facts.option.lower() for facts in LIMITS}


def lines() -> Iterator[str]:
    """For each command its usage, its help and the table of its flags."""
    for name, command in main.commands.items():
        context = click.Context(command, info_name=f"pyodide-rlm {name}")
        yield f"### `{' '.join(command.get_usage(context).removeprefix('Usage: ').split())}`"
        yield ""
        yield plain(command.help)
        rows = list(flags(command))
        if rows:
            yield ""
            yield from table(["flag", ""], rows)
        yield ""


def flags(command: click.Command) -> Iterator[tuple[str, str]]:
    """Flag and help of each option that is no limit."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in LIMIT_FLAGS:
            value = "" if parameter.is_flag else f" {parameter.make_metavar(click.Context(command)).partition(' ')[0]}"
            yield f"`{', '.join(parameter.opts)}{value}`", parameter.help or ""
