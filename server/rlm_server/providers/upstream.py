"""Upstream: the seam between the server and whatever answers prompts for it.

In: one call. Out: its `Reply`, in pieces and whole. `chat.py` implements it for vendors, `stand_in/` without one;
`registry.py` maps a model's name to one of them. Nothing here opens a connection.

    UpstreamError(ProviderError)      .kind is one of the fixed set below; never holds an upstream's body or a key
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, TypeAlias

from rlm_core.errors import ProviderError
from rlm_core.types import Json, Message, Reply

from .images import Images

ErrorKind = Literal[
    "unreachable",
    "timeout",
    "rate-limited",
    "quota-spent",
    "key-refused",
    "model-unknown",
    "prompt-too-long",
    "prompt-cut",
    "call-refused",
    "failed",
    "malformed",
    "reply-too-large",
    "cut-off",
    "stopped",
]


class Reasoning(str):
    """A piece of the reasoning that a model shows; no part of its reply."""

    __slots__ = ()


Pieces: TypeAlias = AsyncGenerator[str | Reply, None]
"""Any number of `str`, some of them `Reasoning`, then exactly one `Reply` that holds the whole text. Closing the
iterator aborts the call."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Sampling options of a call; `None` leaves the choice to the model. A provider refuses those it does not have.

    Attributes:
        max_output_tokens: longest reply, its reasoning included where the vendor counts it.
        reasoning_effort: one of `EFFORTS`, passed on as it is.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    seed: int | None = None

    def chosen(self) -> dict[str, Json]:
        """The options that are set, by name."""
        if self is NO_OPTIONS:
            return {}
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}


NO_OPTIONS = ModelOptions()


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One call to a model.

    Attributes:
        model: the model's name without its provider's prefix.
        retries: most further requests after one that failed; 0 where the client repeats the call itself.
        schema: JSON Schema of the reply, for the vendor's structured output where it has one.
        images: pictures beside the last message, which is the user's.
        is_watched: whether somebody reads the reply as it is written; else pieces of it may come together.
    """

    messages: tuple[Message, ...]
    model: str
    options: ModelOptions = NO_OPTIONS
    retries: int = 0
    schema: Mapping[str, Json] | None = None
    images: Images = ()
    is_watched: bool = True


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """One model of a provider's list. `window_tokens` is its window where the provider reports it; so is `images`,
    whether it takes any."""

    name: str
    window_tokens: int | None = None
    images: bool | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider's list of models. `note` reports a defect of the list, for the user."""

    models: tuple[OfferedModel, ...] = ()
    note: str = ""


class Upstream(Protocol):
    """A provider of models. `name` is the part before the colon of its models' names (`"openai"`)."""

    @property
    def name(self) -> str:
        """The provider's name, lower case."""
        ...

    @property
    def options(self) -> frozenset[str]:
        """Names of the `ModelOptions` that it has."""
        ...

    async def models(self) -> Offer:
        """The models it offers.

        Raises:
            UpstreamError: the list cannot be had.
        """
        ...

    def stream(self, call: UpstreamCall) -> Pieces:
        """Answer `call`; `Reply.model` has the provider's prefix (`"openai:gpt-5"`).

        Raises:
            UpstreamError: there is no reply, or it ended early; earlier pieces stand.
        """
        ...


class UpstreamError(ProviderError):
    """A call to an upstream failed.

    Attributes:
        kind: which of the fixed kinds; `problems.py` has the title and status of each.
        retry_after: seconds to wait before the next request, or `None`.
        requests: most requests that one call may cause by failing this way.
        reported: the upstream's `type`, `code` and `param` where they are plain identifiers.
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
        requests: int = 1,
        reported: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, status=status, upstream=upstream)
        self.kind = kind
        self.retry_after = retry_after
        self.requests = requests
        self.reported = dict(reported or {})
