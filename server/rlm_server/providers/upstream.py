"""Upstream: the seam between the server and whatever answers prompts for it.

In: a conversation and a model's name. Out: one `Reply`, whole or in pieces. One class per wire dialect implements it;
`registry.py` finds the one that a model's name belongs to. Nothing here opens a connection.

    UpstreamError(ProviderError)      .kind says which of the fixed set below; never holds an upstream's body or a key
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

from rlm_core.errors import ProviderError
from rlm_core.types import Message, Reply

ErrorKind = Literal[
    "unreachable",
    "timeout",
    "rate-limited",
    "quota-spent",
    "key-refused",
    "model-unknown",
    "prompt-too-long",
    "call-refused",
    "failed",
    "malformed",
    "cut-off",
]


class Upstream(Protocol):
    """A provider of models. `name` is the part before the colon of its models' names (`"openai"`)."""

    @property
    def name(self) -> str:
        """The provider's name, lower case."""
        ...

    async def models(self) -> Sequence[str]:
        """List the models it offers, without the provider's prefix.

        Raises:
            UpstreamError: the list cannot be had.
        """
        ...

    async def complete(self, messages: Sequence[Message], model: str) -> Reply:
        """Answer `messages`; `model` comes without prefix, `Reply.model` goes back with it (`"openai:gpt-5"`).

        Cancelling the task aborts the call.

        Raises:
            UpstreamError: there is no reply.
        """
        ...

    def stream(self, messages: Sequence[Message], model: str) -> AsyncGenerator[str | Reply, None]:
        """Answer `messages` in pieces: any number of `str`, then exactly one `Reply` that holds the whole text.

        Closing the iterator aborts the call.

        Raises:
            UpstreamError: the reply ended early; earlier pieces stand.
        """
        ...


class UpstreamError(ProviderError):
    """A call to an upstream failed.

    Attributes:
        kind: which of the fixed kinds; `problems.py` has the title and status of each.
        retry_after: seconds that the upstream wants a client to wait, or `None`.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        upstream: str,
        retryable: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, status=status, upstream=upstream)
        self.kind = kind
        self.retry_after = retry_after
