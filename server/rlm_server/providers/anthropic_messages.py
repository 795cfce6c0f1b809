"""Anthropic's dialect: `POST /v1/messages`.

In: messages. Out: a `Reply`, whole or in pieces. System messages go into `system`, neighbours of one role are merged
and empty ones left out, as the API demands. HTTP is `exchange.py`'s business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

from rlm_core.types import Message, ModelUsage, Reply

from .event_stream import LineTooLong, data_of_events
from .exchange import Answer, Exchange, cut_off, malformed, parse_json
from .openai_chat import model_ids, token_count
from .turns import merged
from .upstream import UpstreamError

VERSION_HEADERS = {"anthropic-version": "2023-06-01"}
INPUT_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicMessages:
    """Anthropic, or a server that speaks its dialect."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    @property
    def name(self) -> str:
        return self.exchange.name

    async def models(self) -> Sequence[str]:
        """The ids that `GET /v1/models` lists."""
        seconds = self.exchange.settings.models_seconds
        return model_ids(self.name, await self.exchange.get_json("/v1/models?limit=1000", seconds=seconds))

    async def complete(self, messages: Sequence[Message], model: str) -> Reply:
        """One call, one JSON reply."""
        body = self._body(messages, model)
        async with self.exchange.post("/v1/messages", body, accept="application/json") as answer:
            return self._reply(await answer.json(), model)

    async def stream(self, messages: Sequence[Message], model: str) -> AsyncGenerator[str | Reply, None]:
        """One call, its text in pieces, then the whole `Reply`."""
        body = {**self._body(messages, model), "stream": True}
        async with self.exchange.post("/v1/messages", body, accept="text/event-stream") as answer:
            if not answer.is_event_stream:
                reply = self._reply(await answer.json(), model)
                yield reply.text
                yield reply
                return
            async for piece in self._pieces(answer, model):
                yield piece

    async def _pieces(self, answer: Answer, model: str) -> AsyncGenerator[str | Reply, None]:
        texts: list[str] = []
        usage = ModelUsage(calls=1)
        try:
            async for data in data_of_events(answer.chunks()):
                event = self._object(parse_json(self.name, data))
                if event.get("type") == "message_stop":
                    yield Reply("".join(texts), f"{self.name}:{model}", usage)
                    return
                usage = self._updated(usage, event)
                text = self._delta(event)
                if text:
                    texts.append(text)
                    yield text
        except LineTooLong as fault:
            raise malformed(self.name, f"holds {fault}") from None
        raise cut_off(self.name)

    def _delta(self, event: Mapping[str, object]) -> str:
        if event.get("type") != "content_block_delta":
            return ""
        delta = self._object(event.get("delta"))
        if delta.get("type") != "text_delta":
            return ""
        return self._string(delta.get("text"))

    def _updated(self, usage: ModelUsage, event: Mapping[str, object]) -> ModelUsage:
        """`message_start` counts the input, `message_delta` the output so far."""
        if event.get("type") == "message_start":
            return _usage(self._object(event.get("message")).get("usage"))
        counts = event.get("usage")
        if event.get("type") == "message_delta" and isinstance(counts, dict):
            return replace(usage, output_tokens=token_count(counts.get("output_tokens")))
        return usage

    def _reply(self, value: object, model: str) -> Reply:
        body = self._object(value)
        content = body.get("content")
        if not isinstance(content, list):
            raise malformed(self.name, "has no `content`")
        parts = [part for part in map(self._object, content) if part.get("type") == "text"]
        text = "".join(self._string(part.get("text")) for part in parts)
        return Reply(text, f"{self.name}:{model}", _usage(body.get("usage")))

    def _string(self, value: object) -> str:
        if not isinstance(value, str):
            raise malformed(self.name, "has a text part without text")
        return value

    def _object(self, value: object) -> Mapping[str, object]:
        """`value`, which must be an object and not report an error.

        Raises:
            UpstreamError: it is something else, or an error sent within a reply.
        """
        if not isinstance(value, dict):
            raise malformed(self.name, "does not have the shape of a message")
        if value.get("type") == "error":
            raise UpstreamError(
                f"{self.name} reported an error instead of a reply. Try again later.",
                kind="failed",
                upstream=self.name,
                retryable=True,
            )
        return value

    def _body(self, messages: Sequence[Message], model: str) -> dict[str, object]:
        system = "\n\n".join(message.content for message in messages if message.role == "system")
        spoken = [message for message in messages if message.role != "system" and message.content]
        turns = [{"role": turn.role, "content": turn.content} for turn in merged(spoken)]
        body = {"model": model, "max_tokens": self.exchange.settings.max_output_tokens, "messages": turns}
        return {**body, "system": system} if system else body


def _usage(usage: object) -> ModelUsage:
    if not isinstance(usage, dict):
        return ModelUsage(calls=1)
    went_in = sum(token_count(usage.get(name)) for name in INPUT_COUNTS)
    cached = token_count(usage.get("cache_read_input_tokens"))
    return ModelUsage(1, went_in, token_count(usage.get("output_tokens")), cached)
