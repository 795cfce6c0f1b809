"""Answer quotes: evidence for a run of another package, from the quotations in its answer, over files of the user.

In: the events of an imported log, and paths. Out: the same events, whose ending holds each quotation with its status
and place, as a run of this package has it. Text files only: documents are read in the browser. No model is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rlm_core import ConfigError, Event
from rlm_core.documents import is_text
from rlm_core.events import RunFinished
from rlm_core.evidence import MAX_ITEMS, MAX_QUOTE_CHARS, checked
from rlm_core.types import Evidence

from ..headless.context_upload import read_folder

MIN_CHARS = 12
"""Characters of the shortest quotation that is looked for; a shorter one is likely a name or a word in quotes."""
HEAD_BYTES = 4_096
_QUOTATION = re.compile(
    "\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201e\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00ab\u00bb]+)\u00bb"
    r'|(?<!\w)"([^"\n]+)"(?!\w)|^ {0,3}>[ \t]?(\S.*)$',
    re.MULTILINE,
)


def quotations(answer: str) -> list[str]:
    """Texts in quotation marks and quoted lines of an answer, each once, in their order.

    >>> quotations('It says \u201cThe rent is due\u201d, not "never", and:\\n> signed by Ada in 1842')
    ['The rent is due', 'signed by Ada in 1842']
    """
    quotations = (next(filter(None, match.groups())).strip() for match in _QUOTATION.finditer(answer))
    return list(dict.fromkeys(text for text in quotations if MIN_CHARS <= len(text) <= MAX_QUOTE_CHARS))[:MAX_ITEMS]


def with_evidence(events: Sequence[Event], paths: Sequence[Path]) -> tuple[list[Event], tuple[Evidence, ...]]:
    """The events with the checked evidence of the root run, and that evidence.

    Raises:
        ConfigError: a file is no text, or a folder holds none.
    """
    files = _files(paths)
    context = dict(files) if len(files) != 1 else next(iter(files.values()))
    name = next(iter(files)) if len(files) == 1 else "context"
    made: list[Event] = []
    evidence: tuple[Evidence, ...] = ()
    for event in events:
        if isinstance(event, RunFinished) and event.path == ():
            items = list(event.evidence) or [Evidence(text) for text in quotations(event.answer)]
            evidence = tuple(checked(items, context, name=name))
            event = replace(event, evidence=evidence)
        made.append(event)
    return made, evidence


def _files(paths: Sequence[Path]) -> dict[str, Path]:
    listed = {
        (name, file.resolve())
        for path in paths
        for name, file in (read_folder(path).files if path.is_dir() else [(path.name, path)])
    }
    for name, count in Counter(name for name, _ in listed).items():
        if count > 1:
            raise ConfigError(f"{count} files are named {name}. Rename them, or give the folder that holds them.")
    for name, file in sorted(listed):
        with file.open("rb") as opened:
            if not is_text(opened.read(HEAD_BYTES)):
                raise ConfigError(
                    f"{name} is no text file, and documents are read in the browser: give its text, or look for the "
                    "quotes there with checkEvidence."
                )
    return dict(sorted(listed))
