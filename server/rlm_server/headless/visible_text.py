"""Visible text: text of models, code and files, for a terminal that it cannot command.

In: any text. Out: the same with control, escape and bidirectional characters written out; newlines and tabs stay.
"""

from __future__ import annotations

import re

HARMLESS = "\n\t\u00ad\u200c\u200d"
"""Characters that stay: line breaks, tabs, and the joiners of emoji and of Indic and Persian script."""
UNSAFE = re.compile(
    f"(?![{HARMLESS}])"
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: escape sequences begin with one of them
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidirectional, invisible and line controls
    "\ud800-\udfff"  # lone surrogates have no bytes
    "\U000e0000-\U000e007f]"  # tags: text that nobody sees
)


def visible(text: str) -> str:
    r"""`text` with each character that could command a terminal as its escape.

    >>> print(visible("a\x1b[31mred\x9b1m\u202eb"))
    a\x1b[31mred\x9b1m\u202eb
    """
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def on_one_line(text: str) -> str:
    r"""The same, with newlines and tabs written out too.

    >>> print(on_one_line("a\nb"))
    a\nb
    """
    return visible(text).replace("\n", r"\n").replace("\t", r"\t")
