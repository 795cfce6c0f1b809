"""About: sentences for the prompt on the files of a context: kind, pages, sheets, tables, coding, and how to read them.

In: the context as it is bound. Out: a few bounded lines, `""` where the text itself says it all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readers import NAMES, PICTURES, faults_named, reader_of
from readers.kinds import ARCHIVES, NO_READER, kind_of
from readers.plain import decode
from readers.source import ReadError, Source
from rlm_core.text_format import of_text

MAX_FILES = 2_000
"""Files of a context whose kind is looked for."""
MAX_CHARS = 2_000
HEAD_BYTES = 256 << 10
"""Bytes by which the form of a large text is told."""
_PLAIN = ("text", "csv", "json")
_PLAIN_WAY = (
    "`for part in read_parts(context)` goes through its text in parts that end at line ends; "
    "`read(context)` gives it whole."
)


def about(context: object) -> str:
    """Kind and outline of the context, or the kinds of its files with their counts, each kind once."""
    if isinstance(context, Mapping):
        return _about_files(context)
    if not isinstance(context, str | bytes | Path) or len(context if isinstance(context, bytes | str) else "x") == 0:
        return ""
    return _about_file(Source.of(context), is_text=isinstance(context, str))


def _about_file(source: Source, *, is_text: bool) -> str:
    try:
        kind = kind_of(source)
    except ReadError as fault:
        return str(fault)
    if kind in NO_READER:
        return f"It {NO_READER[kind]}"
    if kind in _PLAIN:
        return "" if is_text or source.path is None else _about_text(source)
    try:
        _, reader = reader_of(source)
        with faults_named(source, kind):
            if kind in PICTURES:
                return f"It is {reader.describe(source, kind)}. No text is read from pictures here."
            outline = reader.outline(source, kind) if hasattr(reader, "outline") else ""
    except ReadError as fault:
        return str(fault)
    has_rows = hasattr(reader, "tables") and kind not in ("rtf", *ARCHIVES)
    rows = ", `tables(context)` its rows" if has_rows else ""
    ways = f"`read(context)` gives its text{rows}"
    return f"It is {NAMES[kind]}{f', {outline}' if outline else ''}"[:MAX_CHARS] + f". {ways}."


def _about_text(source: Source) -> str:
    """The form of a text that is too large to be bound, by its beginning."""
    with source.open() as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, 2)
    text, coding = decode(head[: head.rfind(b"\n") + 1] or head)  # no letter is cut
    form = of_text(text, size=round(size * len(text) / max(len(head), 1)))
    return " ".join(filter(None, [form, f"Its coding is {coding}." if coding != "utf-8" else "", _PLAIN_WAY]))


def _about_files(files: Mapping[Any, Any]) -> str:
    paths = [value for value in files.values() if isinstance(value, Path)]
    if not paths or len(files) > MAX_FILES:
        return ""
    counts: Counter[str] = Counter()
    for path in paths:
        try:
            kind = kind_of(Source.of(path))
            counts[
                re.split(r"[:.] ", NO_READER[kind])[0].removeprefix("is ") if kind in NO_READER else NAMES[kind]
            ] += 1
        except ReadError:
            counts["a file that is broken or cannot be opened"] += 1
    kinds = ", ".join(f"{count:,} x {kind}" for kind, count in counts.most_common())
    return f"Not loaded: {kinds}. `read(context[name])` gives the text of one, `tables(context[name])` its rows."
