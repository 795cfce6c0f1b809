"""Names: an option or field in Python's spelling and in JavaScript's; a noun with its number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def camel(name: str) -> str:
    """The name as JavaScript has it.

    >>> camel("max_sub_calls")
    'maxSubCalls'
    """
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """The name as Python has it.

    >>> snake("maxSubCalls"), snake("onSubLLMCall"), snake("max_cost")
    ('max_sub_calls', 'on_sub_llm_call', 'max_cost')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "model call"), counted(1200, "model call")
    ('1 model call', '1,200 model calls')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def snake_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same with its keys in snake_case; values as they are.

    >>> snake_keys({"contextChars": {"added": 1}})
    {'context_chars': {'added': 1}}
    """
    return {snake(name): item for name, item in value.items()}
