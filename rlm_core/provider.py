"""Provider: the one-method seam between the loop and whatever answers prompts.

In the worker it is the channel to the host; on CPython it may be any client; in tests it is `testing.ScriptedProvider`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from .errors import ProviderError
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


StartChildren: TypeAlias = Callable[[Sequence[Child]], Sequence[Reply | ProviderError]]
"""Runs child runs to their end, in parallel where it can, and returns their outcomes in order: a `Reply` with
its final answer, or a `ProviderError` that says why there is none."""
