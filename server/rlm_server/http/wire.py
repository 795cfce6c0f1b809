"""Wire: the request shapes of `/api/rlm`, checked, and the shapes of its replies.

    {"messages": [{"role", "content"}], ...}     -> Conversation
    {"prompt": "...", ...}                       -> Conversation of one user message
    {"type": "batch", "prompts": [...], ...}     -> Batch

Each takes `model`, `stream`, `options` (`temperature`, `top_p`, `max_output_tokens`, `reasoning_effort`, `seed`) and
`schema`, a JSON Schema for the vendor's structured output, where it has one; it adds nothing to the prompt; and
`images` beside the last message, see `image_fields.py`.

In: any JSON value. Out: one of the two, or a `Problem` that names the offending field. Anything else is
refused, so that nothing of the upstream (its URL, headers, tools) can be chosen by a client. Nothing here does I/O.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, get_args

from rlm_core.types import Json, Message, ModelUsage, Reply, Role

from ..providers.images import Images
from ..providers.upstream import NO_OPTIONS, ModelOptions
from .image_fields import images_of, images_of_batch
from .problems import Problem

MAX_BATCH = 1000
MAX_SCHEMA_CHARS = 40_000
"""Characters of the largest schema, as JSON."""
ROLES = get_args(Role)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Values of `reasoning_effort`; which of them a model takes is its vendor's matter."""
MAX_SEED = 2**63 - 1
SHAPES = '{"messages": [...]}, {"prompt": "..."} or {"type": "batch", "prompts": [...]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Fields of either form: the model (`None` is the default one), and the form of the reply."""

    model: str | None = None
    stream: bool = False
    options: ModelOptions = NO_OPTIONS
    schema: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Conversation(Asked):
    """One call with `messages`, and `images` beside the last one."""

    messages: tuple[Message, ...]
    images: Images = ()


@dataclass(frozen=True, slots=True)
class Batch(Asked):
    """Many calls of one prompt each, to one model.

    Attributes:
        images: those beside each, none for none at all.
        nth: number of each among equal prompts, from 0, none where their order here tells it.
    """

    prompts: tuple[str, ...]
    images: tuple[Images, ...] = ()
    nth: tuple[int, ...] = ()


Wanted: TypeAlias = Conversation | Batch


def parse_request(body: object) -> Wanted:
    """Check `body` and return its request.

    Raises:
        Problem: it is none of the three shapes, or a value in it is not allowed.

    >>> parse_request({"prompt": "Hello"}).messages
    (Message(role='user', content='Hello'),)
    """
    if not isinstance(body, dict):
        raise _invalid(f"The body must be an object, not {_kind(body)}. Send {SHAPES}.")
    if "type" in body:
        return _batch(body)
    if "messages" in body and "prompt" in body:
        raise _invalid("`messages` and `prompt` exclude each other. Send one of them.")
    if "messages" in body:
        return _conversation(body)
    if "prompt" in body:
        return _prompt(body)
    _only(body, ())
    raise _invalid(f"There is neither `messages` nor `prompt` nor `type`. Send {SHAPES}.")


def check_prompt(prompt: str) -> None:
    """Refuse a prompt that asks nothing.

    Raises:
        Problem: `prompt` is empty or white space.
    """
    if not prompt or prompt.isspace():
        raise Problem("empty-prompt", "The prompt is empty. Write what the model should answer.")


def reply_json(reply: Reply) -> dict[str, Json]:
    """`{text, model, finish_reason, usage, reasoning?, from_store?}`; the finish reason is `null` where it is unknown.

    The reasoning is the one that the model shows, where it shows any. `from_store` is there, and true, where the reply
    was kept from an earlier request: its usage was paid then.
    """
    stored: dict[str, Json] = {"from_store": True} if reply.from_store else {}
    whole: dict[str, Json] = {
        "text": reply.text,
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "usage": usage_json(reply.usage),
        **stored,
    }
    return {**whole, "reasoning": reply.reasoning} if reply.reasoning else whole


def usage_json(usage: ModelUsage) -> dict[str, Json]:
    """`{calls, input_tokens, output_tokens, cached_tokens, cost}`; the cost, in USD, is `null` where it is unknown.

    >>> usage_json(ModelUsage(1, 7, 2, cost=0.25))["cost"], usage_json(ModelUsage(1, 7, 2))["cost"]
    (0.25, None)
    """
    return {
        "calls": usage.calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "cost": usage.cost,
    }


def batch_json(outcomes: Sequence[Reply | Problem]) -> dict[str, Json]:
    """`{results, finish_reasons, usage, from_store?, errors?}`.

    A failed item is `null` and has an entry in `errors`; `from_store` holds the indexes of kept replies.
    """
    results: list[Json] = [outcome.text if isinstance(outcome, Reply) else None for outcome in outcomes]
    usage = sum((outcome.usage for outcome in outcomes if isinstance(outcome, Reply)), ModelUsage())
    errors: list[Json] = [
        {"index": index, **outcome.to_json()} for index, outcome in enumerate(outcomes) if isinstance(outcome, Problem)
    ]
    reasons: list[Json] = [outcome.finish_reason if isinstance(outcome, Reply) else None for outcome in outcomes]
    whole: dict[str, Json] = {"results": results, "finish_reasons": reasons, "usage": usage_json(usage)}
    stored: list[Json] = [
        index for index, outcome in enumerate(outcomes) if isinstance(outcome, Reply) and outcome.from_store
    ]
    if stored:
        whole["from_store"] = stored
    return {**whole, "errors": errors} if errors else whole


def item_json(index: int, outcome: Reply | Problem) -> dict[str, Json]:
    """One line of a streamed batch: `{"index", "error"}`, or the index and the fields of `reply_json`."""
    if isinstance(outcome, Problem):
        return {"index": index, "error": outcome.to_json()}
    return {"index": index, **reply_json(outcome)}


def _batch(body: Mapping[str, object]) -> Batch:
    if body["type"] != "batch":
        raise _invalid('`type` can only be "batch".')
    _only(body, ("type", "prompts", "nth"))
    prompts = body.get("prompts")
    if not isinstance(prompts, list) or not prompts:
        raise _invalid(f"`prompts` must be a list of at least one string, not {_kind(prompts)}.")
    if len(prompts) > MAX_BATCH:
        raise _invalid(f"`prompts` holds {len(prompts):,}; at most {MAX_BATCH:,} go into one batch. Send several.")
    texts = tuple(_text(prompt, f"prompts[{index}]") for index, prompt in enumerate(prompts))
    images = images_of_batch(body.get("images"), len(texts))
    return Batch(texts, images, _nth(body.get("nth"), len(texts)), **_reply_fields(body))


def _nth(value: object, prompts: int) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) != prompts or not all(type(n) is int and n >= 0 for n in value):
        raise _invalid(f"`nth` must be a list with a whole number of at least 0 for each of the {prompts:,} prompts.")
    return tuple(value)


def _prompt(body: Mapping[str, object]) -> Conversation:
    _only(body, ("prompt",))
    prompt = _text(body["prompt"], "prompt")
    check_prompt(prompt)
    return Conversation((Message("user", prompt),), images_of(body.get("images"), "images"), **_reply_fields(body))


def _conversation(body: Mapping[str, object]) -> Conversation:
    _only(body, ("messages",))
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise _invalid(f"`messages` must be a list of at least one message, not {_kind(messages)}.")
    checked = tuple(_message(message, f"messages[{index}]") for index, message in enumerate(messages))
    check_prompt("".join(message.content for message in checked if message.role == "user"))
    if body.get("images") and checked[-1].role != "user":
        raise _invalid("`images` stand beside the last message, which must be the user's.")
    return Conversation(checked, images_of(body.get("images"), "images"), **_reply_fields(body))


def _message(value: object, field: str) -> Message:
    if not isinstance(value, dict):
        raise _invalid(f"`{field}` must be an object with `role` and `content`, not {_kind(value)}.")
    for name in value:
        if name not in ("role", "content"):
            raise _unknown(f"{field}.{name}")
    role = value.get("role")
    if role not in ROLES:
        raise _invalid(f"`{field}.role` must be one of {', '.join(ROLES)}.")
    return Message(cast(Role, role), _text(value.get("content"), f"{field}.content"))


def _reply_fields(body: Mapping[str, object]) -> dict[str, Any]:
    """The fields of `Asked`."""
    return {"model": _model(body), "stream": _stream(body), "options": _options(body), "schema": _schema(body)}


def _only(body: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in body:
        if name not in (*names, "model", "stream", "options", "schema", "images"):
            raise _unknown(name)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise _invalid(f"`{field}` must be a string, not {_kind(value)}. Only text is passed on.")
    return value


def _model(body: Mapping[str, object]) -> str | None:
    model = body.get("model")
    if model is None:
        return None
    if not isinstance(model, str) or not model:
        raise _invalid("`model` must be a name such as `builtin:extractive`, or left out for the default one.")
    return model


def _stream(body: Mapping[str, object]) -> bool:
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise _invalid(f"`stream` must be true or false, not {_kind(stream)}.")
    return stream


def _schema(body: Mapping[str, object]) -> Mapping[str, Json] | None:
    schema = body.get("schema")
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise _invalid(f"`schema` must be a JSON Schema, an object, not {_kind(schema)}.")
    try:
        size = len(json.dumps(schema, ensure_ascii=False))
    except RecursionError:
        raise _invalid("`schema` is nested too deeply.") from None
    if size > MAX_SCHEMA_CHARS:
        raise _invalid(f"`schema` has more than {MAX_SCHEMA_CHARS:,} characters as JSON. Ask for less in one call.")
    return schema


def _options(body: Mapping[str, object]) -> ModelOptions:
    options = body.get("options")
    if options is None:
        return NO_OPTIONS
    if not isinstance(options, dict):
        raise _invalid(f"`options` must be an object, not {_kind(options)}.")
    for name, value in options.items():
        if name not in OPTION_CHECKS:
            raise _unknown(f"options.{name}")
        fits, wanted = OPTION_CHECKS[name]
        if value is not None and not fits(value):
            raise _invalid(f"`options.{name}` must be {wanted}.")
    return ModelOptions(**options)


def _number_within(least: float, most: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _whole_within(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


OPTION_CHECKS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "temperature": (_number_within(0, 2), "a number from 0 to 2"),
    "top_p": (_number_within(0, 1), "a number from 0 to 1"),
    "max_output_tokens": (_whole_within(1, 10_000_000), "a whole number from 1 to 10,000,000"),
    "reasoning_effort": (lambda value: value in EFFORTS, f"one of {', '.join(EFFORTS)}"),
    "seed": (_whole_within(-MAX_SEED, MAX_SEED), "a whole number of at most 63 bits"),
}


def _kind(value: object) -> str:
    """The kind of a JSON value, in words for an error: never the value itself."""
    if value is None:
        return "null or missing"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", dict: "an object"}
    return names[type(value)]


def _invalid(detail: str) -> Problem:
    return Problem("invalid-request", detail)


def _unknown(name: str) -> Problem:
    shown = name if len(name) <= 60 else name[:60] + "..."
    return Problem("unknown-field", f"The field {shown!r} is not known here and nothing was sent. Leave it out.")
