"""Job: one question over one context, with all settings of its run.

In: the caller's arguments. Out: the same, checked before anything runs or is spent.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from .errors import ConfigError
from .limits import Limits
from .repl import RESERVED
from .types import Child, Json, PastBlock, Shape, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One question over one context, with all settings of its run.

    Attributes:
        question: text that is not empty.
        context: the data, any value; `None` makes the question itself the context.
        model: root model, `None` for the provider's default.
        sub_model: model of sub-calls, `None` for the same as `model`.
        limits: bounds of the run.
        sub_window_tokens: window of the sub model, `None` for that of the root model.
        sub_images: whether the sub model is known to take images, so that the prompt may offer them.
        system_prompt: replaces the built-in instructions; the REPL's reference follows in any case.
        tools: JSON values and functions that model code finds under their names.
        sub_tools: tools of child runs, `None` for the same.
        functions: functions and classes that model code finds besides ours, such as `read`.
        packages: names of packages that model code can import, `None` to look for those of `documents.PACKAGES`.
        about: sentences on the context for the model, in place of those of `documents`; `None` for these.
        shape: of the answer, `None` for text.
        direct: one call over the whole context, in place of the loop.
        path: position of the run in the tree, `()` for the root.
        contexts: fingerprints for the log; computed from `context` when empty.
        past: blocks that an earlier worker of this run executed: recovery, see `PastBlock`.

    Raises:
        ConfigError: a value is impossible; the message names it.
    """

    question: str
    context: object = None
    model: str | None = None
    sub_model: str | None = None
    limits: Limits = field(default_factory=Limits)
    sub_window_tokens: int | None = None
    sub_images: bool = False
    system_prompt: str | None = None
    tools: tuple[Tool, ...] = ()
    sub_tools: tuple[Tool, ...] | None = None
    functions: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    packages: tuple[str, ...] | None = None
    about: str | None = None
    shape: Shape | None = None
    direct: bool = False
    path: tuple[int, ...] = ()
    contexts: tuple[Mapping[str, Json], ...] = ()
    past: tuple[PastBlock, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not self.question.strip():
            raise ConfigError(f"the question must be text that is not empty, not {self.question!r}.")
        _check_names(self.tools)
        _check_names(self.sub_tools or ())

    @property
    def may_have_children(self) -> bool:
        """Whether a child question becomes a child run, not a plain sub-call."""
        return len(self.path) + 1 < self.limits.max_depth

    @property
    def source(self) -> str:
        """Name of the context in evidence; `""` without a context."""
        if self.context is None:
            return ""
        return str(self.contexts[0]["name"]) if len(self.contexts) == 1 else "context"

    @property
    def block_name(self) -> str:
        """Name of the run's blocks in tracebacks: each REPL of the process needs its own."""
        return " ".join(["block", ".".join(map(str, self.path))]).strip() + ":" * bool(self.path)

    def child(self, child: Child, number: int) -> Job:
        """The job of this run's child `number`."""
        return replace(
            self,
            question=child.question,
            context=child.context,
            model=child.model or self.model,
            tools=self.tools if self.sub_tools is None else self.sub_tools,
            path=(*self.path, number),
            about=None,
            shape=None,
            direct=False,
            contexts=(),
            past=(),
        )


_OF_SESSIONS = re.compile(r"(?:context|history)(?:_\d+)?")
"""Names of the contexts and conversations of a session."""


def _check_names(tools: Iterable[Tool]) -> None:
    names = [tool.name for tool in tools]
    for name in names:
        _check_name(name)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two tools have the name {twice!r}; give each its own.")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
        raise ConfigError(f"tool {name!r}: the name must be a Python identifier, as it becomes a variable.")
    if name in RESERVED or _OF_SESSIONS.fullmatch(name):
        raise ConfigError(f"tool {name!r}: the name is reserved in the REPL; choose another.")
