"""Exchange: HTTP with one upstream, whatever its dialect.

In: a path and a JSON body. Out: an open `Answer` with status 200, or an `UpstreamError` of a fixed kind whose text
holds nothing that the upstream wrote. Timeouts, retries, size limits and the key's header live here and only here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx2
import stamina
from pydantic import SecretStr

from ..settings import Settings
from .upstream import ErrorKind, UpstreamError

logger = logging.getLogger("rlm_server.upstream")
MAX_RETRY_WAIT_SECONDS = 20.0
PEEK_BYTES = 4096
PEEK_SECONDS = 2.0
RETRIED_STATUSES = frozenset({408, 409, 429})
TOO_LONG = (
    b"context_length_exceeded",
    b"maximum context length",
    b"prompt is too long",
    b"exceed_context_size",
    b"input token count",
)
"""Vendors' words, in lower case, for a prompt longer than their model takes."""
NO_CREDIT = b"insufficient_quota"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream is, and the key it is sent.

    Attributes:
        name: the provider's name, for errors and models.
        url: its URL up to the paths of the dialect.
        key: goes into the header `key_header` after `key_prefix`; `None` sends none.
        headers: further headers of every request.
        key_variable: the environment variable that the key is read from, for advice.
    """

    name: str
    url: str
    key: SecretStr | None = None
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    headers: Mapping[str, str] | None = None
    key_variable: str = ""


class Exchange:
    """Requests to one upstream, over the server's shared `client`."""

    def __init__(self, client: httpx2.AsyncClient, address: Address, settings: Settings) -> None:
        self.client = client
        self.address = address
        self.settings = settings

    @property
    def name(self) -> str:
        return self.address.name

    @asynccontextmanager
    async def post(self, path: str, body: Mapping[str, object], *, accept: str) -> AsyncIterator[Answer]:
        """Post `body` as JSON; try again as the settings allow until an answer with status 200 begins.

        Raises:
            UpstreamError: there is none; also from within the block, where reading the answer failed.
        """
        deadline = time.monotonic() + self.settings.total_seconds
        headers = {"Content-Type": "application/json", "Accept": accept, **(self.address.headers or {})}
        request = self.client.build_request(
            "POST", self.address.url + path, content=json.dumps(body).encode(), headers=headers
        )
        with self._faults_named():
            async with _until(deadline):
                response = await self._send_with_retries(request)
            try:
                yield Answer(response, self.name, deadline=deadline, max_bytes=self.settings.max_upstream_bytes)
            finally:
                await response.aclose()

    async def get_json(self, path: str, *, seconds: float) -> object:
        """Get a JSON value, in one try.

        Raises:
            UpstreamError: there is none within `seconds`.
        """
        deadline = time.monotonic() + seconds
        request = self.client.build_request("GET", self.address.url + path, headers=self.address.headers)
        with self._faults_named():
            async with _until(deadline):
                response = await self._send(request)
            try:
                answer = Answer(response, self.name, deadline=deadline, max_bytes=self.settings.max_upstream_bytes)
                return await answer.json()
            finally:
                await response.aclose()

    async def _send_with_retries(self, request: httpx2.Request) -> httpx2.Response:
        wait = self.settings.retry_wait_seconds
        attempts = stamina.retry_context(
            on=self._retry_decision,
            attempts=self.settings.retries + 1,
            timeout=None,
            wait_initial=wait,
            wait_jitter=wait,
            wait_max=MAX_RETRY_WAIT_SECONDS,
        )
        async for attempt in attempts:
            with attempt, self._faults_named():
                return await self._send(request)
        raise AssertionError("stamina ends by a return or an exception")

    def _retry_decision(self, fault: Exception) -> bool | float:
        """Whether to try again after `fault`; a number is the wait that the upstream wants."""
        if not isinstance(fault, UpstreamError) or not self._may_pass(fault):
            return False
        logger.info(json.dumps({"upstream": self.name, "failed": fault.kind, "status": fault.status}))
        return True if fault.retry_after is None else fault.retry_after

    def _may_pass(self, fault: UpstreamError) -> bool:
        status = fault.status or 0
        if fault.kind == "quota-spent":
            return False
        if fault.kind != "unreachable" and status not in RETRIED_STATUSES and status < 500:
            return False
        return (fault.retry_after or 0) <= self.settings.max_retry_after_seconds

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        response = await self.client.send(request, stream=True, auth=_Key(self.address), follow_redirects=False)
        if response.status_code == 200:
            return response
        words = await _peeked(response)
        raise self._refusal(response.status_code, response.headers.get("retry-after"), words)

    def _refusal(self, status: int, retry_after: str | None, words: bytes) -> UpstreamError:
        kind, advice = _meaning(status, words)
        variable = self.address.key_variable
        if kind == "key-refused" and variable:
            advice = f"Check {variable}."
        wait = _seconds(retry_after)
        if kind == "rate-limited" and wait is not None:
            advice = f"It asks to wait {wait:g} s. {advice}"
        return UpstreamError(
            f"{self.name} answered with status {status}. {advice}",
            kind=kind,
            upstream=self.name,
            retryable=kind in ("rate-limited", "failed", "timeout"),
            status=status,
            retry_after=wait,
        )

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        """Turn faults of the transport into `UpstreamError`; theirs may quote the request, so they are not chained."""
        try:
            yield
        except (httpx2.HTTPError, TimeoutError) as fault:
            kind, event = _kind_of(fault)
            retryable = kind != "malformed"
            raise UpstreamError(f"{self.name} {event}", kind=kind, upstream=self.name, retryable=retryable) from None


class Answer:
    """The body of a response with status 200, read at most once and no further than `max_bytes`."""

    def __init__(self, response: httpx2.Response, name: str, *, deadline: float, max_bytes: int) -> None:
        self.is_event_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        self._response = response
        self._name = name
        self._deadline = deadline
        self._max_bytes = max_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come, decompressed.

        Raises:
            UpstreamError: they are too many.
            TimeoutError, httpx2.HTTPError: they stop; `Exchange` names these.
        """
        size = 0
        chunks = self._response.aiter_bytes()
        while True:
            async with _until(self._deadline):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > self._max_bytes:
                raise malformed(self._name, f"is larger than {self._max_bytes:,} bytes (RLM_MAX_UPSTREAM_BYTES)")
            yield chunk

    async def json(self) -> object:
        """The whole body as a JSON value.

        Raises:
            UpstreamError: it is not one.
        """
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
        return parse_json(self._name, body)


def parse_json(name: str, text: str | bytes | bytearray) -> object:
    """Parse the body of the upstream `name`.

    Raises:
        UpstreamError: it is not JSON.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise malformed(name, f"of {len(text):,} bytes is not JSON") from None
    return value


def malformed(name: str, defect: str) -> UpstreamError:
    """The error for a reply that cannot be read; `defect` continues "The reply of <name> ..."."""
    advice = "Try again, choose another model, or check that its base URL speaks this dialect."
    return UpstreamError(f"The reply of {name} {defect}. {advice}", kind="malformed", upstream=name)


def cut_off(name: str) -> UpstreamError:
    """The error for a reply that ends before its end."""
    return UpstreamError(
        f"The reply of {name} broke off before its end. Try again.", kind="cut-off", upstream=name, retryable=True
    )


class _Key(httpx2.Auth):
    """Adds the key at the last moment, so that no request that is held, logged or raised shows it before it is sent."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        address = self._address
        if address.key is not None:
            request.headers[address.key_header] = address.key_prefix + address.key.get_secret_value()
        yield request
        request.headers.pop(address.key_header, None)


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
        yield


async def _peeked(response: httpx2.Response) -> bytes:
    """The first words of a refusal, in lower case, to be searched and never shown; then the response is closed."""
    words = bytearray()
    try:
        async with asyncio.timeout(PEEK_SECONDS):
            async for chunk in response.aiter_bytes(PEEK_BYTES):
                words += chunk
                break
    except (httpx2.HTTPError, TimeoutError):
        pass  # the status alone has to do
    finally:
        await response.aclose()
    return bytes(words[:PEEK_BYTES]).lower()


def _meaning(status: int, words: bytes) -> tuple[ErrorKind, str]:
    """The meaning of a status other than 200, and the remedy."""
    if status == 402 or (status == 429 and NO_CREDIT in words):
        return "quota-spent", "The account has no credit left. Add some, or choose another model."
    if status == 413 or (status == 400 and any(sign in words for sign in TOO_LONG)):
        return "prompt-too-long", "The prompt is longer than the model takes. Send less text at once."
    if status in (401, 403):
        return "key-refused", "Check its key."
    if status == 408:
        return "timeout", "Try again, or with a shorter prompt."
    if status == 429:
        return "rate-limited", "Ask less at once (RLM_CONCURRENCY), or try again later."
    if status >= 500 or status == 409:
        return "failed", "Try again later."
    if 300 <= status < 400:
        return "call-refused", "Redirects are not followed. Check its base URL."
    if status == 404:
        return "model-unknown", "It does not know this model or path. Check the model's name and the base URL."
    return "call-refused", "The prompt may be too long for the model, or the model cannot answer it."


FAULTS: tuple[tuple[tuple[type[Exception], ...], ErrorKind, str], ...] = (
    (
        (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout),
        "unreachable",
        "cannot be reached. Check the network and its base URL.",
    ),
    (
        (httpx2.TimeoutException, TimeoutError),
        "timeout",
        "did not answer in time. Try again, or raise RLM_FIRST_BYTE_SECONDS and RLM_TOTAL_SECONDS.",
    ),
    ((httpx2.DecodingError,), "malformed", "sent a reply whose compression cannot be undone. Try again."),
    ((httpx2.TransportError,), "cut-off", "closed the connection before its reply was complete. Try again."),
)


def _kind_of(fault: Exception) -> tuple[ErrorKind, str]:
    for types, kind, event in FAULTS:
        if isinstance(fault, types):
            return kind, event
    return "failed", "could not be asked. Check its base URL."


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header; its date form is rare and read as absent."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e6 else None
