"""Evidence lines: the quotes of an answer as a list for the terminal.

In: the evidence and the checks of a result. Out: a line each, `[1] lease.txt:12 "signed by Ada"`, which editors and
terminals open, and a note on what nothing bears out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SHOWN_CHARS = 100
SHOWN_NUMBERS = 20
NOTES = {
    "elsewhere": "in another source than the model named",
    "stitched": "its parts stand apart",
    "changed": "not word for word",
    "missing": "NOT IN THE CONTEXT",
}


def evidence_lines(evidence: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The list, with a note where a quote does not stand as it was given.

    >>> list(evidence_lines([{"quote": "by Ada", "source": "a.txt", "status": "found", "line": 3, "page": None,
    ...                       "sheet": None, "difference": None}]))
    ['[1] a.txt:3 "by Ada"']
    """
    for number, item in enumerate(evidence, start=1):
        quote = " ".join(item["quote"].split())
        shown = quote if len(quote) <= SHOWN_CHARS else f"{quote[:SHOWN_CHARS]}..."
        note = item["difference"] or NOTES.get(item["status"], "")
        label = NOTES.get(item["status"])
        why = label if label is None or note == label else f"{label}: {note}"
        yield f'[{number}] {place(item)} "{shown}"' + (f"  ({why})" if why else "")


def check_lines(answer: str, evidence: Sequence[Mapping[str, Any]], checks: Mapping[str, Any]) -> Iterator[str]:
    """A note where no quote supports an answer, and one with the numbers that nobody computed.

    >>> number = {"text": "4,711", "start": 6, "end": 11}
    >>> list(check_lines("It is 4,711.", [], {"numbers": [number], "supported": True}))
    ['note: in no output, sub-reply or quote: 4,711']
    """
    if answer.strip() and not checks["supported"]:
        why = "none of its quotes stands in the context" if evidence else "it came without a quote of the context"
        yield f"note: the answer is unsupported: {why}"
    numbers = list(dict.fromkeys(number["text"] for number in checks["numbers"]))
    if numbers:
        more = f" and {len(numbers) - SHOWN_NUMBERS} more" if len(numbers) > SHOWN_NUMBERS else ""
        yield f"note: in no output, sub-reply or quote: {', '.join(numbers[:SHOWN_NUMBERS])}{more}"


def place(item: Mapping[str, Any]) -> str:
    """Source and place: `book.pdf page 417`, `data.xlsx sheet "2025"`, `log.txt:12`."""
    source = item["source"] or "(no source)"
    if item["page"] is not None:
        return f"{source} page {item['page']}"
    if item["sheet"] is not None:
        return f'{source} sheet "{item["sheet"]}"'
    return f"{source}:{item['line']}" if item["line"] is not None else source
