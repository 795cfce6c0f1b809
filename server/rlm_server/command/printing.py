"""Printing: answers and lines on stdout, their checks on stderr.

In: results and text of others. Out: on a terminal text that is made visible, elsewhere the text as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..headless.context_upload import read_folder
from ..headless.evidence_lines import check_lines, evidence_lines
from ..headless.visible_text import visible

if TYPE_CHECKING:
    from ..headless.result import HeadlessResult


def say_folders(paths: Sequence[Path]) -> None:
    """One line for each folder of the context."""
    for path in paths:
        if path.is_dir():
            click.echo(visible(f"{path}: {read_folder(path).summary()}"), err=True)


def say_checks(result: HeadlessResult) -> None:
    """The quotes and numbers that were checked, and why there is no final answer."""
    for line in (*evidence_lines(result.evidence), *check_lines(result.answer, result.evidence, result.checks)):
        click.echo(visible(line), err=True)
    if result.stopped_by != "final_answer":
        click.echo(f"No final answer: {visible(result.detail or result.stopped_by)}", err=True)


def print_result(result: HeadlessResult, as_json: bool) -> bool:
    """Print the answer, on stderr where stdout cannot be written; whether stdout has it."""
    is_terminal = sys.stdout.isatty()
    text = json.dumps(result.to_json(), ensure_ascii=is_terminal) if as_json else result.answer
    try:
        click.echo(visible(text) if is_terminal else encodable(text), color=True)  # without colour click strips text
        sys.stdout.flush()
    except OSError as fault:
        sys.stdout = None
        click.echo(f"error: stdout cannot be written: {fault.strerror}. The answer:\n{visible(text)}", err=True)
        return False
    return True


def print_line(line: str) -> None:
    """A line of a log on stdout; on a terminal it is made visible."""
    click.echo(visible(line) if sys.stdout.isatty() else encodable(line), color=True)


def encodable(text: str) -> str:
    """Text with a lone surrogate, which has no bytes, written out; any other text as it is."""
    return text.encode("utf-8", "backslashreplace").decode()
