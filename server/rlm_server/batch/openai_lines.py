"""OpenAI's batch files: their lines as questions, and the rows that OpenAI answers them with.

    {"custom_id": "7", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "rlm", "messages": [...]}}

In: such a line. Out: the fields of a line of ours; and of a result the row that the same tools read. Files and images
in a body are not taken here, as a batch has paths for them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rlm_core import ConfigError

from ..openai_api.completion import chat_completion, finish_reason, is_limit, text_of, usage_of
from ..openai_api.conversation import MODEL, asked_in

if TYPE_CHECKING:
    from ..headless.result import HeadlessResult

URLS = ("/v1/chat/completions", "/v1/responses")
ENDS = tuple(url.removeprefix("/v1") for url in URLS)
"""Ends of the addresses that vendors with paths of their own write."""


def is_openai(fields: Mapping[str, Any]) -> bool:
    """Whether a line has OpenAI's form."""
    return "custom_id" in fields or "body" in fields


def openai_line(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a line of ours.

    Raises:
        ConfigError: its request cannot be answered.
    """
    if "custom_id" not in fields:
        raise ConfigError("there is no custom_id beside body: write one, that no other line has.")
    if "params" in fields:
        raise ConfigError(f"it is of Anthropic's form, which is not read. Write url, {URLS[0]}, and body, the request.")
    if not isinstance(fields.get("body"), Mapping):
        raise ConfigError("body must be an object, the request.")
    if not str(fields.get("url") or URLS[0]).endswith(ENDS):
        raise ConfigError(f"url must be {' or '.join(URLS)}, not {fields['url']!r:.60}.")
    asked = asked_in(fields["body"])
    if asked.files:
        raise ConfigError("files and images in a body are not taken. Name them by path in the field `context` instead.")
    texts = list(asked.texts.values())
    context = None if not texts else {"text": texts[0]} if len(texts) == 1 else {"json": dict(asked.texts)}
    options = {**asked.options, **({} if asked.model is None else {"model": asked.model})}
    return {
        "id": fields["custom_id"],
        "question": asked.question,
        "context": context,
        "schema": asked.schema,
        "options": options,
    }


def openai_row(
    id: str, key: str, result: HeadlessResult | None, error: Mapping[str, Any] | None, schema: Any
) -> dict[str, Any]:
    """The row of one line; `error` is `None` for an answer, and for a limit, whose partial answer is the content."""
    row: dict[str, Any] = {"id": f"batch_req_{key}", "custom_id": id, "response": None, "error": None}
    if result is None or (error is not None and not is_limit(result)):
        assert error is not None, "a line without a result has an error"
        return {**row, "error": {"code": error["type"], "message": error["message"]}}
    completion = chat_completion(
        text_of(result, is_json=schema is not None),
        finish_reason(result),
        usage_of(result.usage),
        [dict(item) for item in result.evidence],
        id=f"chatcmpl-{key[:29]}",
        created=int(time.time()),
        model=MODEL,
    )
    response = {"status_code": 200, "request_id": key[:32], "body": completion}
    shown = None if error is None else {"code": error["type"], "message": error["message"]}
    return {**row, "response": response, "error": shown}
