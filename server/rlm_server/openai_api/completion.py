"""Completion: the result of a run in OpenAI's forms.

In: a result and the request's name of the model. Out: the object of Chat Completions, and its parts that Responses has
as well: usage of the whole tree of runs, the reason of the end, and the evidence as annotations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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


def annotations_of(result: HeadlessResult) -> list[dict[str, Any]]:
    """The quotes that support the answer, in the form of file citations, each with its place."""
    return [
        {
            "type": "file_citation",
            "file_citation": {"file_id": item["source"] or "context", "quote": item["quote"]},
            "index": index,
            "status": item["status"],
            "line": item["line"],
            "page": item["page"],
            "start": item["start"],
            "end": item["end"],
        }
        for index, item in enumerate(result.evidence)
    ]


def chat_completion(result: HeadlessResult, *, id: str, created: int, model: str, is_json: bool) -> dict[str, Any]:
    """The object of Chat Completions."""
    message = {
        "role": "assistant",
        "content": text_of(result, is_json=is_json),
        "refusal": None,
        "annotations": annotations_of(result),
    }
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(result)}],
        "usage": usage_of(result.usage),
    }
