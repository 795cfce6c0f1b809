"""Arguments: the options of a run as Python spells them, checked, and in the form that the page takes.

In: keyword arguments (`max_iterations=10`, `tools={...}`, `on_event=...`). Out: the page's options, the tools and the
callbacks apart; or a `ConfigError` that names the argument and its range. Values are checked by the page, names here.

Durations are seconds. An option in JavaScript's spelling (`maxTimeout`) has JavaScript's unit (milliseconds), so that
one JSON file of options serves both.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypedDict

from rlm_core import ConfigError
from rlm_core.limits import LIMITS

from .names import camel, snake
from .python_provider import Provider, PythonProvider
from .python_tools import Tools
from .value_shape import ValueShape, shape_of

Log = Path | str
"""A recorded run: the path of its trajectory, or the trajectory's text."""
OnEvent = Callable[[dict[str, Any]], object]
"""Takes each event of the run in its JSON form, or is a coroutine function that does."""
OnEgress = Callable[[dict[str, Any]], object]
"""Takes a request before it leaves, as `RLMEgressRequest` of rlm.d.ts in snake_case and without its signal; gives
`"allow"`, `"deny"` or `{"deny": reason}`, also from a coroutine."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child run, as `on_child` gets it.

    Attributes:
        path: `(0,)` is a child of the root run, `(0, 2)` a child of that.
        model: its root model, `None` for the server's default.
        stop: coroutine function that stops this run and those below it, and nothing else.
    """

    path: tuple[int, ...]
    question: str
    model: str | None
    stop: Callable[[], Any] = field(repr=False)


class ModelOptions(TypedDict, total=False):
    """Options of model calls; the server maps them to each provider, and refuses by name one that it has not."""

    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    seed: int | None


class Options(TypedDict, total=False):
    """Options of a run. `None` stands for the default; see the table of options in the README."""

    model: str | None
    sub_model: str | None
    allowed_models: Sequence[str] | None
    model_options: ModelOptions | None
    sub_model_options: ModelOptions | None
    max_iterations: int | None
    max_output_chars: int | None
    max_timeout: float | None
    block_timeout: float | None
    max_errors: int | None
    system_prompt: str | None
    max_sub_calls: int | None
    max_depth: int | None
    max_concurrency: int | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    max_cost: float | None
    allow_unknown_price: bool | None
    max_prompt_chars: int | None
    max_context_chars: int | None
    window_tokens: int | None
    compact_at: float | Literal[False] | None
    host: Literal["auto", "worker", "frame"] | None
    containment: Literal["full", "network", "weak"] | None
    packages: Sequence[str] | None
    keep_images: bool | None
    overlap: bool | None


class CallbackArguments(TypedDict, total=False):
    """Functions or coroutine functions of the caller; a failure of one is logged, and does not touch the run."""

    on_event: OnEvent | None
    on_iteration: Callable[[dict[str, Any]], object] | None
    on_sub_llm_call: Callable[[dict[str, Any]], object] | None
    on_child: Callable[[Child], object] | None
    on_egress: OnEgress | None


class RLMArguments(Options, CallbackArguments, total=False):
    """Arguments of `BrowserRLM`, defaults for each of its runs.

    `provider` is a function or coroutine function that answers model calls in this process, in place of the server's
    providers; see `python_provider.py`. `tools` and `sub_tools` are name -> a JSON value, a function, a coroutine
    function, or `{"tool": any of these, "description": text}`.
    """

    tools: Mapping[str, Any] | None
    sub_tools: Mapping[str, Any] | None
    provider: Provider | None


class RunArguments(RLMArguments, total=False):
    """Arguments of one run, beside its question; they win over those of `BrowserRLM`.

    `schema` is the shape of the answer's value: a JSON Schema as a dict, or a type that pydantic knows, such as a
    model. `context` is a path or paths of files and folders, text, bytes, a JSON value or a table of pandas or polars.
    `resume`, `replay` and `fork` take the log of a run: to continue it, to replay it, or to begin as it did until an
    iteration, `(log, iteration)`. A new run under the `idempotency_key` of an earlier one pays for no reply that the
    server has kept.
    With `direct` the question is one call over the whole context, where it fits into the model's window.
    """

    context: object
    schema: Any
    direct: bool
    resume: Log | None
    replay: Log | None
    fork: tuple[Log, int] | tuple[Log, int, str | list[str] | None] | None
    idempotency_key: str | None


class QuestionArguments(CallbackArguments, total=False):
    """Arguments of one question of a session; without a context the one before stays. The others are as of a run."""

    context: object
    schema: Any
    direct: bool
    resume: Log | None


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The caller's functions of one run."""

    on_event: OnEvent | None = None
    on_iteration: Callable[[dict[str, Any]], object] | None = None
    on_sub_llm_call: Callable[[dict[str, Any]], object] | None = None
    on_child: Callable[[Child], object] | None = None
    on_egress: OnEgress | None = None

    def wants(self) -> dict[str, bool]:
        """The callbacks that the page has to call, besides those for events."""
        return {
            "iteration": self.on_iteration is not None,
            "subLLMCall": self.on_sub_llm_call is not None,
            "child": self.on_child is not None,
            "egress": self.on_egress is not None,
        }


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of a run, taken apart.

    Attributes:
        options: of the page's `RLM`, in its spelling.
        shape: of the answer's value, `None` for text.
        provider: of this process; `None`: model calls go to the server.
        direct: one call in place of the loop; `None` where that is not said.
        log: `{"resume": text}`, `{"replay": text}`, `{"fork": {"log": text, "iteration": n}}` or empty.
        key: name of the run in the idempotency keys of its calls, or `None`; checked by the page.
        respelled: the page's name of an option -> the caller's, for errors.
    """

    options: Mapping[str, object]
    tools: Tools
    provider: PythonProvider | None
    callbacks: Callbacks
    context: object
    shape: ValueShape | None
    direct: object
    log: Mapping[str, object]
    key: object
    respelled: Mapping[str, str]

    def settings(self) -> dict[str, object]:
        """The page's `PythonSettings`."""
        declared = self.tools.declared
        return {
            "options": dict(self.options),
            "tools": declared["tools"],
            "subTools": declared["sub_tools"],
            "provider": None if self.provider is None else self.provider.facts,
        }

    def in_python(self, message: str) -> str:
        """A message of the page with its options as the caller spelled them."""
        return re.sub(r"\b\w+\b", lambda word: self.respelled.get(word[0], word[0]), message)


USELESS = {
    "endpoint": "the page calls its own server: give that server's address as url",
    "token": "it belongs to the server's address: BrowserRLM(url, token=...)",
    "headers": "the page calls its own server, whose token is BrowserRLM(url, token=...)",
    "assets": "the page has its own server's assets: give that server's address as url",
    "journal": "the browser is closed at the end: keep result.trajectory, and pass it as resume",
    "keep_log": "the browser is closed at the end: keep result.trajectory",
    "keep_context": "the browser is closed at the end: pass the context again with resume",
    "signal": "cancel the task, or call stop()",
}
MODEL_OPTIONS = frozenset({"model_options", "sub_model_options"})
SCALED = {snake(facts.option): facts for facts in LIMITS if facts.scale != 1}
CALLBACKS = tuple(entry.name for entry in fields(Callbacks))


def parsed(arguments: Mapping[str, object], kind: type) -> Arguments:
    """Check the names in `arguments` and take its parts apart.

    Args:
        arguments: keyword arguments; the later of a default and an argument of the run has been chosen already.
        kind: the `TypedDict` that names the arguments which are allowed here.

    Raises:
        ConfigError: an argument is unknown, of no use here, given twice, or of a wrong type.
    """
    named = _by_python_name(arguments, kind)
    callbacks = Callbacks(**{name: named.get(name) for name in CALLBACKS})  # type: ignore[arg-type]
    for name in (*CALLBACKS, "provider"):
        if named.get(name) is not None and not callable(named[name]):
            raise ConfigError(f"{name} must be a function, not {named[name]!r}.")
    options = {
        camel(name): _in_page_units(name, spelled, named[name])
        for name, spelled in _spellings(arguments).items()
        if name in Options.__annotations__ and named[name] is not None
    }
    return Arguments(
        options=options,
        tools=Tools(_tools(named, "tools") or {}, _tools(named, "sub_tools")),
        provider=_provider(named),
        callbacks=callbacks,
        context=named.get("context"),
        shape=shape_of(named.get("schema")),
        direct=named.get("direct"),
        log=_log(named),
        key=named.get("idempotency_key"),
        respelled={camel(name): spelled for name, spelled in _spellings(arguments).items()},
    )


def chosen(defaults: Mapping[str, object], arguments: Mapping[str, object]) -> dict[str, object]:
    """`arguments`, and the defaults that they do not replace in either spelling."""
    replaced = {snake(name) for name in arguments}
    return {**{name: value for name, value in defaults.items() if snake(name) not in replaced}, **arguments}


def _by_python_name(arguments: Mapping[str, object], kind: type) -> dict[str, object]:
    named: dict[str, object] = {}
    for spelled, value in arguments.items():
        name = snake(spelled)
        if name not in kind.__annotations__:
            raise ConfigError(_unknown(spelled, kind))
        if name in named:
            raise ConfigError(f"{name} is given twice, also as {camel(name)}. Give it once.")
        named[name] = value
    return named


def _unknown(spelled: str, kind: type) -> str:
    name = snake(spelled)
    if name in USELESS:
        return f"{spelled} is of no use here: {USELESS[name]}."
    if name in RunArguments.__annotations__:
        return f"{spelled} cannot be chosen here: give it to {_home(name)}."
    known = sorted(kind.__annotations__)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Is {close[0]} meant?" if close else f"Known are {', '.join(known)}."
    return f"unknown option {spelled}. {hint}"


def _home(name: str) -> str:
    return "BrowserRLM or run" if name in RLMArguments.__annotations__ else "run"


def _spellings(arguments: Mapping[str, object]) -> dict[str, str]:
    """Python's name of each argument -> the name that was used."""
    return {snake(spelled): spelled for spelled in arguments}


def _in_page_units(name: str, spelled: str, value: object) -> object:
    if name in MODEL_OPTIONS and isinstance(value, Mapping):
        return {camel(option): chosen for option, chosen in _by_python_name(value, ModelOptions).items()}
    facts = SCALED.get(name)
    if facts is None or spelled != name:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{name} must be a number of {facts.unit} above 0, not {value!r}.")
    return value * facts.scale


def _tools(named: Mapping[str, object], name: str) -> Mapping[str, Any] | None:
    tools = named.get(name)
    if tools is not None and not isinstance(tools, Mapping):
        raise ConfigError(f"{name} must be a dict of name and tool, not a {type(tools).__name__}.")
    return tools


def _provider(named: Mapping[str, Any]) -> PythonProvider | None:
    return None if named.get("provider") is None else PythonProvider(named["provider"])


def _log(named: Mapping[str, object]) -> dict[str, object]:
    log: dict[str, object] = {}
    for name in ("resume", "replay"):
        if (source := named.get(name)) is not None:
            log[name] = log_text(name, source)
    if (fork := named.get("fork")) is not None:
        if not (isinstance(fork, tuple | list) and len(fork) in (2, 3)):
            raise ConfigError(f"fork must be (log, iteration) or (log, iteration, code), not {fork!r:.60}.")
        code = {} if len(fork) == 2 or fork[2] is None else {"code": fork[2]}
        log["fork"] = {"log": log_text("fork", fork[0]), "iteration": fork[1], **code}
    return log


def read_options(path: Path) -> dict[str, object]:
    """The options in a JSON file, in either spelling.

    Raises:
        ConfigError: it is no JSON object, or an option in it is unknown.
    """
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{path.name} cannot be read as JSON: {fault}.") from None
    if not isinstance(options, dict):
        raise ConfigError(f"{path.name} must hold a JSON object of options, not a {type(options).__name__}.")
    parsed(options, RLMArguments)
    return options


def log_text(name: str, log: object) -> str:
    """The text of a log that is given as its path or as its text.

    Raises:
        ConfigError: it is neither, or cannot be read.
    """
    if isinstance(log, str) and (log == "" or log.lstrip().startswith("{")):
        return log
    if not isinstance(log, Path):
        raise ConfigError(f"{name} must be a Path of a trajectory or its text, not {log!r:.60}.")
    try:
        return log.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{name}: {log} cannot be read: {fault}.") from None
