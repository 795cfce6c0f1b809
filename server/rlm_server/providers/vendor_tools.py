"""Vendor tools: models that act beyond their reply, with tools of their vendor's: they search the web, or browse.

In: a model's name, as its provider lists it. Out: whether the name is of such a model. A name is all that lists tell: a
model that searches under another name is not known here.
"""

from __future__ import annotations

import re

_NAMED_SO = re.compile(
    r"(?:^|[/:_-])(?:search|online|browser|browsing|deep-?research|sonar|compound|computer-use)(?:$|[-/:_.])",
    re.IGNORECASE,
)
_NOT_SO = re.compile(r"embed|rerank|text-search|code-search", re.IGNORECASE)
"""Models that rank texts for a search of yours."""


def uses_vendor_tools(name: str) -> bool:
    """Whether the model `name` searches or browses at its vendor.

    >>> [uses_vendor_tools(name) for name in ("gpt-4o-search-preview", "qwen/qwen3:online", "gpt-5-mini")]
    [True, True, False]
    """
    return _NAMED_SO.search(name) is not None and _NOT_SO.search(name) is None
