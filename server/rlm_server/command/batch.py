"""The command `pyodide-rlm batch`: many questions from a file, an answer for each in another.

Progress and the summary go to stderr. Exit status: 0 each line has its answer, 1 a line failed or a fault, 2 wrong
usage or a wrong line, before anything was asked, 3 the budget is spent and lines are left, 130 Ctrl-C, 143 SIGTERM.
After each of them but 2 the same command continues.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlm_core import ConfigError, RLMError

from ..headless.arguments import chosen, read_options
from ..headless.value_shape import read_schema
from ..headless.visible_text import visible
from .exit_status import FAULT, FINAL, LIMIT, reported
from .stop_signals import StopSignals

if TYPE_CHECKING:
    from ..batch.progress import Counts
    from ..batch.questions import Questions
    from ..batch.runs import BatchRuns, OpenPool
    from ..http.app import App

EXISTING = click.Path(exists=True, readable=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
STORE_SUFFIX = ".replies"
STORE_BYTES = 16 << 30
STORE_SECONDS = 10 * 365 * 86_400.0
LOOPBACK = "127.0.0.1"


@click.command()
@click.argument("files", nargs=-1, type=EXISTING)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The answers, a line each.")
@click.option("--question", help="Ask this over each of FILES, and of the files in folders among them.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Runs at once; two for each processor, at most 8, if not given."
)
@click.option(
    "--max-cost", type=click.FloatRange(min=0, min_open=True), help="USD for the whole batch, all starts of it."
)
@click.option("--allow-unknown-price", is_flag=True, help="Let --max-cost stand though a model's price is not known.")
@click.option("--model", help="Model of the iterations, as provider:name.")
@click.option("--sub-model", help="Model of the sub-calls; default: the same.")
@click.option("--schema", type=FILE, help="A JSON Schema that each answer's value must fit; a line's own wins over it.")
@click.option("--direct", is_flag=True, help="One call over each whole context, where it fits the model's window.")
@click.option("--options", "options_file", type=FILE, help="A JSON object of options of each run; a line's own win.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help="Where runs are; default: here.")
@click.option("--address", help="With --engine ray: a running cluster, such as `auto`; default: Ray on this machine.")
@click.option("--actors", type=click.IntRange(1), help="With --engine ray: browsers; one a machine if not given.")
@click.option(
    "--record", type=click.Path(file_okay=False, path_type=Path), help="Write a log of each run into this folder."
)
def batch(
    files: tuple[Path, ...],
    out: Path,
    question: str | None,
    jobs: int | None,
    max_cost: float | None,
    allow_unknown_price: bool,
    model: str | None,
    sub_model: str | None,
    schema: Path | None,
    direct: bool,
    options_file: Path | None,
    engine: str,
    address: str | None,
    actors: int | None,
    record: Path | None,
) -> None:
    """Answer each line of a file of questions: JSON lines, CSV, or OpenAI's batch form.

    A line is {"id", "question", "context": text, path, [paths] or pattern, "schema", "options"}. Begun again with the
    same files it runs the lines that have no answer, and pays for no reply twice.
    """
    if question is None and len(files) != 1:
        raise click.UsageError("Name one file of questions; or --question TEXT and the files to ask it over.")
    if question is not None and not files:
        raise click.UsageError("--question TEXT needs the files to ask it over.")
    if engine == "local" and (address is not None or actors is not None):
        raise click.UsageError("--address and --actors belong to --engine ray.")
    with reported(), StopSignals() as signals:
        from ..batch.answers import Answers
        from ..batch.progress import Counts, Progress

        options = {} if options_file is None else read_options(options_file)
        flags = {"model": model, "sub_model": sub_model, "direct": direct or None}
        defaults = chosen(options, {name: value for name, value in flags.items() if value is not None})
        questions = _questions(files, question, defaults, None if schema is None else read_schema(schema))
        lines = questions.checked()
        if record is not None:
            record.mkdir(parents=True, exist_ok=True)
        with Answers(out) as answers:
            missing = {key for _, key, _ in lines} - answers.answered
            for text in answers.mended:
                click.echo(visible(f"note: {text}."), err=True)
            counts = Counts(total=len(lines), earlier=len(lines) - len(missing))
            progress = Progress(sys.stderr.write, counts, is_terminal=sys.stderr.isatty())
            budget = Budget(out, max_cost)
            counts.spent = budget.spent()
            detail = budget.refusal()
            if missing and not detail:
                limits = {} if max_cost is None else {"max_cost": max_cost}
                arguments = {**limits, **({"allow_unknown_price": True} if allow_unknown_price else {})}
                from ..batch.runs import BatchRuns

                runs = BatchRuns(
                    questions, answers, counts, progress, jobs, record, budget.spent,
                    open_pool=(
                        _pool_over(budget, arguments)
                        if engine == "local"
                        else _cluster_pool_over(budget, arguments, actors, address)
                    ),
                )  # fmt: skip
                _run(runs, missing, signals)
                counts.spent, detail = budget.spent(), _own_words(runs.budget_detail, max_cost)
        for line in progress.summary():
            click.echo(line, err=True)
        if detail:
            click.echo(f"The budget is spent: {visible(detail)}", err=True)
    sys.exit(signals.status or status_of(counts, bool(detail)))


def status_of(counts: Counts, is_spent: bool) -> int:
    """The exit status of a batch that no signal ended."""
    if counts.failed == 0 and counts.left == 0:
        return FINAL
    return LIMIT if is_spent else FAULT


class Budget:
    """The server of a batch: its budget is that of all starts, and its kept replies lie beside the answers.

    Args:
        out: the file of answers.
        max_cost: USD for all, `None` for no limit.
    """

    def __init__(self, out: Path, max_cost: float | None) -> None:
        from ..calls.reply_store import paid_in

        self._store = out.with_name(out.name + STORE_SUFFIX)
        self._max_cost = max_cost
        self._before = paid_in(self._store)
        self._app: App | None = None

    def spent(self) -> float | None:
        """USD spent so far, guesses for calls under way included; `None`: the price of a call is unknown."""
        now = None if self._app is None else getattr(self._app.state, "backend", None)
        if self._before.cost is None or (now is not None and now.budgets.started.unpriced):
            return None
        return self._before.cost + (0.0 if now is None else now.budgets.started.cost)

    def refusal(self) -> str:
        """Why nothing is left of the budget at the start, "" where something is."""
        if self._max_cost is None or (self._before.cost or 0.0) < self._max_cost:
            return ""
        return (
            f"${self._before.cost:.4f} of ${self._max_cost:.4f} were spent before. Raise --max-cost, and start again."
        )

    @contextmanager
    def serving(self, host: str = LOOPBACK, token: str | None = None) -> Iterator[str]:
        """The server, on a free port.

        Args:
            host: address of this machine.
            token: that each request needs, where others may reach it.
        """
        from pydantic import SecretStr

        from ..http.app import create_app
        from ..http.serving import serving
        from ..settings import load_settings

        left = None if self._max_cost is None else self._max_cost - (self._before.cost or 0.0)
        kept = {"store_path": self._store, "store_bytes": STORE_BYTES, "store_seconds": STORE_SECONDS}
        limits = {} if left is None else {"max_start_cost": left}
        guard = {} if token is None else {"token": SecretStr(token), "host": host}
        settings = load_settings(host=LOOPBACK, port=0).unguarded().model_copy(update={**kept, **limits, **guard})
        self._app = create_app(settings)
        with serving(self._app, host=host, port=0) as url:
            yield url


def _questions(files: tuple[Path, ...], question: str | None, defaults: Mapping[str, Any], schema: Any) -> Questions:
    from ..batch.questions import Questions, RawLines

    if question is not None:
        raw = RawLines(question=question, files=files)
        return Questions(raw, folder=Path(), defaults=defaults, schema=schema)
    if files[0].is_dir():
        raise ConfigError(
            f"{files[0]} is a folder. Name a file of questions, or --question TEXT to ask over its files."
        )
    return Questions(RawLines(files[0]), folder=files[0].parent, defaults=defaults, schema=schema)


def _pool_over(budget: Budget, arguments: Mapping[str, Any]) -> OpenPool:
    from ..headless.pool import pool_over

    return lambda size: pool_over(budget.serving(), size, **arguments)


def _cluster_pool_over(
    budget: Budget, arguments: Mapping[str, Any], actors: int | None, address: str | None
) -> OpenPool:
    from ..batch.cluster import RayPool, import_ray

    import_ray()  # its absence is said before anything starts
    return lambda size: RayPool(budget.serving, size, actors=actors, address=address, defaults=arguments)


def _run(runs: BatchRuns, missing: set[str], signals: StopSignals) -> None:
    """Run the missing lines; the first signal ends the runs under way, which the next start begins again."""

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "a coroutine that runs is a task"
        signals.stop = lambda: loop.call_soon_threadsafe(task.cancel)
        await runs.run(missing)

    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        if signals.status is None:
            raise
    except OSError as fault:
        raise RLMError(f"the answers cannot be written: {fault.strerror}. Free some space, and start again.") from fault
    except RLMError:  # a signal to the whole group ends the browser as well
        if signals.status is None:
            raise


def _own_words(detail: str, max_cost: float | None) -> str:
    """The server's words with the flag of this command."""
    if detail and max_cost is not None and "RLM_MAX_START_COST" in detail and "unknown" not in detail:
        return f"--max-cost is ${max_cost:.4f}. Raise it, and start again."
    return detail
