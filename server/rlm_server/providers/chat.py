"""Chat: one provider, whatever its dialect: requests, ways round its refusals, retries, and the reading of its replies.

In: an `UpstreamCall`. Out: its `Reply`, in pieces and whole. A dialect makes the body (`openai_chat.py`,
`anthropic_messages.py`, `ollama_chat.py`); the reply is read by `reply_forms.py`, a failure by `failures.py`. Calls are
streamed upstream even where the client wants the whole, since gateways cut connections on which nothing comes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from rlm_core.types import FinishReason, Json, Message, Reply

from .event_stream import DONE, Event
from .exchange import GRACE_SECONDS, Answer, Exchange, Refused, cut_off, malformed
from .failures import failure_in, failure_of
from .reply_forms import Part, UnknownForm, finish_reason, is_broken, part_of, plain_part, usage_of
from .upstream import Offer, OfferedModel, Pieces, Reasoning, UpstreamCall, UpstreamError
from .workarounds import Body, Change, changed

logger = logging.getLogger("rlm_server.upstream")
MAX_RETRY_WAIT_SECONDS = 20.0
MAX_CHANGES = 4
"""Most ways round a refusal in one call."""
MAX_REMEMBERED = 1_000
"""Refused schemas that are remembered."""
CUT_SHARE = 0.6
"""A prompt of which the model read a smaller share of its words, counted as tokens, was cut by the server."""
CUT_WORDS = 2_000
"""Shorter prompts are not examined."""
CUT_READ = 256
"""A smaller count is no window's: such a server does not count its tokens."""
BYTES_PER_TOKEN = 4
SIGNS_OF_LIFE = frozenset({"ping", "heartbeat", "keepalive", "keep-alive"})
"""Names of events whose values are no part of a reply."""


class Dialect(Protocol):
    """A vendor's way to ask."""

    options: frozenset[str]

    def path(self, model: str) -> str:
        """The path that calls are posted to."""
        ...

    async def body(self, exchange: Exchange, call: UpstreamCall) -> Body:
        """The body of a streamed call.

        Raises:
            UpstreamError: the call cannot be made.
        """
        ...

    async def models(self, exchange: Exchange) -> Offer:
        """The provider's list.

        Raises:
            UpstreamError: it cannot be had.
        """
        ...

    def refused(self, fault: Refused, model: str) -> bool:
        """Whether the dialect itself has another way after `fault`; it is used from then on."""
        ...


class ChatProvider:
    """One provider."""

    def __init__(self, exchange: Exchange, dialect: Dialect, offered: Sequence[str] = ()) -> None:
        self.exchange = exchange
        self.dialect = dialect
        self.offered = offered
        self._changes: dict[tuple[str, str], list[Change]] = {}

    @property
    def name(self) -> str:
        return self.exchange.name

    @property
    def options(self) -> frozenset[str]:
        return self.dialect.options

    async def models(self) -> Offer:
        """The models that are set, or else those that the provider lists."""
        if self.offered:
            return Offer(tuple(OfferedModel(name) for name in self.offered))
        return await self.dialect.models(self.exchange)

    async def stream(self, call: UpstreamCall) -> Pieces:
        """Answer `call`; a failure before the first piece is retried as far as the call and the failure allow."""
        deadline = time.monotonic() + self.exchange.settings.total_seconds
        requests, passed_on = 0, False
        while True:
            try:
                async with aclosing(self._once(call, deadline)) as pieces:
                    async for piece in pieces:
                        passed_on = True
                        yield piece
                return
            except UpstreamError as fault:
                requests += 1
                wait = None if passed_on else self._wait(fault, call, requests)
                self._log(fault, wait)
                if wait is None or time.monotonic() + wait > deadline:
                    raise
            await asyncio.sleep(wait)

    def _wait(self, fault: UpstreamError, call: UpstreamCall, requests: int) -> float | None:
        """Seconds before the next request, or `None` where there is none."""
        settings = self.exchange.settings
        if requests >= min(fault.requests, call.retries + 1):
            return None
        if fault.retry_after is not None:
            return fault.retry_after if fault.retry_after <= settings.max_retry_after_seconds else None
        base = settings.retry_wait_seconds
        return min(MAX_RETRY_WAIT_SECONDS, base * float(2 ** (requests - 1))) + random.uniform(0, base)

    def _log(self, fault: UpstreamError, wait: float | None) -> None:
        line = {"upstream": self.name, "failed": fault.kind, "status": fault.status, **fault.reported}
        logger.info(json.dumps(line if wait is None else {**line, "retry_in": round(wait, 2)}))

    async def _once(self, call: UpstreamCall, deadline: float) -> Pieces:
        """The reply to one request."""
        answer, body = await self._answer(call, deadline)
        reply = _Reply()
        try:
            while not answer.is_over and (events := await _events(answer, reply)) is not None:
                pieces, fault = self._taken(events, answer, reply)
                for piece in pieces if call.is_watched else joined(pieces):
                    yield piece
                if fault is not None:
                    raise fault
            self._check_whole(answer, reply)
            if rest := reply.rest():
                yield rest
            usage = usage_of(reply.usage)
            self._check_read(call.messages, usage.input_tokens, body)
            yield Reply(reply.text, f"{self.name}:{call.model}", usage, reply.reason, reply.shown_reasoning)
        finally:
            await answer.close()

    def _taken(self, events: Sequence[Event], answer: Answer, reply: _Reply) -> tuple[list[str], UpstreamError | None]:
        """Take `events` into `reply`; their pieces, and the fault that came after these."""
        pieces: list[str] = []
        for event in events:
            try:
                part = reply.chosen(self._part(event))
            except UpstreamError as fault:
                return pieces, fault
            text = reply.add(part)
            if reply.finish:
                has_end = not text and answer.ends_at
                answer.ends_at = answer.ends_at if has_end else time.monotonic() + GRACE_SECONDS
            if part.reasoning:
                pieces.append(Reasoning(part.reasoning))
            if text:
                pieces.append(text)
            if part.is_end:
                answer.is_over = True
                break
        return pieces, None

    async def _answer(self, call: UpstreamCall, deadline: float) -> tuple[Answer, Body]:
        """The answer to one request, or to a further one that found a way round a refusal; and the body that was sent.

        Raises:
            UpstreamError: there is no answer.
        """
        for _ in range(MAX_CHANGES + 1):
            body = changed(await self.dialect.body(self.exchange, call), self._known_changes(call))
            try:
                path = self.dialect.path(call.model)
                return await self.exchange.post(path, body, deadline=deadline, is_watched=call.is_watched), body
            except Refused as refused:
                if not self._found_way(refused, call):
                    raise
        raise cut_off(self.name)

    def _known_changes(self, call: UpstreamCall) -> list[Change]:
        of_schema = self._changes.get((call.model, _digest(call.schema)), []) if call.schema is not None else []
        return [*self._changes.get((call.model, ""), ()), *of_schema]

    def _found_way(self, refused: Refused, call: UpstreamCall) -> bool:
        change = refused.change
        if change is None:
            return self.dialect.refused(refused, call.model)
        logger.info(json.dumps({"upstream": self.name, "workaround": change.row.name}))
        schema = _digest(call.schema) if change.row.is_of_schema else ""
        if schema and len(self._changes) >= MAX_REMEMBERED:
            self._changes = {key: changes for key, changes in self._changes.items() if not key[1]}
        self._changes.setdefault((call.model, schema), []).append(change)
        return True

    def _part(self, event: Event) -> Part:
        """The part of a reply in one value.

        Raises:
            UpstreamError: there is none, or it reports a failure.
        """
        if event.value == DONE:
            return Part(is_end=True)
        if not event.name and (plain := plain_part(event.value)) is not None:
            return plain
        is_sign = event.name in SIGNS_OF_LIFE
        if is_sign and not isinstance(event.value, dict):
            return Part()
        failure = failure_in(event.value, event=event.name)
        if failure is not None:
            raise self.exchange.error(failure)
        try:
            part = part_of(event.value)
        except UnknownForm as fault:
            if is_sign:
                return Part()
            raise malformed(self.name, str(fault)) from None
        if is_broken(part.finish):
            raise self.exchange.error(failure_of(200, ""))
        return part

    def _check_whole(self, answer: Answer, reply: _Reply) -> None:
        """Refuse a reply that broke off.

        Raises:
            UpstreamError: it has no end.
        """
        if not reply.is_whole and (answer.has_words or not answer.is_framed):
            raise cut_off(self.name)
        if not reply.is_whole and not reply.texts and not reply.reasoning:
            raise malformed(self.name, "holds no text and no end")

    def _check_read(self, messages: tuple[Message, ...], read: int, body: Body) -> None:
        """Refuse a reply to a prompt of which the model read a part only.

        Raises:
            UpstreamError: far fewer input tokens are reported than were sent.
        """
        size = sum(len(message.content) for message in messages)
        if read < CUT_READ or read * 2 * BYTES_PER_TOKEN > size:
            return
        words = sum(len(message.content.split()) for message in messages)
        if words < CUT_WORDS or read >= CUT_SHARE * words:
            return
        raise UpstreamError(
            f"{self.name} read {read:,} of about {max(words, size // BYTES_PER_TOKEN):,} tokens and answered all the "
            "same. Raise the model's window (RLM_OLLAMA_NUM_CTX for Ollama), or send less.",
            kind="prompt-cut",
            upstream=self.name,
        )


def joined(pieces: list[str]) -> list[str]:
    """The text of `pieces`, and the reasoning in them, each as one piece."""
    kinds = ([piece for piece in pieces if isinstance(piece, Reasoning) is is_shown] for is_shown in (True, False))
    reasoning, texts = ("".join(kind) for kind in kinds)
    return [piece for piece in (Reasoning(reasoning), texts) if piece]


def _digest(schema: Mapping[str, Json] | None) -> str:
    return hashlib.sha256(json.dumps(schema).encode()).hexdigest()


async def _events(answer: Answer, reply: _Reply) -> Sequence[Event] | None:
    """The values that come next, `None` after the last ones; behind the end of a reply, which is paid for, neither
    half an event nor a connection that breaks in place of the last chunk is a loss.

    Raises:
        UpstreamError: the reply breaks off.
    """
    try:
        return await answer.events()
    except UpstreamError as fault:
        is_behind_end = reply.is_settled and (answer.has_ended or not answer.has_length)
        if fault.kind != "cut-off" or not is_behind_end:
            raise
        return None


class _Reply:
    """A reply as its parts come.

    Attributes:
        is_whole: whether its end has come, by a finish reason or in another way.
        is_settled: the same, where the end stands by itself: some servers write a finish reason beside each piece.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasoning: list[str] = []
        self.finish = ""
        self.refused = False
        self.is_whole = False
        self.is_settled = False
        self._calls_tool = False
        self._choice: int | None = None
        self.usage: dict[str, float] = {}
        self._half = ""

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def shown_reasoning(self) -> str:
        """The reasoning, unless it stands for a text that the model did not write."""
        reasoning = "".join(self.reasoning)
        return "" if reasoning == self.text.lstrip() else reasoning

    @property
    def reason(self) -> FinishReason | None:
        """Why it ended: a call of a tool in place of text is a reason, although some servers say `stop`."""
        reason = "content_filter" if self.refused else finish_reason(self.finish)
        called = self._calls_tool and not self.text.strip() and reason in ("stop", None)
        return "tool_calls" if called else reason

    def chosen(self, part: Part) -> Part:
        """`part`, or its usage alone where it belongs to another reply than the one that came first."""
        if self._choice is None:
            self._choice = part.choice
        return part if part.choice in (None, self._choice) else Part(usage=part.usage)

    def add(self, part: Part) -> str:
        """Take `part`; return its text in whole characters."""
        self.finish = part.finish or self.finish
        self.refused = self.refused or part.refused
        self.is_whole = self.is_whole or part.is_end or bool(part.finish) or (part.is_message and part.text != "")
        if part.usage:
            self.usage.update({name: n for name, n in part.usage.items() if n or name not in self.usage})
        self._calls_tool = self._calls_tool or part.calls_tool
        if part.reasoning:
            self.reasoning.append(part.reasoning)
        text = self._kept(part.text.removeprefix(self.text) if part.is_message else part.text)
        self.is_settled = not text and (self.is_settled or part.is_end or bool(part.finish))
        return text

    def rest(self) -> str:
        """The text that ends the reply: half a character, or the reasoning of a model that wrote nothing else."""
        half, self._half = self._half, ""
        text = self._kept("\N{REPLACEMENT CHARACTER}") if half else ""
        if self.text.strip() or self.reason not in ("stop", None):
            return text
        return self._kept("".join(self.reasoning))

    def _kept(self, text: str) -> str:
        """`text` without lone surrogates: a character whose halves come apart waits for its second half."""
        if not text:
            return ""
        if self._half or not text.isascii():
            text = self._half + text
            self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
            whole = text[: len(text) - len(self._half)]
            text = whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if text:
            self.texts.append(text)
        return text
