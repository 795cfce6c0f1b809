"""Exchange: HTTP with one upstream, whatever its dialect.

In: a path and a JSON body. Out: an open `Answer` whose status is a success, or an `UpstreamError` of a fixed kind,
whose text holds nothing that the upstream wrote. Timeouts, size limits and the key's header live here and only here;
retries are `chat.py`'s business, and the meaning of a refusal that of `failures.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote

import httpx2
from pydantic import SecretStr

from ..settings import Settings
from .connections import Client, Response
from .event_stream import Event, EventReader, NotJson
from .failures import BUDGET, CUT, FEW, Failure, failure_of, retry_after_seconds
from .upstream import ErrorKind, UpstreamError
from .workarounds import Body, workaround_for

logger = logging.getLogger("rlm_server.upstream")
Query: TypeAlias = tuple[tuple[str, str], ...]
ANSWERED = frozenset({200, 201, 202, 203})
"""Statuses whose body is a reply."""
PEEK_BYTES = 16 * 1024
PEEK_SECONDS = 2.0
PAUSE_SECONDS = 1.5
"""Time without a byte after which a reply that is whole is taken as one."""
DRAIN_SECONDS = 1.0
DRAIN_BYTES = 64 * 1024
"""Most that is read of a body after the end of its reply, so that the connection is kept."""
GRACE_SECONDS = 2.0
"""Time that a reply may still take after its finish reason, for its usage."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream is, and the key it is sent.

    Attributes:
        name: the provider's name, for errors and models.
        url: its URL up to the paths of the dialect; `{model}` in it is replaced by the model's name.
        key: goes into the header `key_header` after `key_prefix`; `None` sends none.
        headers: further headers of every request.
        key_variable: the environment variable that the key is read from, for advice.
        url_variable: the one that the URL is read from, for advice; empty where it is fixed.
        query: parameters of every URL.
    """

    name: str
    url: str
    key: SecretStr | None = None
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    headers: Mapping[str, str] | None = None
    key_variable: str = ""
    url_variable: str = ""
    query: Query = field(default=(), repr=False)


class Exchange:
    """Requests to one upstream, over the server's shared `client`."""

    def __init__(self, client: Client, address: Address, settings: Settings) -> None:
        self.client = client
        self.address = address
        self.settings = settings

    @property
    def name(self) -> str:
        return self.address.name

    @property
    def may_lack_version(self) -> bool:
        """Whether the URL was set by the user and has no `/v1` or the like in its path."""
        return bool(self.address.url_variable) and re.search(r"/v\d", self.address.url) is None

    def at(self, url: str) -> Exchange:
        """The same upstream at another URL."""
        return Exchange(self.client, replace(self.address, url=url), self.settings)

    async def post(self, path: str, body: Mapping[str, object], *, deadline: float, is_watched: bool = True) -> Answer:
        """Post `body` as JSON, once; `deadline` in monotonic seconds holds for the answer too, which is to be closed.

        Args:
            is_watched: whether somebody reads the answer as it is written.

        Raises:
            Refused: the status is no success.
            UpstreamError: there is no answer.
        """
        accept = "text/event-stream" if body.get("stream") else "application/json"
        headers = {"Content-Type": "application/json", "Accept": accept, **(self.address.headers or {})}
        url = self.address.url.replace("{model}", quote(str(body.get("model", "")), safe=""))
        return await self._answer("POST", url + path, headers, body, deadline=deadline, is_watched=is_watched)

    async def get_json(self, path: str, *, seconds: float) -> object:
        """Get a JSON value, once.

        Raises:
            UpstreamError: there is none within `seconds`.
        """
        return await self._json("GET", path, {}, seconds)

    async def post_json(self, path: str, body: Mapping[str, object], *, seconds: float) -> object:
        """Post `body` and read a JSON value, once.

        Raises:
            UpstreamError: there is none within `seconds`.
        """
        return await self._json("POST", path, body, seconds)

    async def _json(self, method: str, path: str, body: Mapping[str, object], seconds: float) -> object:
        deadline = time.monotonic() + seconds
        kind = {"Content-Type": "application/json"} if body else {}
        headers = {"Accept": "*/*", **kind, **(self.address.headers or {})}
        try:
            answer = await self._answer(method, self.address.url + path, headers, body, deadline=deadline)
            try:
                while (events := await answer.events()) is not None:
                    if events:
                        return events[0].value
                raise malformed(self.name, "is empty")
            finally:
                await answer.close()
        except UpstreamError as fault:
            if fault.kind != "timeout" or fault.status is not None:
                raise
            message = f"{self.name} did not answer within {seconds:g} s (RLM_MODELS_SECONDS)."
            raise UpstreamError(message, kind="timeout", upstream=self.name, retryable=True) from None

    async def _answer(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body,
        *,
        deadline: float,
        is_watched: bool = True,
    ) -> Answer:
        """The answer to a request, which gets the key at the last moment: nothing that is kept or raised holds it."""
        address, content = self.address, json.dumps(body).encode() if body else b""
        key = {} if address.key is None else {address.key_header: address.key_prefix + address.key.get_secret_value()}
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                response = await self.client.send(method, _parsed(url, address.query), {**headers, **key}, content)
                if response.status not in ANSWERED:
                    wait = retry_after_seconds(response.headers)
                    words = await _peeked(response)
                    raise Refused(self, response.status, words, wait, body)
        except FAULTS as fault:
            raise named(self.name, fault) from None
        most = self.settings.max_upstream_bytes
        return Answer(response, self.name, deadline=deadline, max_bytes=most, is_watched=is_watched)

    def error(self, failure: Failure, *, status: int | None = None) -> UpstreamError:
        """The error for `failure`, with its numbers and its advice."""
        key = self.address.key
        secret = key.get_secret_value() if key is not None else ""
        reported = {
            name: word for name, word in (failure.reported or {}).items() if not secret or secret not in word != secret
        }
        event = f"answered with status {status}" if status else "reported an error in place of a reply"
        words = ", ".join(f"{name} {word}" for name, word in reported.items())
        advice = failure.advice
        if failure.kind == "key-refused" and self.address.key_variable:
            advice = advice.replace("Check its key", f"Check {self.address.key_variable}")
        if failure.kind == "model-unknown" and self.may_lack_version:
            advice += f" {self.address.url_variable} may lack /v1 at its end."
        if failure.wait is not None:
            advice = f"It asks to wait {round(failure.wait, 2):g} s. {advice}"
        return UpstreamError(
            f"{self.name} {event}{f' ({words})' if words else ''}. {advice}",
            kind=failure.kind,
            upstream=self.name,
            retryable=failure.requests > 1,
            status=status,
            retry_after=failure.wait,
            requests=failure.requests,
            reported=reported,
        )


class Refused(UpstreamError):
    """A status that is no success. The words of its body are searched here and not kept.

    Attributes:
        change: the change of the request that may mend it, or `None`.
        is_of_model: whether the words are about a model.
    """

    def __init__(self, exchange: Exchange, status: int, words: str, wait: float | None, body: Body) -> None:
        failure = failure_of(status, words)
        if wait is not None and failure.requests > 1:
            failure = replace(failure, wait=wait)
        error = exchange.error(failure, status=status)
        super().__init__(
            str(error),
            kind=error.kind,
            upstream=exchange.name,
            retryable=error.retryable,
            status=status,
            retry_after=error.retry_after,
            requests=error.requests,
            reported=error.reported,
        )
        self.change = workaround_for(body, status, words.lower())
        self.is_of_model = "model" in words.lower()


class Answer:
    """The body of a response whose status is a success, read at most once and no further than `max_bytes`.

    Attributes:
        is_framed: whether HTTP itself says where the body ends, so that a cut one is noticed.
        has_length: whether it says so before the body, so that bytes of a cut one are known to be missing.
        ends_at: monotonic time at which the body counts as ended, wherever it is; `None` waits for its end.
        is_over: whether the reply has ended, though perhaps not its body.
    """

    def __init__(self, response: Response, name: str, *, deadline: float, max_bytes: int, is_watched: bool) -> None:
        self.has_length = "content-length" in response.headers
        self.is_framed = self.has_length or "transfer-encoding" in response.headers
        self.ends_at: float | None = None
        self.is_over = False
        self._body = response.body
        self._name = name
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._is_watched = is_watched
        self._size = 0
        self._reader = EventReader()
        self._is_read = False

    @property
    def has_words(self) -> bool:
        """Whether the body holds lines in none of the forms, as a gateway writes them behind a reply that broke off."""
        return self._reader.unread > 0

    @property
    def has_ended(self) -> bool:
        """Whether the body has ended, whatever stands at its end."""
        return self._is_read

    async def events(self) -> Sequence[Event] | None:
        """The values that come next, which may be none; `None` after the last ones.

        Raises:
            UpstreamError: they stop, are not JSON, or are more than `max_bytes`.
        """
        if self._is_read:
            return None
        try:
            chunk = await self._body.part(self._patience())
            if chunk is None:
                self._check_time()
            if self._is_read or chunk == b"":
                self._is_read = True
                return self._reader.end()
            if not chunk:
                return self._reader.pause()
            if not self._is_watched and not self._size:
                self._body.gather()  # the time of the first bytes is measured
            self._size += len(chunk)
            if self._size > self._max_bytes:
                raise too_large(self._name, self._max_bytes)
            return self._reader.read(chunk)
        except FAULTS as fault:
            raise named(self._name, fault) from None

    async def close(self) -> None:
        """Let go of the response: its connection is kept where the body ends, or ends soon; see `DRAIN_SECONDS`."""
        if not self.is_over or self._body.is_whole:
            await self._body.close()
            return
        task = asyncio.create_task(self._drain())
        _drains.add(task)
        task.add_done_callback(_drains.discard)

    async def _drain(self) -> None:
        size = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while size <= DRAIN_BYTES and (part := await self._body.part(DRAIN_SECONDS)):
                    size += len(part)
        except (httpx2.HTTPError, TimeoutError):
            pass  # a connection that cannot be kept is closed
        finally:
            await self._body.close()

    def _check_time(self) -> None:
        """After a pause: the body counts as read at `ends_at`.

        Raises:
            TimeoutError: the deadline is over.
        """
        now = time.monotonic()
        if self.ends_at is not None and now >= self.ends_at:
            self._is_read = True
        elif now >= self._deadline:
            raise TimeoutError

    def _patience(self) -> float:
        ends_at = self._deadline if self.ends_at is None else min(self.ends_at, self._deadline)
        return max(0.0, min(PAUSE_SECONDS, ends_at - time.monotonic()))


_drains: set[asyncio.Task[None]] = set()
"""Bodies that are read to their end."""


def malformed(name: str, defect: str) -> UpstreamError:
    """The error for a reply that cannot be read; `defect` continues "The reply of <name> ..."."""
    advice = "Try again, choose another model, or check that its base URL speaks this dialect."
    return UpstreamError(f"The reply of {name} {defect}. {advice}", kind="malformed", upstream=name)


def too_large(name: str, max_bytes: int) -> UpstreamError:
    """The error for a reply above the limit."""
    message = (
        f"The reply of {name} is larger than {max_bytes:,} bytes, the limit RLM_MAX_UPSTREAM_BYTES. Ask for a shorter "
        "reply, or raise the limit."
    )
    return UpstreamError(message, kind="reply-too-large", upstream=name)


def cut_off(name: str) -> UpstreamError:
    """The error for a reply that ends before its end."""
    message = f"The reply of {name} broke off before its end. Try again."
    return UpstreamError(message, kind="cut-off", upstream=name, retryable=True, requests=CUT)


def _unreadable(name: str, fault: NotJson) -> UpstreamError:
    if fault.cut:
        return cut_off(name)
    if fault.web_page:
        return malformed(name, "is a web page, perhaps of a portal or proxy that wants a login")
    return malformed(name, str(fault))


@lru_cache(maxsize=256)
def _parsed(url: str, query: Query) -> httpx2.URL:
    """The URL of every call to a model; reading it costs as much as sending it."""
    return httpx2.URL(url).copy_merge_params(query) if query else httpx2.URL(url)


async def _peeked(response: Response) -> str:
    """The first words of a refusal, to be searched and never shown; then the response is closed."""
    words = bytearray()
    try:
        async with asyncio.timeout(PEEK_SECONDS):
            while len(words) < PEEK_BYTES and (part := await response.body.part(PEEK_SECONDS)):
                words += part
    except (httpx2.HTTPError, TimeoutError):
        pass  # the status and the words so far have to do
    finally:
        await response.body.close()
    return bytes(words[:PEEK_BYTES]).decode(errors="replace")


KINDS: tuple[tuple[tuple[type[Exception], ...], ErrorKind, str, int], ...] = (
    (
        (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout),
        "unreachable",
        "cannot be reached. Check the network and its base URL.",
        BUDGET,
    ),
    (
        (httpx2.TimeoutException, TimeoutError),
        "timeout",
        "did not answer in time. Try again, or raise RLM_FIRST_BYTE_SECONDS and RLM_TOTAL_SECONDS.",
        FEW,
    ),
    ((httpx2.DecodingError,), "malformed", "sent a reply whose compression cannot be undone. Try again.", 1),
    (
        (httpx2.TransportError,),
        "cut-off",
        "closed the connection before its reply was complete. Try again.",
        CUT,
    ),
)


FAULTS = (NotJson, httpx2.HTTPError, TimeoutError)
"""Faults of a transport, or of the bytes that it brought."""


def named(name: str, fault: Exception) -> UpstreamError:
    """One of `FAULTS` as the error of the upstream `name`; it is not to be chained, for it may quote the request."""
    if isinstance(fault, NotJson):
        return _unreadable(name, fault)
    kind, event, requests = _kind_of(fault)
    return UpstreamError(f"{name} {event}", kind=kind, upstream=name, retryable=requests > 1, requests=requests)


def _kind_of(fault: Exception) -> tuple[ErrorKind, str, int]:
    for types, kind, event, requests in KINDS:
        if isinstance(fault, types):
            return kind, event, requests
    return "failed", "could not be asked. Check its base URL.", BUDGET
