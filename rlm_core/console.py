"""Console: one block that the person runs in the REPL of a session, between two questions; no model is called.

In: the code, as the question of a job. Out: the events of a run that has one iteration with one block, and as the
result's value the variables that there are then. Functions that call models, and those that finish a run, raise here.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from .errors import SubCallError
from .events import (
    BlockFinished,
    BlockStarted,
    Emit,
    IterationFinished,
    IterationStarted,
    Output,
    RunFinished,
    RunStarted,
    ignore,
)
from .job import Job
from .repl import CALLS, Repl
from .session import Session
from .tools import bound
from .types import Observation, RunResult

NO_MODEL = "no model is called from the console, which costs nothing: ask a question for that."
NO_RUN = "there is no run to finish at the console: the value of the last line is shown, and variables stay."


def entry(job: Job, *, session: Session, emit: Emit = ignore) -> RunResult:
    """Run the code of `job` in the REPL of `session`; the value of the result is a list of `Variable`s as JSON.

    Args:
        job: its question is the code; `past` holds the entry itself where an earlier worker ran it.
        session: the REPL, which is made where no question was asked before.
        emit: takes every event.
    """
    started = time.perf_counter()
    repl = session.console(max_chars=job.limits.max_output_chars, name=job.block_name)
    repl.rebind({**repl.displays.functions(), **job.functions})
    repl.rebind({tool.name: bound(tool) for tool in job.tools})
    code = job.question
    emit(_started(job))
    emit(IterationStarted(iteration=1))
    emit(BlockStarted(iteration=1, block=0, code=code))
    before = dict(repl.namespace)
    observation, lost = _observed(job, repl, lambda text: emit(Output(iteration=1, block=0, text=text)))
    stopped = None if lost else repl.stopped
    emit(BlockFinished(iteration=1, block=0, observation=observation, lost=lost, stopped=stopped))
    emit(IterationFinished(iteration=1, reply="", blocks=1))
    session.changed(name for name in repl.variables() if before.get(name, before) is not repl.namespace[name])
    result = RunResult(
        answer="",
        iterations=1,
        seconds=time.perf_counter() - started,
        stopped_by="cancelled" if repl.interrupted else "final_answer",
        detail="The entry was stopped." if repl.interrupted else "",
        value=json.dumps(repl.variable_facts()),
    )
    emit(RunFinished(**{name: getattr(result, name) for name in ("answer", "iterations", "stopped_by", "detail")}))
    return result


def _observed(job: Job, repl: Repl, show: Callable[[str], object]) -> tuple[Observation, bool]:
    """The observation of the code, and whether it is lost: a lost entry is not run again."""
    past = job.past[0] if job.past else None
    if past is not None and past.lost:
        return past.observation, True
    with _refusing(repl):
        observation = repl.execute(job.question, on_output=show)
    return (observation if past is None else past.observation), False


@contextmanager
def _refusing(repl: Repl) -> Iterator[None]:
    """For as long as it lasts, calls of models and ends of a run raise; afterwards the names are as they were."""
    refusals: Mapping[str, str] = dict.fromkeys(CALLS, NO_MODEL) | dict.fromkeys(("FINAL", "FINAL_VAR"), NO_RUN)
    before = {name: repl.namespace[name] for name in refusals if name in repl.namespace}
    repl.interrupted = False
    repl.rebind({name: _refusal(name, why) for name, why in refusals.items()})
    try:
        yield
    finally:
        repl.rebind(before)
        repl.withdraw()


def _refusal(name: str, why: str) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise SubCallError(f"{name}: {why}")

    refuse.__name__ = name
    return refuse


def _started(job: Job) -> RunStarted:
    return RunStarted(
        question=job.question,
        model=job.model,
        sub_model=job.sub_model,
        limits=dataclasses.asdict(job.limits),
        console=True,
    )
