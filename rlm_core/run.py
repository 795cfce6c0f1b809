"""Run: THE LOOP. Read this first.

question + context -> root call -> reply -> code blocks -> REPL (-> sub-calls) -> observation -> next root call -> ...
-> final answer. Every step leaves one event, and every ending that is not our fault has a result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import cast

from . import prompts
from .accept import Acceptance
from .child_outcome import child_outcome, emit_at
from .compact import OPENING, compacted, request, tokens
from .contexts import fingerprint
from .direct import Direct
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
from .finish import Verdict, last_answer, partial_answer, verdict
from .job import Job
from .limits import Budget, Limits, check_kept
from .map_items import MapItems
from .observe import has_output, to_message
from .parse import parse
from .provider import Answering, FunctionProvider, Provider, StartChildren, offer_reading
from .repeated import MAX_REPEATED, Repeated
from .reply_text import spoken
from .session import Session, as_dicts
from .subcalls import SubCalls, complete, why_without_text
from .tools import Tools, bound, recorded_tool, tools_of
from .trajectory import Recorded, recorded
from .types import (
    Child,
    CodeBlock,
    Fault,
    Message,
    ModelCall,
    Observation,
    Reply,
    RunResult,
    Shape,
    StoppedBy,
)


def run(
    question: str,
    context: object = None,
    *,
    provider: Provider | Answering,
    model: str | None = None,
    sub_model: str | None = None,
    limits: Limits | None = None,
    system_prompt: str | None = None,
    tools: Tools = (),
    sub_tools: Tools | None = None,
    shape: Shape | None = None,
    direct: bool = False,
    session: Session | None = None,
    emit: Emit = ignore,
) -> RunResult:
    """Answer `question` over `context`; the model's code runs in this very process, unsandboxed.

    Args:
        question: text that is not empty.
        context: the data; never sent to the root model, which is shown only its type, size and first lines.
        provider: answers the model calls: a `Provider`, or a function of messages and model that returns text. A
            `Cassette` brings the `functions` that its code finds besides ours.
        model: root model, `None` for the provider's default; `sub_model`: model of sub-calls, `None` for the same.
        limits: bounds of the run; by default `Limits()`.
        system_prompt: replaces the built-in instructions.
        tools: JSON values and functions that model code finds under their names, as `tools_of` takes them.
        sub_tools: tools of child runs; by default the same.
        shape: schema of the answer's value, with the function that applies it.
        direct: one call over the whole context in place of the loop, where it fits into the model's window.
        session: where this is one of several questions over one REPL.
        emit: takes every event of the run, calls included.

    Raises:
        ConfigError: an argument is impossible, or a limit that only the browser's host keeps; nothing ran.
    """
    check_kept(limits or Limits())
    job = Job(
        question=question,
        context=context,
        model=model,
        sub_model=sub_model,
        limits=limits or Limits(),
        system_prompt=system_prompt,
        tools=tools_of(tools),
        sub_tools=None if sub_tools is None else tools_of(sub_tools),
        functions=getattr(provider, "functions", {}),
        shape=shape,
        direct=direct,
    )
    adapted = FunctionProvider(provider) if not hasattr(provider, "complete") else provider
    budget = Budget(job.limits, needs_prices=True)
    return _run_here(job, recorded(adapted, emit), emit, budget, session)


def answer(
    job: Job,
    *,
    provider: Provider,
    emit: Emit = ignore,
    start_children: StartChildren | None = None,
    budget: Budget | None = None,
    session: Session | None = None,
) -> RunResult:
    """Do the whole run of `job`; the result tells how it ended.

    Args:
        job: question, context and settings.
        provider: answers the model calls.
        emit: takes every event but those of calls.
        start_children: runs child runs, where `job` may have any; without it child questions are plain sub-calls.
        budget: counts the run's use; by default its own.
        session: where the REPL outlives the run.
    """
    loop = _Loop(job, provider, emit, start_children, budget or Budget(job.limits), session or Session())
    emit(loop.started())
    final, stopped_by, detail = loop.to_the_end()
    loop.session.end(job.question, final, loop.history)
    used = loop.budget
    result = RunResult(
        answer=final,
        iterations=used.iterations,
        seconds=used.seconds,
        usage=used.usage,
        stopped_by=stopped_by,
        detail=detail,
        fault=loop.fault,
        value=loop.acceptance.value,
        evidence=loop.acceptance.evidence,
    )
    emit(RunFinished(**{name: getattr(result, name) for name in ENDED_FIELDS}))
    return result


def _run_here(job: Job, provider: Recorded, emit: Emit, budget: Budget, session: Session | None = None) -> RunResult:
    """A run whose child runs are run in this process too, one after another."""
    numbers = count()

    def start(child: Child) -> Reply | ProviderError:
        below = job.child(child, next(numbers))
        there = partial(emit_at, below.path, emit)
        return child_outcome(_run_here(below, provider.for_child(there), there, budget.child()), budget)

    def start_children(children: Sequence[Child]) -> list[Reply | ProviderError]:
        return [start(child) for child in children]

    own = dataclasses.replace(job, tools=tuple(recorded_tool(tool, emit) for tool in job.tools))
    return answer(own, provider=provider, emit=emit, start_children=start_children, budget=budget, session=session)


ENDED_FIELDS = ("answer", "iterations", "stopped_by", "detail", "usage", "value", "evidence")
MAX_WITHOUT_TEXT = 3
"""Replies in a row without text after which the run ends: each is paid for, and the next would hardly do better."""


class _Loop:
    """One run: its conversation, its REPL and its budget."""

    def __init__(
        self,
        job: Job,
        provider: Provider,
        emit: Emit,
        start_children: StartChildren | None,
        budget: Budget,
        session: Session,
    ) -> None:
        self.job = job
        self.provider = provider
        self.emit = emit
        self.budget = budget
        self.session = session
        self.repl = session.begin(job.context, job.question, max_chars=job.limits.max_output_chars, name=job.block_name)
        self.context = self.repl.namespace["context"]
        self.subcalls = SubCalls(
            provider,
            model=job.sub_model or job.model,
            budget=self.budget,
            check_running=self.repl.check_running,
            start_children=start_children if job.may_have_children else None,
        )
        self.repl.rebind(self.subcalls.functions())
        _, piece, _ = prompts.piece_chars(job.sub_window_tokens or job.limits.window_tokens)
        self.repl.rebind(MapItems(self.subcalls, job.functions.get("read"), piece).functions())
        self.repl.rebind({**self.repl.displays.functions(), **job.functions})
        self.repl.rebind({tool.name: bound(tool, self.subcalls.calling) for tool in job.tools})
        offer_reading(provider, self.repl.namespace, self.subcalls.calls_of)
        self.messages = self._opening()
        self.history = as_dicts(self.messages)
        self.tokens = tokens(self.messages)
        self.unconfirmed = ""
        self.without_text = 0
        self.repeated = Repeated()
        self.fault: Fault | None = None
        self.session.source = job.source or self.session.source
        read, last_batch = job.functions.get("read"), self.subcalls.last_batch
        self.acceptance = Acceptance(self.repl, job.shape, name=self.session.source, read=read, last_batch=last_batch)
        self.past = {(past.iteration, past.block): past for past in job.past}

    def to_the_end(self) -> tuple[str, StoppedBy, str]:
        """Iterate until something ends the run; return the answer, the ending, and a sentence about it."""
        try:
            return (self._directly() if self.job.direct else self._iterate()), "final_answer", ""
        except LimitReached as limit:
            return self._out_of(limit)
        except (KeyboardInterrupt, RunCancelled):
            return self._partial(), "cancelled", "The run was stopped."
        except ProviderError as error:
            self.fault = Fault(error.type, error.status, error.retryable, error.upstream)
            return self._partial(), "provider_error", str(error)
        except ChannelError as error:
            return self._partial(), "worker_lost", str(error)

    def _iterate(self) -> str:
        """Ask, execute, observe, until there is a final answer."""
        while True:
            iteration = self.budget.begin_iteration()
            self.emit(IterationStarted(iteration=iteration))
            self._compact_when_full()
            reply = self._ask()
            words = spoken(reply.text)
            parsed = parse(words, cut=reply.finish_reason == "length")
            observations = self._execute(iteration, parsed.blocks)
            outcome = verdict(parsed, self.repl, unseen=[has_output(observation) for observation in observations])
            self.emit(IterationFinished(iteration=iteration, reply=reply.text, blocks=len(parsed.blocks)))
            outcome = self._accepted(outcome)
            if outcome.answer is not None:
                return outcome.answer
            self._check_ending()
            if parsed.blocks or parsed.finals:
                self.without_text = 0
            else:
                outcome = self._with_reason(outcome, reply, words)
            outcome = self._unlike_the_last(reply, words, observations, outcome)
            self._observe(words, observations, outcome)
            self.budget.count_outcome(failed=bool(observations) and observations[-1].error is not None)

    def _directly(self) -> str:
        """The answer to one call over the whole context; a value that does not fit is asked for once more."""
        direct = Direct(self.job, self.context, name=self.session.source, earlier=self.session.questions)
        while True:
            iteration = self.budget.begin_iteration()
            self.emit(IterationStarted(iteration=iteration))
            reply = self._ask(direct.call())
            words = spoken(reply.text, prompt=self.job.question)
            self.emit(IterationFinished(iteration=iteration, reply=reply.text, blocks=0))
            self.unconfirmed = words
            answered = direct.answer(reply, words)
            self.history = as_dicts(direct.messages)
            if not (misfit := self.acceptance.of_value(*answered)):
                return self.repl.partial
            direct.ask_again(words, misfit)

    def _accepted(self, outcome: Verdict) -> Verdict:
        """The verdict once value and evidence of a final answer are checked."""
        is_last = self.budget.iterations >= self.job.limits.max_iterations
        correction = "" if outcome.answer is None else self.acceptance.correction(outcome.answer, is_last=is_last)
        return Verdict(correction=correction, partial=outcome.answer or "") if correction else outcome

    def _with_reason(self, outcome: Verdict, reply: Reply, words: str) -> Verdict:
        """The verdict on a reply with neither code nor answer, with the reason where it has no text.

        Raises:
            ProviderError: it is one of too many in a row without text.
        """
        is_withheld = reply.finish_reason in ("content_filter", "tool_calls")
        if words.strip() and not is_withheld:
            self.without_text = 0
            return outcome
        self.without_text += 1
        why = why_without_text(reply)
        if self.without_text >= MAX_WITHOUT_TEXT:
            message = f"{self.without_text} replies in a row held no text to work with; the last one: {why}"
            upstream = reply.model.partition(":")[0] or None
            kind = "empty" if reply.finish_reason in (None, "stop") else reply.finish_reason.replace("_", "-")
            raise ProviderError(message, type=f"reply-{kind}", upstream=upstream)
        reason = reply.finish_reason if is_withheld or reply.finish_reason == "length" else "thoughts"
        has_reason = reason != "thoughts" or reply.text.strip() != ""
        return replace(outcome, correction=prompts.NO_TEXT[str(reason)]) if has_reason else outcome

    def _unlike_the_last(
        self, reply: Reply, words: str, observations: Sequence[Observation], outcome: Verdict
    ) -> Verdict:
        """The verdict, with a warning where reply and outcome are those of the iteration before.

        Raises:
            ProviderError: it is one of too many equal ones in a row.
        """
        times = self.repeated.count(words, observations)
        if times == 1:
            return outcome
        if times >= MAX_REPEATED:
            is_invented = outcome.correction in (prompts.CONFIRM, prompts.CONFIRM_IN_CODE)
            self.unconfirmed = "" if is_invented else outcome.partial or self.unconfirmed
            why = f": {outcome.correction}" if outcome.correction else "."
            message = f"{times} replies in a row were the same, and so was their outcome{why}"
            raise ProviderError(message, type="reply-repeated", upstream=reply.model.partition(":")[0] or None)
        return replace(outcome, correction=f"{outcome.correction}\n{prompts.SAME_REPLY}".strip())

    def _ask(self, call: ModelCall | None = None) -> Reply:
        """One root call, by default over the conversation so far."""
        call = call or ModelCall(tuple(self.messages), self.job.model, "root")
        [outcome] = complete(self.provider, [call])
        if isinstance(outcome, ProviderError):
            raise outcome
        self.budget.add_usage(outcome.model or self.job.model or "default", outcome.usage)
        self.tokens = max(outcome.usage.input_tokens + outcome.usage.output_tokens, tokens(self.messages))
        return outcome

    def _compact_when_full(self) -> None:
        """Replace the conversation by a summary of it when it takes its share of the model's window."""
        limits = self.job.limits
        full = limits.compact_at is not None and self.tokens >= limits.compact_at * limits.window_tokens
        if not full or len(self.messages) <= OPENING:
            return
        self.budget.check_tree()
        outcome = complete(self.provider, [ModelCall(request(self.messages), self.job.model, "compaction")])[0]
        summary = "" if isinstance(outcome, ProviderError) else spoken(outcome.text)
        if isinstance(outcome, ProviderError) or not summary.strip():
            self.emit(Notice(text=f"The conversation could not be summed up, and continues in full: {outcome}"))
            return
        self.budget.add_usage(outcome.model or self.job.model or "default", outcome.usage)
        self.messages = compacted(self.messages, summary)
        self.emit(Notice(text=f"The conversation of about {self.tokens:,} tokens was replaced by a summary."))
        self.tokens = tokens(self.messages)
        self.repl.rebind({"history": self.history})

    def _execute(self, iteration: int, blocks: Sequence[CodeBlock]) -> list[Observation]:
        """Run the blocks in order, up to one that ends the run."""
        observations: list[Observation] = []
        for number, block in enumerate(blocks):
            self.emit(BlockStarted(iteration=iteration, block=number, code=block.code))

            def show(text: str, number: int = number) -> None:
                self.emit(Output(iteration=iteration, block=number, text=text))

            lost = self._is_lost(iteration, number)
            observation = self._observed(iteration, number, block, show)
            observations.append(observation)
            unseen = [has_output(observation) for observation in observations]
            partial = partial_answer(self.repl, blocks[: number + 1], unseen)
            stopped = None if lost else self.repl.stopped
            ended = BlockFinished(iteration=iteration, block=number, observation=observation, partial=partial)
            self.emit(dataclasses.replace(ended, lost=lost, stopped=stopped))
            if self._is_over() or self.repl.timed_out:
                break
        return observations

    def _is_lost(self, iteration: int, number: int) -> bool:
        past = self.past.get((iteration, number))
        return past is not None and past.lost

    def _observed(self, iteration: int, number: int, block: CodeBlock, show: Callable[[str], None]) -> Observation:
        """Run one block; of one that ran in an earlier worker, the model sees the recorded observation."""
        past = self.past.pop((iteration, number), None)
        if past is not None and past.lost:
            return past.observation
        observation = self.repl.execute(block.code, on_output=show)
        return observation if past is None else past.observation

    def _is_over(self) -> bool:
        return self.repl.final is not None or self.repl.interrupted or self.subcalls.ending is not None

    def _check_ending(self) -> None:
        """Raise the exception that ended the run while a block was running."""
        if self.subcalls.ending is not None:
            raise self.subcalls.ending
        if self.repl.interrupted:
            raise RunCancelled("The run was stopped.")

    def _observe(self, reply: str, observations: Sequence[Observation], outcome: Verdict) -> None:
        """Add the reply and its observations to the conversation."""
        self.unconfirmed = outcome.partial or self.unconfirmed
        left = self.job.limits.max_iterations - self.budget.iterations
        notes = (outcome.correction, prompts.few_left(left) if left else "")
        shown = to_message(observations, max_chars=self.job.limits.max_output_chars, notes=notes)
        turn = [Message("assistant", (reply.strip() and reply) or "(empty reply)"), shown]
        self.messages += turn
        self.history += as_dicts(turn)
        self.tokens += tokens([shown])

    def _out_of(self, limit: LimitReached) -> tuple[str, StoppedBy, str]:
        """A limit is spent: when it is the iterations, the model is asked once more for the best answer it has."""
        stopped_by = cast(StoppedBy, limit.limit)
        if limit.limit != "max_iterations" or self.job.direct:
            return self._partial(), stopped_by, str(limit)
        self.emit(Notice(text="Out of iterations: the model is asked for the best answer from what it has seen."))
        self.messages.append(Message("user", prompts.LAST_CALL))
        try:
            reply = self._ask()
        except (ProviderError, ChannelError) as error:
            return self._partial(), stopped_by, f"{limit} The last call failed too: {error}"
        except (KeyboardInterrupt, RunCancelled):
            return self._partial(), "cancelled", "The run was stopped."
        words = spoken(reply.text)
        answer = last_answer(parse(words), words, self.repl)
        misfit = self.acceptance.misfit(answer) if answer else ""
        return answer or self._partial(), stopped_by, f"{limit}{misfit}"

    def _partial(self) -> str:
        """The best answer there is so far, `""` if none."""
        return self.repl.partial or self.unconfirmed

    def _opening(self) -> list[Message]:
        question = self.job.question
        if len(question) > prompts.MAX_QUESTION_CHARS:
            self.repl.namespace["question"] = question
        earlier = self.session.summary()
        description = prompts.describe(self.context, self.job.about) + (f"\n\n{earlier}" if earlier else "")
        schema = None if self.job.shape is None else self.job.shape.schema
        most = self.job.limits.max_iterations
        first = prompts.first_message(question, description, max_iterations=most, schema=schema)
        reads, packages = "read" in self.job.functions, self.job.packages
        window = self.job.sub_window_tokens or self.job.limits.window_tokens
        role, tools, images = self.job.system_prompt, self.job.tools, self.job.sub_images
        system = prompts.system_prompt(role, tools, reads=reads, images=images, packages=packages, window_tokens=window)
        return [Message("system", system), first]

    def started(self) -> RunStarted:
        return RunStarted(
            question=self.job.question,
            model=self.job.model,
            sub_model=self.job.sub_model,
            limits=dataclasses.asdict(self.job.limits),
            contexts=self.job.contexts or (fingerprint(self.context),),
            schema=None if self.job.shape is None else self.job.shape.schema,
            direct=self.job.direct,
        )
