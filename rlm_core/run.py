"""Run: THE LOOP. Read this first.

question + context -> root call -> reply -> code blocks -> REPL (-> sub-calls) -> observation -> next root call -> ...
-> final answer. Every step leaves one event, and every ending that is not our fault has a result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

from . import prompts
from .contexts import fingerprint
from .errors import ChannelError, LimitReached, ProviderError, RunCancelled
from .events import (
    BlockFinished,
    BlockStarted,
    Emit,
    IterationFinished,
    IterationStarted,
    Notice,
    Output,
    RunFinished,
    RunStarted,
    ignore,
)
from .finish import Verdict, last_answer, verdict
from .job import Job, tool_value
from .limits import Budget, Limits
from .observe import to_message
from .parse import parse
from .provider import Provider
from .repl import Repl
from .subcalls import SubCalls, complete
from .trajectory import recorded
from .types import CodeBlock, Message, ModelCall, Observation, RunResult, StoppedBy, Tool


def run(
    question: str,
    context: object = None,
    *,
    provider: Provider,
    model: str | None = None,
    sub_model: str | None = None,
    limits: Limits | None = None,
    system_prompt: str | None = None,
    tools: Sequence[Tool] = (),
    emit: Emit = ignore,
) -> RunResult:
    """Answer `question` over `context`; the model's code runs in this very process, unsandboxed.

    Args:
        question: what is asked.
        context: the data; never sent to the root model, which is only told its type, size and first lines.
        provider: answers the model calls, for example `testing.ScriptedProvider`.
        model: root model; `sub_model`: model of sub-calls; `None` is the provider's default.
        limits: what the run may use; `Limits()` unless given.
        system_prompt: replaces the built-in instructions.
        tools: JSON values that model code finds under their names.
        emit: takes every event of the run, calls included.

    Raises:
        ConfigError: an argument is impossible; nothing ran.
    """
    job = Job(
        question=question,
        context=context,
        model=model,
        sub_model=sub_model,
        limits=limits or Limits(),
        system_prompt=system_prompt,
        tools=tuple(tools),
    )
    return answer(job, provider=recorded(provider, emit), emit=emit)


def answer(job: Job, *, provider: Provider, emit: Emit = ignore) -> RunResult:
    """Do the whole run of `job`; the result tells how it ended."""
    loop = _Loop(job, provider, emit)
    emit(loop.started())
    final, stopped_by, detail = loop.to_the_end()
    result = RunResult(final, loop.budget.iterations, loop.budget.seconds, loop.budget.usage, stopped_by, detail)
    emit(
        RunFinished(
            answer=final, iterations=result.iterations, stopped_by=stopped_by, detail=detail, usage=result.usage
        )
    )
    return result


class _Loop:
    """One run: its conversation, its REPL and its budget."""

    def __init__(self, job: Job, provider: Provider, emit: Emit) -> None:
        self.job = job
        self.provider = provider
        self.emit = emit
        self.budget = Budget(job.limits)
        self.context = job.question if job.context is None else job.context
        self.repl = Repl(self.context, max_chars=job.limits.max_output_chars)
        self.subcalls = SubCalls(
            provider, model=job.sub_model, budget=self.budget, check_running=self.repl.check_running
        )
        self.repl.reserve(self.subcalls.functions())
        self.repl.reserve({tool.name: tool_value(tool) for tool in job.tools})
        self.messages = self._opening()
        self.unconfirmed = ""

    def to_the_end(self) -> tuple[str, StoppedBy, str]:
        """Iterate until something ends the run; return the answer, what ended it, and a sentence about that."""
        try:
            return self._iterate(), "final_answer", ""
        except LimitReached as limit:
            return self._out_of(limit)
        except (KeyboardInterrupt, RunCancelled):
            return self._partial(), "cancelled", "The run was stopped."
        except ProviderError as error:
            return self._partial(), "provider_error", str(error)
        except ChannelError as error:
            return self._partial(), "worker_lost", str(error)

    def _iterate(self) -> str:
        """Ask, execute, observe, until there is a final answer."""
        while True:
            iteration = self.budget.begin_iteration()
            self.emit(IterationStarted(iteration=iteration))
            reply = self._ask()
            parsed = parse(reply)
            observations = self._execute(iteration, parsed.blocks)
            found = verdict(parsed, self.repl)
            self.emit(IterationFinished(iteration=iteration, reply=reply, blocks=len(parsed.blocks)))
            if found.answer is not None:
                return found.answer
            self._check_ending()
            self._observe(reply, observations, found)
            self.budget.count_outcome(failed=bool(observations) and observations[-1].error is not None)

    def _ask(self) -> str:
        """One root call over the conversation so far."""
        call = ModelCall(tuple(self.messages), self.job.model, "root")
        outcome = complete(self.provider, [call])[0]
        if isinstance(outcome, ProviderError):
            raise outcome
        self.budget.add_usage(outcome.model or self.job.model or "default", outcome.usage)
        return outcome.text

    def _execute(self, iteration: int, blocks: Sequence[CodeBlock]) -> list[Observation]:
        """Run the blocks in order, up to one that ends the run."""
        observations: list[Observation] = []
        for number, block in enumerate(blocks):
            self.emit(BlockStarted(iteration=iteration, block=number, code=block.code))

            def show(text: str, number: int = number) -> None:
                self.emit(Output(iteration=iteration, block=number, text=text))

            observation = self.repl.execute(block.code, on_output=show)
            observations.append(observation)
            partial = self.repl.partial or None
            self.emit(BlockFinished(iteration=iteration, block=number, observation=observation, partial=partial))
            if self._is_over():
                break
        return observations

    def _is_over(self) -> bool:
        return self.repl.final is not None or self.repl.interrupted or self.subcalls.ending is not None

    def _check_ending(self) -> None:
        """Raise what ended the run while a block was running."""
        if self.subcalls.ending is not None:
            raise self.subcalls.ending
        if self.repl.interrupted:
            raise RunCancelled("The run was stopped.")

    def _observe(self, reply: str, observations: Sequence[Observation], found: Verdict) -> None:
        """Add the reply, and what came of it, to the conversation."""
        self.unconfirmed = found.partial or self.unconfirmed
        left = self.job.limits.max_iterations - self.budget.iterations
        notes = (found.correction, prompts.few_left(left) if left else "")
        shown = to_message(observations, max_chars=self.job.limits.max_output_chars, notes=notes)
        self.messages += [Message("assistant", (reply.strip() and reply) or "(empty reply)"), shown]

    def _out_of(self, limit: LimitReached) -> tuple[str, StoppedBy, str]:
        """A limit is spent: when it is the iterations, the model is asked once more for the best answer it has."""
        stopped_by = cast(StoppedBy, limit.limit)
        if limit.limit != "max_iterations":
            return self._partial(), stopped_by, str(limit)
        self.emit(Notice(text="Out of iterations: the model is asked for the best answer from what it has seen."))
        self.messages.append(Message("user", prompts.LAST_CALL))
        try:
            reply = self._ask()
        except (ProviderError, ChannelError) as error:
            return self._partial(), stopped_by, f"{limit} The last call failed too: {error}"
        except (KeyboardInterrupt, RunCancelled):
            return self._partial(), "cancelled", "The run was stopped."
        return last_answer(parse(reply), reply, self.repl) or self._partial(), stopped_by, str(limit)

    def _partial(self) -> str:
        """The best answer there is so far, `""` if none."""
        return self.repl.partial or self.unconfirmed

    def _opening(self) -> list[Message]:
        question = self.job.question
        if len(question) > prompts.MAX_QUESTION_CHARS:
            self.repl.namespace["question"] = question
        description = prompts.describe(self.context)
        first = prompts.first_message(question, description, max_iterations=self.job.limits.max_iterations)
        return [Message("system", prompts.system_prompt(self.job.system_prompt, self.job.tools)), first]

    def started(self) -> RunStarted:
        return RunStarted(
            question=self.job.question,
            model=self.job.model,
            sub_model=self.job.sub_model,
            limits=dataclasses.asdict(self.job.limits),
            contexts=self.job.contexts or (fingerprint(self.context),),
        )
