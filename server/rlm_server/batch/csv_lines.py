"""CSV lines: the questions of a CSV file, as spreadsheets save it.

In: a file in UTF-8 or UTF-16, with its first line naming the columns, and cells between commas, semicolons, tabs or
bars. Out: the cells of each line by their column, or a fault with its line. Nothing is lost in silence: a quote that is
left open, a cell too many and a column that stands twice are faults.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from rlm_core import ConfigError

DELIMITERS = (",", ";", "\t", "|")
MOST_CELL_CHARS = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Cells:
    """One line: the number of its last line in the file, its number among the questions, and its cells."""

    line: int
    number: int
    fields: dict[str, Any]


def csv_lines(path: Path, known: Iterable[str]) -> Iterator[Cells | tuple[int, str]]:
    """The lines of the file at `path`; a fault is the number of its line, and text."""
    with path.open("rb") as raw:
        wide = raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    csv.field_size_limit(MOST_CELL_CHARS)
    line = 1
    try:
        with path.open(encoding="utf-16" if wide else "utf-8-sig", newline="") as file:
            before, first, delimiter = _head(file, "\t" if path.suffix.lower() == ".tsv" else ",")
            reader = csv.reader(chain([first], file), delimiter=delimiter, strict=True)
            names = [name.strip().lower() for name in next(reader, [])]
            if fault := _fault_of(names, known):
                yield before + 1, fault
                return
            number, line = 0, before + 2
            for cells in reader:
                line = before + reader.line_num
                if not any(cells):
                    continue
                number += 1
                try:
                    yield Cells(line, number, _fields(names, cells))
                except ConfigError as fault_of_line:
                    yield line, str(fault_of_line)
                line += 1
    except UnicodeDecodeError as fault_of_text:
        yield line, f"it is not CSV in UTF-8 ({fault_of_text}). Save it as CSV in UTF-8."
    except csv.Error as fault_of_csv:
        yield line, f"it is not CSV from here on ({fault_of_csv}): is a quote left open?"


def _head(file: Iterable[str], usual: str) -> tuple[int, str, str]:
    """Lines before the first one, that line, and the delimiter: the one said, or one that finds `question`."""
    said = ""
    for before, line in enumerate(file):
        if line.startswith("sep=") and len(line.rstrip("\r\n")) == 5:
            said = line[4]
        elif line.strip():
            found = (mark for mark in (usual, *DELIMITERS) if "question" in _names(line, mark))
            return before, line, said or next(found, usual)
    return 0, "", usual


def _names(line: str, delimiter: str) -> list[str]:
    return [name.strip(' \t\r\n"').lower() for name in line.split(delimiter)]


def _fault_of(names: list[str], known: Iterable[str]) -> str:
    if "question" not in names:
        found = ", ".join(names)[:200] or "none"
        return f"there is no column `question`. Known are {', '.join(known)}; found: {found}."
    twice = next((name for name in names if name and names.count(name) > 1), None)
    return "" if twice is None else f"the column `{twice}` stands twice. Rename one."


def _fields(names: list[str], cells: list[str]) -> dict[str, Any]:
    """The cells that hold something, by their names.

    Raises:
        ConfigError: there are too many, or one is not the JSON that it must be.
    """
    more = [cell for cell in cells[len(names) :] if cell]
    if more:
        raise ConfigError(f"the line has {len(cells) - len(names)} more cells than the first line has names.")
    fields: dict[str, Any] = {name: text for name, text in zip(names, cells, strict=False) if text}
    for name in ("schema", "options"):
        if name in fields:
            try:
                fields[name] = json.loads(fields[name])
            except (ValueError, RecursionError) as fault:
                raise ConfigError(f"the cell `{name}` is not JSON ({fault}).") from None
    return fields
