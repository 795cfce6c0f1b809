"""Joined writes: the head and the body of a request in one write to the network.

In: httpcore2's writes, one for the head of a request and one for each part of its body. Out: one write for all that
fits into `JOINED_BYTES`, made when the response is read. Each write costs a system call here, and at the upstream a
turn of its loop in which the request is not yet whole.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore2
from httpcore2 import SOCKET_OPTION

JOINED_BYTES = 64 << 10


class JoinedWrites(httpcore2.AnyIOBackend):
    """The network as httpcore2 has it, with streams that join what is written."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect within `timeout` seconds."""
        return Joined(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class Joined(httpcore2.AsyncNetworkStream):
    """A stream that writes when it is read, or when much waits."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._size = 0
        self._timeout: float | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._waiting.append(buffer)
        self._size += len(buffer)
        self._timeout = timeout
        if self._size > JOINED_BYTES:
            await self._flush()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._waiting:
            with suppress(httpcore2.WriteError):  # an upstream may refuse a request before it has all of it
                await self._flush()
        return await self._stream.read(max_bytes, timeout)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return Joined(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def _flush(self) -> None:
        joined, self._waiting, self._size = b"".join(self._waiting), [], 0
        await self._stream.write(joined, self._timeout)
