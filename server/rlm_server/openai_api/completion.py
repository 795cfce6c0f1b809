"""Completion: the result of a run in OpenAI's forms.

In: a result and the request's name of the model. Out: the object of Chat Completions, and its parts that Responses has
as well: usage of the whole tree of runs, the reason of the end, and the evidence as annotations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from ..headless.result import HeadlessResult

FAULTS = frozenset({"provider_error", "worker_lost", "cancelled", "denied"})
"""Endings that are errors; the others but a final answer are limits."""


def is_limit(result: HeadlessResult) -> bool:
    """Whether the run was ended by one of its limits, with the best partial answer."""
    return result.stopped_by not in FAULTS and result.stopped_by != "final_answer"


def text_of(result: HeadlessResult, *, is_json: bool) -> str:
    """The answer as the content of a message: with a schema the value as JSON."""
    return json.dumps(result.value, ensure_ascii=False) if is_json and result.value is not None else result.answer


def finish_reason(result: HeadlessResult) -> str:
    """`stop`, or `length` for a limit."""
    return "length" if is_limit(result) else "stop"


def usage_of(usage: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Usage of the whole tree of runs; `cost` is USD, left out where a price is unknown."""
    total = {name: sum(used[name] for used in usage.values()) for name in ("input_tokens", "output_tokens", "calls")}
    cached = sum(used["cached_tokens"] for used in usage.values())
    costs = [used["cost"] for used in usage.values()]
    counted: dict[str, Any] = {
        "prompt_tokens": total["input_tokens"],
        "completion_tokens": total["output_tokens"],
        "total_tokens": total["input_tokens"] + total["output_tokens"],
        "prompt_tokens_details": {"cached_tokens": cached},
        "model_calls": total["calls"],
    }
    return counted if None in costs else {**counted, "cost": round(sum(costs), 6)}


def annotations_of(content: str, evidence: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The quotes that support the answer as citations, the only kind that clients of Chat Completions read.

    The address names the source and the place, `context:report.pdf#page=3` or `context:notes.txt#char=10,42`; the
    indexes are those of the mark `[1]` in the content, where it has one.
    """
    citations = []
    for number, item in enumerate(evidence, 1):
        at = content.find(f"[{number}]")
        begin, end = (at, at + len(f"[{number}]")) if at >= 0 else (len(content), len(content))
        citation = {"title": item["quote"], "url": _address(item), "start_index": begin, "end_index": end}
        citations.append({"type": "url_citation", "url_citation": citation})
    return citations


def chat_completion(
    content: str,
    reason: str,
    usage: Mapping[str, Any],
    evidence: Sequence[Mapping[str, Any]],
    *,
    id: str,
    created: int,
    model: str,
) -> dict[str, Any]:
    """The object of Chat Completions; `evidence` is beside its message as a result has it."""
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if evidence:
        message |= {"annotations": annotations_of(content, evidence), "evidence": list(evidence)}
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": dict(usage),
    }


def _address(item: Mapping[str, Any]) -> str:
    place = ""
    if item["page"] is not None:
        place = f"#page={item['page']}"
    elif item["start"] is not None:
        place = f"#char={item['start']},{item['end']}"
    return f"context:{quote(item['source'] or 'context')}{place}"
