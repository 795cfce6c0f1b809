"""Reply forms: where the servers of each dialect put text, reasoning, finish reason and usage.

In: one JSON value of a reply, an event of a stream or the whole. Out: a `Part` of the reply. Each form is a row of a
table: a server that speaks a little differently gets a row here, and no `if` anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rlm_core.types import FinishReason, ModelUsage

Path: TypeAlias = tuple[str | int, ...]
Object: TypeAlias = dict[str, object]

CHAT_REASONING = (
    "reasoning_content",
    "reasoning",
    "reasoning_text",
    "thinking",
    "thinking_content",
    "reasoning_details",
    "reasoning_summary",
    "thoughts",
    "thought",
)
REASONING_TEXTS = ("text", "thinking", "content", "summary", "reasoning")
"""Where a part of reasoning has its text."""
THOUGHT: Path = ("extra_content", "google", "thought")
"""Says that the text beside it is no part of the reply."""
USAGES: tuple[Path, ...] = (
    ("usage",),
    ("choices", 0, "usage"),
    ("choices", 0, "delta", "usage"),
    ("choices", 0, "message", "usage"),
    ("x_groq", "usage"),
    ("message", "usage"),
    ("usageMetadata",),
)
"""Paths to the counts."""
COUNTS: Mapping[str, tuple[Path, ...]] = {
    "input": (
        ("prompt_tokens",),
        ("input_tokens",),
        ("prompt_eval_count",),
        ("promptTokens",),
        ("inputTokens",),
        ("promptTokenCount",),
        ("tokens", "input_tokens"),
        ("billed_units", "input_tokens"),
    ),
    "output": (
        ("completion_tokens",),
        ("output_tokens",),
        ("eval_count",),
        ("completionTokens",),
        ("outputTokens",),
        ("candidatesTokenCount",),
        ("tokens", "output_tokens"),
        ("billed_units", "output_tokens"),
    ),
    "cached": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("cached_tokens",),
        ("prompt_cache_hit_tokens",),
        ("cache_read_input_tokens",),
        ("cachedContentTokenCount",),
    ),
    "written": (("cache_creation_input_tokens",),),
}
TOTALS = ("total_tokens", "totalTokens", "totalTokenCount")
APART = "cache_read_input_tokens"
"""Where this stands, Anthropic's dialect, the tokens read from and written to the cache are no part of the input;
they are a part of `prompt_tokens`, which a proxy that speaks OpenAI's dialect writes beside it."""
FINISH_REASONS: Mapping[str, FinishReason] = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed"), "stop"),
    **dict.fromkeys(("finished", "done", "end", "eot", "eog", "stop_token"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens", "token_limit"), "length"),
    **dict.fromkeys(("max_length", "repetition_truncation", "truncated", "length_exceeded", "incomplete"), "length"),
    **dict.fromkeys(("max_new_tokens", "max_completion_tokens", "error_limit", "context_length"), "length"),
    **dict.fromkeys(("context_length_exceeded", "max_context_length"), "length"),
    **dict.fromkeys(("model_context_window_exceeded", "insufficient_system_resource"), "length"),
    **dict.fromkeys(("content_filter", "refusal", "safety", "sensitive", "recitation", "blocklist"), "content_filter"),
    **dict.fromkeys(("prohibited_content", "spii", "content_filtered", "guardrail_intervened"), "content_filter"),
    **dict.fromkeys(("language", "image_safety", "moderation", "error_toxic", "model_armor"), "content_filter"),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use", "tool_call", "function_calls"), "tool_calls"),
    **dict.fromkeys(("malformed_function_call", "malformed_tool_call", "unexpected_tool_call"), "tool_calls"),
}
BROKEN = frozenset(
    [
        *("error", "abort", "aborted", "cancelled", "canceled", "failed", "failure", "timeout", "network_error"),
        *("internal_error", "server_error", "internal_server_error", "model_error", "engine_error"),
        *("inference_error", "engine_overloaded"),
    ]
)
"""Finish reasons of replies that a fault ended."""
THOUGHTS = ("thinking", "reasoning", "redacted_thinking", "reasoning.text", "reasoning_content")
"""Types of content parts that are no part of the reply."""


@dataclass(slots=True)
class Part:
    """A part of a reply.

    Attributes:
        finish: the finish reason in the vendor's words, or empty.
        refused: whether `text` says that the model will not answer.
        usage: the counts known so far, by the names of `COUNTS` and `"cost"`.
        is_end: whether nothing follows.
        choice: the number of the reply among several that come at once.
        is_message: whether `text` is all of the message, which a server may send once more behind its pieces.
        calls_tool: whether the model calls a tool.
    """

    text: str = ""
    reasoning: str = ""
    finish: str = ""
    refused: bool = False
    usage: Mapping[str, float] | None = None
    is_end: bool = False
    choice: int | None = None
    is_message: bool = False
    calls_tool: bool = False


PLAIN_EVENT = frozenset(("id", "object", "created", "model", "choices", "system_fingerprint", "service_tier", "usage"))
PLAIN_CHOICE = frozenset(("index", "delta", "finish_reason", "logprobs"))
PLAIN_DELTA = frozenset(("role", "content"))
"""Names in an event of OpenAI's dialect that brings text and nothing else."""


class UnknownForm(ValueError):
    """The value has none of the forms; the message continues "The reply of <name> ..."."""


def part_of(value: object) -> Part:
    """Read one value of a reply.

    Raises:
        UnknownForm: it has none of the forms.
    """
    if not isinstance(value, dict):
        raise UnknownForm("does not have the shape of a reply")
    for fits, read in FORMS:
        if fits(value):
            return read(value)
    raise UnknownForm("does not have the shape of a reply")


def plain_part(value: object) -> Part | None:
    """The part in an event that brings text and nothing else, as most do: read without a look for what it lacks.

    `None` for any other value, which may report a failure, and which `part_of` reads.
    """
    if not isinstance(value, dict) or not value.keys() <= PLAIN_EVENT or value.get("usage") is not None:
        return None
    choices = value.get("choices")
    if value.get("object", "chat.completion.chunk") != "chat.completion.chunk":
        return None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choice := choices[0], dict):
        return None
    if not choice.keys() <= PLAIN_CHOICE or choice.get("finish_reason") is not None:
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict) or not delta.keys() <= PLAIN_DELTA:
        return None
    text = delta.get("content")
    return Part(text, choice=_number(choice)) if isinstance(text, str) and text else None


def finish_reason(finish: str) -> FinishReason | None:
    """The finish reason on our wire, `None` for one that is unknown.

    >>> finish_reason("end_turn"), finish_reason("MAX_TOKENS"), finish_reason("")
    ('stop', 'length', None)
    """
    return FINISH_REASONS.get(_plain(finish))


def is_broken(finish: str) -> bool:
    """Whether a fault ended the reply."""
    return _plain(finish) in BROKEN


def _plain(finish: str) -> str:
    """A finish reason in the one spelling of the tables: `FINISH_REASON_MAX_TOKENS`, `content-filter`."""
    return finish.strip().lower().replace("-", "_").replace(" ", "_").removeprefix("finish_reason_")


def usage_of(counts: Mapping[str, float]) -> ModelUsage:
    """The usage of one call by its counts."""
    return ModelUsage(
        1, int(counts.get("input", 0)), int(counts.get("output", 0)), int(counts.get("cached", 0)), counts.get("cost")
    )


def token_count(value: object) -> int | None:
    """`value` as a number of tokens, `None` for anything that is not one.

    >>> token_count(7), token_count(7.0), token_count("7"), token_count(True)
    (7, 7, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return int(value)


# ---------------------------------------------------------------------------------------------------- OpenAI's dialect


def _chat(value: Object) -> Part:
    """`{"choices": [{"delta" | "message", "finish_reason"}], "usage"}`."""
    choices = value.get("choices")
    if choices is not None and not isinstance(choices, list):
        raise UnknownForm("has `choices` that are not a list")
    known = [choice for choice in choices or () if choice is not None]
    if not all(isinstance(choice, dict) for choice in known):
        raise UnknownForm("has `choices` that are not objects")
    choice: Object = min(known or [{}], key=_number)
    bodies = [(name, body) for name in ("delta", "message") if isinstance(body := choice.get(name), dict) and body]
    source, body = bodies[0] if bodies else ("", Object())
    text, thoughts = _text(_first((body.get("content"), body.get("text"), choice.get("text"))))
    refusal = _refusal(body) if not text else ""
    shown = _first("".join(_strings(body.get(name))) for name in CHAT_REASONING)
    if _at(body, THOUGHT) is True:
        text, thoughts = "", thoughts + text
    finish = _word(choice.get("finish_reason"))
    finish = "" if finish == "null" else finish
    is_all = bool(finish) or value.get("object") == "chat.completion" or "usage" in value
    return Part(
        text or refusal,
        thoughts + (shown if isinstance(shown, str) else ""),
        finish,
        refused=bool(refusal),
        usage=_usage(value),
        is_end=source == "message" and "delta" not in choice and is_all,
        choice=_number(choice) if known else None,
        is_message=source == "message",
        calls_tool=_calls_tool(body),
    )


def _calls_tool(body: Object) -> bool:
    return any(isinstance(call := body.get(name), list | dict) and bool(call) for name in CALLS)


def _refusal(body: Object) -> str:
    """The words with which the model refuses: a field, or a part of the content."""
    content = body.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(_word(item.get("refusal")) for item in [body, *parts])


def _number(choice: Object) -> int:
    number = choice.get("index")
    if isinstance(number, str) and number.isascii() and number.isdecimal():
        return int(number)
    return int(number) if isinstance(number, int | float) and abs(number) < 1e6 else 0


# ------------------------------------------------------------------------------------------------- Anthropic's dialect


def _message(value: Object) -> Part:
    """A whole message: `{"content": [{"type", "text"}], "stop_reason", "usage"}`."""
    content = value.get("content")
    if not isinstance(content, list):
        raise UnknownForm("has no `content`")
    text, thoughts = _text(content)
    calls_tool = any(_at(part, ("type",)) == TOOL for part in content)
    stop = _word(value.get("stop_reason"))
    return Part(text, thoughts, stop, usage=_usage(value), is_end=True, calls_tool=calls_tool)


def _message_event(value: Object) -> Part:
    """One event of a streamed message: `message_start`, `content_block_delta`, `message_delta`, `message_stop`."""
    begins = value.get("type") == "content_block_start"
    delta = value.get("content_block" if begins else "delta")
    fields = delta if isinstance(delta, dict) else {}
    is_text = fields.get("type", "text") in MESSAGE_TEXTS and (
        not begins or _first(map(fields.get, ("text", "thinking")))
    )
    text, thoughts = _text([fields] if is_text and {"text", "thinking"} & fields.keys() else None)
    return Part(
        text,
        thoughts,
        _word(fields.get("stop_reason")),
        usage=_usage(value),
        is_end=value.get("type") == "message_stop",
        calls_tool=begins and fields.get("type") == TOOL,
    )


# ---------------------------------------------------------------------------------------------------- Ollama's dialect


def _ollama(value: Object) -> Part:
    """`{"message": {"content", "thinking"}, "done", "done_reason", "prompt_eval_count", "eval_count"}`."""
    message = value.get("message")
    fields = message if isinstance(message, dict) else {}
    text, thoughts = _text(fields.get("content"))
    thinking = fields.get("thinking")
    is_end = value.get("done") is True
    return Part(
        text,
        thoughts + (thinking if isinstance(thinking, str) else ""),
        (_word(value.get("done_reason")) or "stop") if is_end else "",
        usage=_counts(value) if is_end else None,
        is_end=is_end,
        calls_tool=_calls_tool(fields),
    )


CALLS = ("tool_calls", "function_call")
TOOL = "tool_use"
"""Type of a part by which the model calls a tool of ours; there is none."""
MESSAGE_TEXTS = ("text_delta", "thinking_delta", "text", "thinking")
MESSAGE_EVENTS = frozenset(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    ]
)
FORMS: tuple[tuple[Callable[[Object], bool], Callable[[Object], Part]], ...] = (
    (lambda value: "choices" in value, _chat),
    (lambda value: value.get("type") in MESSAGE_EVENTS, _message_event),
    (lambda value: isinstance(value.get("done"), bool), _ollama),
    (lambda value: "content" in value or value.get("type") == "message", _message),
    (lambda value: any(_at(value, path) is not None for path in USAGES), lambda value: Part(usage=_usage(value))),
    (lambda value: "id" in value or "object" in value or isinstance(value.get("type"), str), lambda value: Part()),
    (lambda value: not value, lambda value: Part()),
)
"""Whether a value has the form, and how it is read; the first that fits is taken."""


def _text(content: object) -> tuple[str, str]:
    """Text and reasoning of a message's content: a string, or a list of parts."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, dict):
        parts = content.get("parts")
        content = parts if isinstance(parts, list) else [content] if "type" in content else None
    if not isinstance(content, list):
        raise UnknownForm("has `content` that is not text")
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:
        if not isinstance(part, dict):
            raise UnknownForm("has `content` that is not text")
        kind = part.get("type", "text")
        if kind in THOUGHTS or kind == "thinking_delta":
            thoughts += _strings(part)
        elif kind in ("text", "output_text", "text_delta"):
            if not isinstance(part.get("text"), str | dict):
                raise UnknownForm("has a text part without text")
            texts += _strings(part["text"])
    return "".join(texts), "".join(thoughts)


def _strings(value: object) -> Iterator[str]:
    """The strings of text or reasoning, which may be parts again."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
    elif isinstance(value, dict):
        yield from _strings(_first(value.get(name) for name in (*REASONING_TEXTS, "value")))


def _usage(value: Object) -> Mapping[str, float] | None:
    """The counts of the first path that leads to some, `None` without any."""
    for path in USAGES:
        if path[0] in value and isinstance(usage := _at(value, path), dict) and (counts := _counts(usage)):
            return counts
    return None


def _counts(usage: Object) -> dict[str, float]:
    counts: dict[str, float] = {}
    for name, paths in COUNTS.items():
        for path in paths:
            if (number := token_count(_counted(_at(usage, path), name))) is not None:
                counts[name] = number
                break
    if "input" in counts and "prompt_tokens" not in usage and (APART in usage or "written" in counts):
        counts["input"] += counts.get("cached", 0) + counts.get("written", 0)
    total = next((count for name in TOTALS if (count := token_count(usage.get(name))) is not None), 0)
    if total > counts.get("input", 0) + counts.get("output", 0):  # some vendors count thoughts in the total alone
        counts["output" if "input" in counts else "input"] = total - counts.get("input", counts.get("output", 0))
    cost = _first((_at(usage, ("cost", "total_cost")), usage.get("cost")))
    if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e9:
        counts["cost"] = float(cost)
    return counts


def _counted(value: object, name: str) -> object:
    """`value`, or the number that it is the text of, where a budget depends on it."""
    is_number = name in ("input", "output") and isinstance(value, str) and value.isascii() and value.isdecimal()
    return float(str(value)) if is_number else value


def _first(items: Iterable[object]) -> object:
    """The first item that is not null and not empty text."""
    return next((item for item in items if item is not None and item != ""), None)


def _at(value: object, path: Path) -> object:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and value and isinstance(step, int):
            value = value[step]
        else:
            return None
    return value


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
