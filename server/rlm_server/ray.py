"""Ray: the rows of a dataset through a headless browser in each actor, `pip install 'pyodide-rlm[ray]'`.

In: batches of rows, as `Dataset.map_batches` hands them to an actor: tables of Arrow, frames of pandas or columns of
numpy. Out: the same batches with four columns more. A row that fails has its `error`, and ends nothing. The command
`batch --engine ray` needs no dataset; see `batch/cluster.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rlm_core import ConfigError

from .batch.questions import Line, Questions, Raw
from .batch.runs import error_of
from .headless.arguments import RLMArguments, parsed
from .headless.blocking import LoopThread
from .headless.lazy_pool import LazyPool
from .headless.outcomes import Outcome

if TYPE_CHECKING:
    from ray.data import ActorPoolStrategy

INPUTS = ("question", "id", "context", "schema", "options")
OUTPUTS = ("answer", "error", "result", "attempts")
PAGES = 4
CALLS = 2
"""Blocks of rows that an actor has at once, so that it is not idle at the end of one."""
BASE_BYTES = 600 << 20
PAGE_BYTES = 250 << 20
"""Memory of a browser, and of each of its pages."""
CLOSE_SECONDS = 10.0


class Ask:
    """Answers rows by recursive language models: the class for `Dataset.map_batches`.

    A row has a `question`, and may have `id`, `context`, `schema` and `options`, as a line of `pyodide-rlm batch`
    has them: `schema` and `options` as structs or as JSON text, `context` as text, bytes, a path, or a struct such as
    `{"text": ...}`. Paths are those of the actor's machine. The columns that are added:

    - `answer`: text, the best partial one where a limit ended the run; null where there is none.
    - `error`: `kind: message`, null where the row has its final answer.
    - `result`: JSON text, the object that `pyodide-rlm run --json` prints; null where nothing ran.
    - `attempts`: pages that the run was given to.

    The browser opens with the first row, and ends with the actor, however that ends. A row has the same idempotency key
    each time, made from its content and its `id`: what the server has kept for it is not paid for again.

    Args:
        url: address of the server that all actors use, with its `token`: budgets and kept replies are its own. Without
            one each actor starts a server for itself, and nothing is shared.
        pages: runs of an actor at once.
        folder: that relative paths begin in.
        prefix: of the names of the added columns.
        defaults: options and tools of each run; see `RLMArguments`.

    >>> def answered(rows):  # doctest: +SKIP
    ...     return rows.map_batches(
    ...         Ask, fn_constructor_kwargs={"url": "http://10.0.0.1:8000", "token": "..."}, **actors(8)
    ...     )

    Raises:
        ConfigError: an argument is unknown or impossible.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        pages: int = PAGES,
        folder: str = "",
        prefix: str = "",
        **defaults: Unpack[RLMArguments],
    ) -> None:
        parsed(defaults, RLMArguments)
        self._pool = LazyPool(pages, url, token=token)
        self._questions = Questions((), folder=Path(folder), defaults=defaults)
        self._prefix = prefix
        self._loop: LoopThread | None = None

    async def __call__(self, batch: Any) -> Any:
        """`batch` with the added columns.

        Raises:
            ConfigError: it has no column `question`, or one that would be added.
            RLMError: no page opens on this machine.
        """
        names = [str(name) for name in _names(batch)]
        taken = [name for name in self._added() if name in names]
        if "question" not in names or taken:
            fault = f"the rows have a column {taken[0]!r} already" if taken else "the rows have no column 'question'"
            raise ConfigError(f"{fault}: rename it, or pass Ask's prefix. Columns are {', '.join(names)}.")
        if self._loop is None:
            self._loop = LoopThread()
        ended = await asyncio.wrap_future(self._loop.begin(self._answered(_rows(batch))))
        return _with_columns(batch, dict(zip(self._added(), zip(*ended, strict=True), strict=True)))

    def close(self) -> None:
        """Close the browser; the next row opens another."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.wait(self._pool.close())
            loop.close()

    def __del__(self) -> None:
        loop = getattr(self, "_loop", None)
        if loop is not None:  # the actor ends in order: let the browser clear its files away
            closing = loop.begin(asyncio.wait_for(self._pool.close(), CLOSE_SECONDS))
            closing.exception(CLOSE_SECONDS)

    def _added(self) -> list[str]:
        return [self._prefix + name for name in OUTPUTS]

    async def _answered(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        return await asyncio.gather(*map(self._row, rows))

    async def _row(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        try:
            line = self._questions.line(Raw("row", 0, fields_of(row)))
        except ConfigError as fault:
            return _columns(Outcome(0, {"question": ""}, None, fault, 0))
        pool = await self._pool.opened()
        return _columns(await pool.outcome(0, {**line.row(), "idempotency_key": key_of(line)}))


def actors(
    size: int, *, pages: int = PAGES, num_cpus: float = 1.0, resources: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Arguments of `Dataset.map_batches` for `size` actors of `Ask` with `pages` each.

    Args:
        num_cpus: processors that Ray counts for an actor; others are left for reading and writing.
        resources: further ones that Ray counts for it.

    >>> sorted(actors(2, pages=3))  # doctest: +SKIP
    ['batch_format', 'batch_size', 'compute', 'memory', 'num_cpus', 'resources', 'udf_modifying_row_count']
    """
    return {
        "compute": _strategy(size),
        "batch_size": pages,
        "batch_format": "pyarrow",
        "num_cpus": num_cpus,
        "memory": BASE_BYTES + pages * PAGE_BYTES,
        "resources": None if resources is None else dict(resources),
        "udf_modifying_row_count": False,
    }


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a line in a row of a dataset, whose structs have a null for each field of the others.

    >>> fields_of({"question": "Who?", "context": {"text": "Ann", "path": None}, "options": '{"direct": true}'})
    {'question': 'Who?', 'context': {'text': 'Ann'}, 'options': {'direct': True}}

    Raises:
        ConfigError: a JSON text is none.
    """
    fields = {name: _dense(row[name]) for name in INPUTS if name in row}
    for name in ("schema", "options"):
        if isinstance(fields.get(name), str) and fields[name]:
            try:
                fields[name] = json.loads(fields[name])
            except ValueError as fault:
                raise ConfigError(f"the column `{name}` is not JSON ({fault}).") from None
    return {name: value for name, value in fields.items() if value is not None}


def key_of(line: Line) -> str:
    """The idempotency key of a row: of its content and its id."""
    return hashlib.sha256(f"{line.key} {line.id}".encode("utf-8", "surrogatepass")).hexdigest()


def _columns(outcome: Outcome) -> tuple[str | None, str | None, str | None, int]:
    """The values of `OUTPUTS`."""
    result, error = outcome.result, error_of(outcome.result, outcome.error)
    said = None if error is None else f"{error['type']}: {error['message']}"
    whole = None if result is None else json.dumps(result.to_json())
    return None if result is None else result.answer, said, whole, outcome.attempts


def _dense(value: Any) -> Any:
    """`value` without nulls in its structs; a missing cell of pandas is a null."""
    if isinstance(value, Mapping):
        return {name: _dense(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_dense(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.tolist() if hasattr(value, "tolist") else value


def _names(batch: Any) -> Sequence[Any]:
    return batch.column_names if hasattr(batch, "column_names") else list(batch)


def _rows(batch: Any) -> list[dict[str, Any]]:
    if hasattr(batch, "to_pylist"):
        return batch.to_pylist()  # type: ignore[no-any-return]
    columns = {str(name): list(batch[name]) for name in _names(batch) if name in INPUTS}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _with_columns(batch: Any, columns: Mapping[str, Sequence[Any]]) -> Any:
    """`batch` and `columns`, in its own form; a column of nulls has its type in a table of Arrow alone."""
    if isinstance(batch, Mapping):
        import numpy as np

        return {**batch, **{name: np.array(values, dtype=object) for name, values in columns.items()}}
    if not hasattr(batch, "append_column"):
        return batch.assign(**{name: list(values) for name, values in columns.items()})
    import pyarrow as pa

    for (name, values), kind in zip(columns.items(), (pa.string(), pa.string(), pa.string(), pa.int64()), strict=True):
        batch = batch.append_column(name, pa.array(values, kind))
    return batch


def _strategy(size: int) -> ActorPoolStrategy:
    from ray.data import ActorPoolStrategy

    return ActorPoolStrategy(size=size, max_concurrent_calls_per_actor=CALLS, max_tasks_in_flight_per_actor=2 * CALLS)
