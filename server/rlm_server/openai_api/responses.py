"""Responses: a kept run in the forms of the Responses API.

In: a run, under way or over. Out: the object `response`; or the events of a stream, whose reasoning summary is the
progress, and whose output text is the answer alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from .chat import HEARTBEAT, event
from .kept_runs import Failed, Finished, KeptRun

PREFIX = "resp_"


def response_json(
    run: KeptRun, *, is_background: bool = False, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The object of a run, whatever its state."""
    end = run.end
    output = [_message(run, end)] if isinstance(end, Finished) else []
    error = None
    if isinstance(end, Failed) and not run.is_stopped:
        error = {"code": "server_error" if end.status >= 500 else end.code, "message": end.message}
    is_cut = isinstance(end, Finished) and end.reason == "length"
    return {
        "id": f"{PREFIX}{run.id}",
        "object": "response",
        "created_at": int(run.created),
        "status": status_of(run),
        "background": is_background,
        "error": error,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "instructions": None,
        "metadata": dict(metadata or {}),
        "model": run.asked.name,
        "output": output,
        "parallel_tool_calls": False,
        "temperature": None,
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "usage": _usage(end.usage) if isinstance(end, Finished) else None,
    }


def status_of(run: KeptRun) -> str:
    """`in_progress`, `completed`, `incomplete` (a limit), `failed` or `cancelled`."""
    if run.end is None:
        return "in_progress"
    if isinstance(run.end, Finished):
        return "completed" if run.end.reason == "stop" else "incomplete"
    return "cancelled" if run.is_stopped else "failed"


async def events(run: KeptRun, state: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Server-sent events, from the first piece on; `state` are the further arguments of `response_json`."""
    number = 0

    def named(name: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return event({"type": name, "sequence_number": number - 1, **fields}, name)

    def shown() -> dict[str, Any]:
        return {**response_json(run, **state), "status": "in_progress", "output": [], "error": None, "usage": None}

    yield named("response.created", response=shown())
    yield named("response.in_progress", response=shown())
    at, summary, text = 0, "", ""
    reasoning, message = f"rs_{run.id}", f"msg_{run.id}"
    has_message = False

    def opened() -> list[bytes]:
        item = {"id": message, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        return [
            named("response.output_item.added", output_index=at, item=item),
            named("response.content_part.added", item_id=message, output_index=at, content_index=0, part=part),
        ]

    def thought() -> list[bytes]:
        part = {"type": "summary_text", "text": summary}
        place = {"item_id": reasoning, "output_index": 0, "summary_index": 0}
        item = {"id": reasoning, "type": "reasoning", "summary": [part]}
        return [
            named("response.reasoning_summary_text.done", **place, text=summary),
            named("response.reasoning_summary_part.done", **place, part=part),
            named("response.output_item.done", output_index=0, item=item),
        ]

    async for piece in run.follow():
        if piece is None:
            yield HEARTBEAT
            continue
        kind, more = piece
        if kind == "reasoning" and not has_message:
            place = {"item_id": reasoning, "output_index": 0, "summary_index": 0}
            if not summary:
                item = {"id": reasoning, "type": "reasoning", "summary": []}
                yield named("response.output_item.added", output_index=0, item=item)
                empty = {"type": "summary_text", "text": ""}
                yield named("response.reasoning_summary_part.added", **place, part=empty)
            summary += more
            yield named("response.reasoning_summary_text.delta", **place, delta=more)
        elif kind == "content":
            if not has_message:
                has_message = True
                for part in thought() if summary else []:
                    yield part
                at = 1 if summary else 0
                for part in opened():
                    yield part
            text += more
            yield _delta(named, message, at, more)
    if isinstance(run.end, Failed):
        yield named("response.failed", response=response_json(run, **state))
        return
    assert run.end is not None, "a run that has no further pieces is over"
    if not has_message:
        for part in thought() if summary else []:
            yield part
        at = 1 if summary else 0
        for part in opened():
            yield part
        yield _delta(named, message, at, run.end.content)
    whole = _message(run, run.end)
    place = {"item_id": message, "output_index": at, "content_index": 0}
    yield named("response.output_text.done", **place, text=run.end.content, logprobs=[])
    yield named("response.content_part.done", **place, part=whole["content"][0])
    yield named("response.output_item.done", output_index=at, item=whole)
    name = "response.completed" if run.end.reason == "stop" else "response.incomplete"
    yield named(name, response=response_json(run, **state))


def _delta(named: Any, message: str, at: int, text: str) -> bytes:
    delta: bytes = named(
        "response.output_text.delta", item_id=message, output_index=at, content_index=0, delta=text, logprobs=[]
    )
    return delta


def _message(run: KeptRun, end: Finished) -> dict[str, Any]:
    annotations = [
        {
            "type": "file_citation",
            "file_id": item["source"] or "context",
            "filename": item["source"] or "context",
            "index": max(0, end.content.find(f"[{number}]")),
            "evidence": dict(item),
        }
        for number, item in enumerate(end.evidence, 1)
    ]
    text = {"type": "output_text", "text": end.content, "annotations": annotations, "logprobs": []}
    return {"id": f"msg_{run.id}", "type": "message", "status": "completed", "role": "assistant", "content": [text]}


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    more = {name: usage[name] for name in ("model_calls", "cost") if name in usage}
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": dict(usage["prompt_tokens_details"]),
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
        **more,
    }
