"""OpenAI's chat dialect: `POST /chat/completions`, as OpenAI, OpenRouter, Gemini, Ollama, vLLM and others speak it.

In: messages. Out: a `Reply`, whole or in pieces. Neighbours of one role are merged, as some chat templates demand. Only
text goes out and only text is read; whatever else the reply holds is passed over. HTTP is `exchange.py`'s business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from rlm_core.types import Message, ModelUsage, Reply

from .event_stream import LineTooLong, data_of_events
from .exchange import Answer, Exchange, cut_off, malformed, parse_json
from .turns import merged
from .upstream import UpstreamError


class OpenAIChat:
    """One provider that speaks the dialect."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    @property
    def name(self) -> str:
        return self.exchange.name

    async def models(self) -> Sequence[str]:
        """The ids that `GET /models` lists."""
        seconds = self.exchange.settings.models_seconds
        return model_ids(self.name, await self.exchange.get_json("/models", seconds=seconds))

    async def complete(self, messages: Sequence[Message], model: str) -> Reply:
        """One call, one JSON reply."""
        body = {"model": model, "messages": _to_wire(messages)}
        async with self.exchange.post("/chat/completions", body, accept="application/json") as answer:
            return self._reply(await answer.json(), model)

    async def stream(self, messages: Sequence[Message], model: str) -> AsyncGenerator[str | Reply, None]:
        """One call, its text in pieces, then the whole `Reply`."""
        body = {
            "model": model,
            "messages": _to_wire(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with self.exchange.post("/chat/completions", body, accept="text/event-stream") as answer:
            if not answer.is_event_stream:  # a server that does not stream answers with the whole
                reply = self._reply(await answer.json(), model)
                yield reply.text
                yield reply
                return
            async for piece in self._pieces(answer, model):
                yield piece

    async def _pieces(self, answer: Answer, model: str) -> AsyncGenerator[str | Reply, None]:
        texts: list[str] = []
        usage = ModelUsage(calls=1)
        ended = False
        try:
            async for data in data_of_events(answer.chunks()):
                if data.strip() == "[DONE]":
                    ended = True
                    break
                event = self._object(parse_json(self.name, data))
                usage = _usage(event) or usage
                text, finished = self._delta(event)
                ended = ended or finished
                if text:
                    texts.append(text)
                    yield text
        except LineTooLong as fault:
            raise malformed(self.name, f"holds {fault}") from None
        if not ended:
            raise cut_off(self.name)
        yield Reply("".join(texts), f"{self.name}:{model}", usage)

    def _delta(self, event: Mapping[str, object]) -> tuple[str, bool]:
        """The text of one event, and whether the model finished with it."""
        choices = event.get("choices", [])
        if not isinstance(choices, list):
            raise malformed(self.name, "has `choices` that are not a list")
        if not choices:
            return "", False
        choice = self._object(choices[0])
        delta = choice.get("delta")
        finished = choice.get("finish_reason") is not None
        if delta is None:
            return "", finished
        return self._text(self._object(delta)) or "", finished

    def _reply(self, value: object, model: str) -> Reply:
        body = self._object(value)
        choices = body.get("choices")
        if not isinstance(choices, list) or not choices:
            raise malformed(self.name, "has no `choices`")
        text = self._text(self._object(self._object(choices[0]).get("message")))
        if text is None:
            raise malformed(self.name, "holds no text: the model may have used all its tokens before it wrote any")
        return Reply(text, f"{self.name}:{model}", _usage(body) or ModelUsage(calls=1))

    def _text(self, message: Mapping[str, object]) -> str | None:
        """The text of a message: a string, the text parts of a list, or a refusal."""
        content = message.get("content")
        if content is None:
            content = message.get("refusal")
        if content is None or isinstance(content, str):
            return content
        if not isinstance(content, list):
            raise malformed(self.name, "has `content` that is not text")
        texts = [part.get("text") for part in map(self._object, content) if part.get("type") == "text"]
        if not all(isinstance(text, str) for text in texts):
            raise malformed(self.name, "has a text part without text")
        return "".join(str(text) for text in texts)

    def _object(self, value: object) -> Mapping[str, object]:
        """`value`, which must be an object and not report an error.

        Raises:
            UpstreamError: it is something else, or an error sent with status 200.
        """
        if not isinstance(value, dict):
            raise malformed(self.name, "does not have the shape of a chat completion")
        if value.get("error"):
            raise UpstreamError(
                f"{self.name} reported an error instead of a reply. Try again, or choose another model.",
                kind="failed",
                upstream=self.name,
                retryable=True,
            )
        return value


def model_ids(name: str, value: object) -> list[str]:
    """The ids of a list of models, as both dialects send it.

    Raises:
        UpstreamError: `value` is not such a list.
    """
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        raise malformed(name, "is not a list of models")
    ids = [entry.get("id") for entry in data if isinstance(entry, dict)]
    return [model for model in ids if isinstance(model, str) and model]


def token_count(value: object) -> int:
    """`value` as a number of tokens; 0 for anything that is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _to_wire(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in merged(messages)]


def _usage(body: Mapping[str, object]) -> ModelUsage | None:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    return ModelUsage(
        1,
        token_count(usage.get("prompt_tokens")),
        token_count(usage.get("completion_tokens")),
        token_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
        _cost(usage.get("cost")),
    )


def _cost(value: object) -> float | None:
    """OpenRouter's charge, in USD."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
        return None
    return float(value)
