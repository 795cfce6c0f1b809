"""Provider: the one-method seam between the loop and whatever answers prompts.

In the worker it is the channel to the host; on CPython it may be any client; in tests it is `testing.ScriptedProvider`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from .errors import ChannelError, ProviderError
from .types import Child, ModelCall, Reply


class Provider(Protocol):
    """Anything that answers prompts.

    >>> class Echo:
    ...     def complete(self, calls):
    ...         return [Reply(call.messages[-1].content) for call in calls]
    """

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer every call, in any order or in parallel, and return the outcomes in the order of `calls`.

        A call that failed is returned as its `ProviderError`, so that one failure does not cost the others.

        Raises:
            ChannelError: nothing can be answered any more.
        """
        ...


CallsOf: TypeAlias = Callable[[str, Sequence[Any], Mapping[str, Any]], Sequence[ModelCall]]
"""The model calls that a function of the REPL makes first, by its name and arguments; raises as the function would."""


@runtime_checkable
class Overlapping(Protocol):
    """A provider that may send sub-calls while the reply that makes them is still being written; see `overlap.py`."""

    def read_ahead(self, namespace: Mapping[str, Any], calls_of: CallsOf) -> None:
        """Know the namespace of the REPL, and the calls that its functions make."""
        ...


def offer_reading(provider: Provider, namespace: Mapping[str, Any], calls_of: CallsOf) -> None:
    """Let a provider that may overlap calls with a reply read ahead."""
    if isinstance(provider, Overlapping):
        provider.read_ahead(namespace, calls_of)


Answering: TypeAlias = Callable[[list[dict[str, str]], str | None], str]
"""A plain function as provider: messages as dicts and the model's name -> the reply's text."""


@dataclass(frozen=True, slots=True)
class FunctionProvider:
    """A provider that calls a function for each call, one after another.

    >>> from rlm_core import Message
    >>> FunctionProvider(lambda messages, model: messages[-1]["content"].upper()).complete(
    ...     [ModelCall((Message("user", "hi"),))]
    ... )[0].text
    'HI'
    """

    function: Answering

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer `calls`; an exception of the function fails its call alone."""
        return [self._outcome(call) for call in calls]

    def _outcome(self, call: ModelCall) -> Reply | ProviderError:
        if call.images:
            return ProviderError("the provider's function takes text, and this call has images.")
        messages = [{"role": message.role, "content": message.content} for message in call.messages]
        try:
            text = self.function(messages, call.model)
        except ChannelError:
            raise
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything
            return fault if isinstance(fault, ProviderError) else ProviderError(f"{type(fault).__name__}: {fault}")
        if not isinstance(text, str):
            return ProviderError(f"the provider's function must return text, not {type(text).__name__}.")
        return Reply(text, call.model or "")


StartChildren: TypeAlias = Callable[[Sequence[Child]], Sequence[Reply | ProviderError]]
"""Runs child runs to their end, in parallel where it can, and returns their outcomes in order: a `Reply` with
its final answer, or a `ProviderError` that says why there is none."""
