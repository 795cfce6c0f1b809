"""Chat: a kept run in the forms of Chat Completions.

In: a run, under way or over. Out: the object of a whole reply; or the chunks of a stream, which begins with the role
and has progress in `reasoning_content`, never in `content`, and a comment where nothing else was sent for long.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from .completion import annotations_of, chat_completion
from .kept_runs import Failed, Finished, KeptRun

HEARTBEAT = b": waiting\n\n"
DONE = b"data: [DONE]\n\n"


def error_json(message: str, *, code: str | None, status: int, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def whole(run: KeptRun, end: Finished) -> dict[str, Any]:
    """The reply as one object."""
    return chat_completion(
        end.content,
        end.reason,
        end.usage,
        end.evidence,
        id=f"chatcmpl-{run.id}",
        created=int(run.created),
        model=run.asked.name,
    )


async def chunks(run: KeptRun, *, has_usage_chunk: bool) -> AsyncIterator[bytes]:
    """Server-sent events, from the first piece on.

    Args:
        has_usage_chunk: the client asked for usage in a chunk of its own; else it is in the last one.
    """
    yield _chunk(run, {"role": "assistant", "content": ""})
    async for piece in run.follow():
        if piece is None:
            yield HEARTBEAT
        else:
            kind, text = piece
            yield _chunk(run, {"reasoning_content" if kind == "reasoning" else "content": text})
    if isinstance(run.end, Failed):
        failed = run.end
        yield event(error_json(failed.message, code=failed.code, status=failed.status))
        yield DONE
        return
    assert run.end is not None, "a run that has no further pieces is over"
    if not run.asked.is_plain:
        yield _chunk(run, {"content": run.end.content})
    last: dict[str, Any] = {}
    if run.end.evidence:
        last = {"annotations": annotations_of(run.end.content, run.end.evidence), "evidence": list(run.end.evidence)}
    usage = dict(run.end.usage)
    if has_usage_chunk:
        yield _chunk(run, last, reason=run.end.reason)
        yield event({**_head(run), "choices": [], "usage": usage})
    else:
        yield _chunk(run, last, reason=run.end.reason, usage=usage)
    yield DONE


def event(value: Mapping[str, Any], name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def _chunk(run: KeptRun, delta: Mapping[str, Any], *, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": reason}
    return event({**_head(run), "choices": [choice], **more})


def _head(run: KeptRun) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{run.id}",
        "object": "chat.completion.chunk",
        "created": int(run.created),
        "model": run.asked.name,
    }
