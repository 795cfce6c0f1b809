"""Job: one question over one context, and how to go about it.

In: what the caller wants. Out: the same, checked before anything runs or is spent.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import ConfigError
from .limits import Limits
from .repl import RESERVED
from .types import Json, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One question over one context, and how to go about it.

    Attributes:
        question: what is asked; not empty.
        context: the data, any value; `None` makes the question itself the context.
        model: root model, `None` for the provider's default.
        sub_model: model of sub-calls, `None` for the provider's default.
        limits: what the run may use.
        system_prompt: replaces the built-in instructions; what the REPL offers is told in any case.
        tools: JSON values that model code finds under their names.
        contexts: fingerprints for the log; computed from `context` when empty.

    Raises:
        ConfigError: a value is impossible; the message names it.
    """

    question: str
    context: object = None
    model: str | None = None
    sub_model: str | None = None
    limits: Limits = field(default_factory=Limits)
    system_prompt: str | None = None
    tools: tuple[Tool, ...] = ()
    contexts: tuple[Mapping[str, Json], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not self.question.strip():
            raise ConfigError(f"the question must be text that is not empty, not {self.question!r}.")
        for tool in self.tools:
            _check_name(tool)
        names = [tool.name for tool in self.tools]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"two tools have the name {twice!r}; give each its own.")


def _check_name(tool: Tool) -> None:
    name = tool.name
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
        raise ConfigError(f"tool {name!r}: the name must be a Python identifier, as it becomes a variable.")
    if name in RESERVED:
        raise ConfigError(f"tool {name!r}: the name is reserved in the REPL; choose another.")


def tool_value(tool: Tool) -> object:
    """The tool's value as model code gets it: its own copy, as JSON gives it."""
    try:
        return json.loads(json.dumps(tool.value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"tool {tool.name!r}: the value is not JSON: {error}.") from None
