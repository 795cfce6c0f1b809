"""Cluster: the pool of a batch over a Ray cluster, `batch --engine ray`.

In: rows, as `BrowserPool` takes them. Out: their outcomes, as they end. Each actor has a headless browser; all of them
call the one server that runs beside the command, whose budget and kept replies they share. Ray places the actors,
starts a lost one elsewhere and gives it its rows again; those get the replies that the server has kept.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from rlm_core import RLMError

from ..headless.lazy_pool import LazyPool
from ..headless.opening import entered
from ..headless.outcomes import Outcome, Row, in_order_of_ends
from ..ray import BASE_BYTES, PAGE_BYTES

LOOPBACK = "127.0.0.1"
OBJECT_BYTES = 256 << 20
"""Shared memory of a cluster that is started for the batch: what passes through it is small."""
CPUS = 0.5
"""Processors that Ray counts for an actor: its runs wait for models most of the time."""
CLOSE_SECONDS = 10.0
NO_ROW: Row = {"question": ""}
Serve = Callable[[str, str], AbstractContextManager[str]]
"""Starts the server of the batch at an address of this machine, with a token."""


class Asker:
    """The actor: a pool in a browser of its own, opened with the first row."""

    def __init__(self, pages: int, url: str, token: str, defaults: Mapping[str, Any]) -> None:
        self._pool = LazyPool(pages, url, token=token, **defaults)

    async def outcome(self, index: int, row: Row) -> Outcome:
        """The outcome of `row`.

        Raises:
            RLMError: no page opens on this machine.
        """
        outcome = await (await self._pool.opened()).outcome(index, row)
        return replace(outcome, row=NO_ROW)  # the caller has it

    async def close(self) -> None:
        """Close the browser."""
        await self._pool.close()


class RayPool:
    """A pool in each of several actors, in an `async with` block.

    Args:
        serve: starts the server that all actors call.
        size: runs at once, over all actors; two for each processor of the cluster, if `None`.
        actors: number of them; one for each machine, if `None`.
        address: of a running cluster; without one Ray is started on this machine, and ended with the block.
        defaults: of each run.
    """

    def __init__(
        self, serve: Serve, size: int | None, *, actors: int | None, address: str | None, defaults: Mapping[str, Any]
    ) -> None:
        self.size = size or 0
        self._serve = serve
        self._count = actors
        self._address = address
        self._defaults = defaults
        self._rows: dict[Any, int] = {}

    async def __aenter__(self) -> RayPool:
        ray = import_ray()
        async with AsyncExitStack() as opened:
            await asyncio.to_thread(connect, self._address)
            opened.push_async_callback(asyncio.to_thread, ray.shutdown)
            nodes = [node for node in ray.nodes() if node["Alive"]]
            own = ray.util.get_node_ip_address()
            is_local = all(node["NodeManagerAddress"] in (own, LOOPBACK) for node in nodes)
            self._count = self._count or len(nodes)
            self.size = max(self.size or 2 * int(ray.cluster_resources().get("CPU", 1)), self._count)
            token = secrets.token_urlsafe(32)
            serving = entered(self._serve(LOOPBACK if is_local else own, token))
            url = await (await opened.enter_async_context(serving))
            pages = -(-self.size // self._count)
            memory = min(BASE_BYTES + pages * PAGE_BYTES, int(ray.cluster_resources()["memory"]) // self._count)
            needs = {"num_cpus": CPUS, "memory": memory, "scheduling_strategy": "SPREAD"}
            kept = {"max_restarts": -1, "max_task_retries": -1, "max_concurrency": pages + 1}
            made = ray.remote(**needs, **kept)(Asker)
            self._rows = {made.remote(pages, url, token, dict(self._defaults)): 0 for _ in range(self._count)}
            opened.push_async_callback(self._close_actors)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def _close_actors(self) -> None:
        """Close the browsers in order; an actor that does not answer ends with the cluster's connection."""
        closing = [asyncio.wrap_future(actor.close.remote().future()) for actor in self._rows]
        await asyncio.wait(closing, timeout=CLOSE_SECONDS)

    async def map(self, rows: Iterable[Row] | AsyncIterable[Row]) -> AsyncIterator[Outcome]:
        """The outcome of each row, in the order in which they end; see `BrowserPool.map`.

        Raises:
            RLMError: a machine has no Chromium, or no page opens on it.
        """
        async with aclosing(in_order_of_ends(rows, self.size, self._outcome)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _outcome(self, index: int, row: Row) -> Outcome:
        """The outcome of `row` by the actor that has the fewest rows; callbacks stay here, and are not called."""
        ray = import_ray()
        actor = min(self._rows, key=lambda other: self._rows[other])
        self._rows[actor] += 1
        reference = actor.outcome.remote(index, sent(row))
        try:
            outcome: Outcome = await reference
        except ray.exceptions.RayTaskError as fault:
            if isinstance(fault.cause, RLMError):
                raise fault.cause from None
            raise RLMError(f"an actor failed: {fault.cause!r}.") from fault
        except ray.exceptions.RayError as fault:
            raise RLMError(f"the cluster failed: {str(fault).splitlines()[0]}") from fault
        except asyncio.CancelledError:
            ray.cancel(reference)
            raise
        finally:
            self._rows[actor] -= 1
        return Outcome(index, row, outcome.result, outcome.error, outcome.attempts)


def sent(row: Row) -> Row:
    """`row` for another process: without callbacks, its paths seen from anywhere.

    >>> sorted(sent({"question": "Who?", "context": (Path("/a"),), "on_event": print}).items())
    [('context', (PosixPath('/a'),)), ('question', 'Who?')]
    """
    kept: Any = {name: value for name, value in row.items() if not name.startswith("on_")}
    context = kept.get("context")
    if isinstance(context, Path):
        kept["context"] = context.absolute()
    elif isinstance(context, tuple):
        kept["context"] = tuple(path.absolute() for path in context)
    return kept  # type: ignore[no-any-return]


def import_ray() -> Any:
    """The package, or an error that says how to install it."""
    try:
        import ray
        import ray.exceptions
        import ray.util
    except ImportError as missing:
        raise RLMError("Ray is not installed. Run `pip install 'pyodide-rlm[ray]'`, on each machine.") from missing
    return ray


def connect(address: str | None) -> None:
    """Connect to the cluster at `address`, or start Ray on this machine; neither reports anything to Ray's makers.

    Raises:
        RLMError: nothing answers at the address, or Ray does not start.
    """
    ray = import_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = {"include_dashboard": False, "object_store_memory": OBJECT_BYTES}
    where = local if address is None else {"address": address}
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR, namespace="pyodide-rlm")
    except (ConnectionError, ValueError, RuntimeError, OSError, TimeoutError) as fault:
        at = "on this machine" if address is None else f"at {address}"
        raise RLMError(f"Ray does not start {at}: {fault}") from fault
