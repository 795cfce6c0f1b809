"""Direct reply: the answer in a reply to a direct call, and the quotes that it lists.

In: text, in the form that `prompts.DIRECT_EVIDENCE` asks for, or near it. Out: the answer, and each quote with the
document that it names. Whether they stand there is looked for in `evidence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .evidence import MAX_ITEMS, MAX_QUOTE_CHARS
from .quotes import level

_HEADING = re.compile(
    r"^[ \t#*_>]*(?:evidence|quotes)[ \t*_]*(?::|$)[ \t*_]*"
    r"(?=\s*(?:\Z|\[?\d|[-*\u2022]|[\"'\u201c\u201e\u00ab\u00bb\u2018]|\(?none))",
    re.IGNORECASE | re.MULTILINE,
)
_ITEM = re.compile(
    r"^[ \t]*(?:[-*\u2022][ \t]+)?(?:\[(\d+)\]|(\d+)[.)])[:.]?[ \t]+|^[ \t]*[-*\u2022][ \t]+", re.MULTILINE
)
_SOURCE = re.compile(
    r"^(.*[\"'\u201d\u201c\u00bb\u00ab\u2019])\s*(?:[(\[]([^()\[\]]+)[)\]]|[-\u2013\u2014]\s*(.+))\.?$", re.DOTALL
)
MAX_NAME_CHARS = 400
_OPENING, _CLOSING = "\"'\u201c\u201e\u00ab\u00bb\u2018", "\"'\u201d\u201c\u00bb\u00ab\u2019"
_MARK = re.compile(r"\[(\d{1,3})\]")


def read_reply(text: str) -> tuple[str, list[dict[str, str | None]]]:
    """The answer in a reply, and the quotes below its heading `Evidence:`; marks are the numbers of the list.

    >>> read_reply('Ada signed [1].\\n\\nEvidence:\\n[1] "signed by Ada" (lease.txt)')
    ('Ada signed [1].', [{'quote': 'signed by Ada', 'source': 'lease.txt'}])
    """
    headings = list(_HEADING.finditer(text))
    if not headings:
        return text.strip(), []
    heading = headings[-1]
    answer = text[: heading.start()].rstrip("-*_ \n").strip() or text.strip()
    numbered = [(number, item) for number, item in _items(text[heading.end() :].strip()) if level(str(item["quote"]))][
        :MAX_ITEMS
    ]
    positions: dict[str, int] = {}
    for position, (number, _) in enumerate(numbered, start=1):
        positions.setdefault(number or str(position), position)
    return _MARK.sub(lambda mark: f"[{positions.get(mark[1], mark[1])}]", answer), [item for _, item in numbered]


def _items(text: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """The items of a list of quotes, each with its number, `""` without one."""
    marks = list(_ITEM.finditer(text))
    if not marks:
        starts = [(match.start(), match.start(), "") for match in re.finditer(r"^[^\S\n]*\S", text, re.MULTILINE)]
    else:
        starts = [(match.start(), match.end(), match[1] or match[2] or "") for match in marks]
    for index, (_, begin, number) in enumerate(starts):
        end = starts[index + 1][0] if index + 1 < len(starts) else len(text)
        item = text[begin:end].strip()
        if item.strip(".- ").lower() not in ("", "none", "(none)", "n/a"):
            yield number, _item(item)


def _item(text: str) -> dict[str, str | None]:
    """One quote: its words without the marks around it, and the document that it names behind them."""
    is_quoted = text[0] in _OPENING and len(text) <= MAX_QUOTE_CHARS + MAX_NAME_CHARS
    named = _SOURCE.match(text) if is_quoted else None
    quote = named[1] if named else text
    if len(quote) > 1 and quote[0] in _OPENING and quote[-1] in _CLOSING:
        quote = quote[1:-1]
    source = (named[2] or named[3]).strip().strip("\"'`") if named else None
    return {"quote": quote.strip()[:MAX_QUOTE_CHARS], "source": source or None}
