"""Sub-calls: the functions by which model code asks models and starts child runs.

In: a prompt or a list of them. Out: replies as text, or with a schema as values (`reply_values.py`); a failure raises
`SubCallError` in the model's code, never text that looks like a reply. A batch is one request: the provider does its
calls in parallel. An error that ends the run (a spent limit, a stop, a lost channel) is kept in `SubCalls.ending`, so
that model code cannot lose it by catching it. Child runs are made by the `start_children` function, not here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .errors import (
    BlockTimedOut,
    ProtocolError,
    ProviderError,
    RLMError,
    RunCancelled,
    RunStopped,
    StopRun,
    SubCallError,
)
from .images import images_of, named
from .last_batch import LastBatch
from .limits import Budget
from .provider import Provider, StartChildren
from .reply_text import spoken
from .reply_values import Wanted
from .types import Child, Image, Json, Message, ModelCall, Reply
from .written_json import Misfit

MAX_MODEL_NAME = 200
"""Characters of the longest model name; more than that is text that was meant for the prompt."""


class SubCalls:
    """The sub-calls of one run.

    Args:
        provider: answers them.
        model: the one used when model code names no other; `None` is the provider's default.
        budget: counts their use.
        check_running: raises `StopRun` when the run has its final answer.
        start_children: runs child runs; `None` where there are none: then child questions are plain sub-calls.

    Attributes:
        ending: the error that ended the run during a sub-call, or `None`.
        last_batch: items of the last batch that have no result.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        model: str | None,
        budget: Budget,
        check_running: Callable[[], None],
        start_children: StartChildren | None = None,
    ) -> None:
        self.ending: RLMError | None = None
        self.last_batch = LastBatch()
        self._provider = provider
        self._model = model
        self._budget = budget
        self._check_running = check_running
        self._start_children = start_children

    def functions(self) -> Mapping[str, Callable[..., object]]:
        """Name in the REPL -> function."""
        return {**self._model_functions(), **self._child_functions()}

    def _model_functions(self) -> Mapping[str, Callable[..., object]]:

        def llm_query(
            prompt: str,
            model: str | None = None,
            schema: object = None,
            images: object = None,
            *,
            allow_cut: bool = False,
        ) -> Json:
            """Ask a sub-model; it sees only `prompt`, and `images`: a list of bytes or Paths, where it takes any. With
            `schema`, a JSON Schema, the reply is a value that fits it. Raises SubCallError when the call failed, or its
            reply was cut: the part is in `.partial`, or returned with `allow_cut=True`."""
            asked = Asked(checked_prompt(prompt, "llm_query(prompt)"), images_of(images, "llm_query"))
            return self._single(asked.name, self._asked([asked], model, schema, allow_cut=allow_cut)[0])

        def llm_batch(
            prompts: Iterable[object], model: str | None = None, schema: object = None, *, allow_cut: bool = False
        ) -> list[Json]:
            """Ask a sub-model all `prompts` in parallel; replies in their order, with `schema` as values that fit it.
            An item may be a pair (prompt, images). Raises SubCallError when calls failed, with `.results` (None where
            one failed), `.errors` ({index: why}) and `.partial` (parts of cut replies)."""
            asked = _prompts(prompts)
            return self.batch([one.name for one in asked], self._asked(asked, model, schema, allow_cut=allow_cut))

        return {"llm_query": llm_query, "llm_batch": llm_batch, "llm_query_batched": llm_batch}

    def _child_functions(self) -> Mapping[str, Callable[..., object]]:
        def rlm_query(question: str, context: object = None, model: str | None = None) -> str:
            """Answer `question` over `context` by a child run with its own REPL, where `context` is bound; without
            a context the question is the context too. Raises SubCallError when it ends without an answer."""
            child = _child((question, context), checked_model(model), "rlm_query(question)")
            return str(self._single(child.question, self._children([child])[0]))

        def rlm_batch(questions: Iterable[object], context: object = None, model: str | None = None) -> list[Json]:
            """Answer all `questions` by child runs in parallel, answers in their order; an item is a question, asked
            over `context`, or a pair (question, context). Raises SubCallError as llm_batch does."""
            children = _children(questions, context, checked_model(model))
            return self.batch([child.question for child in children], self._children(children))

        return {"rlm_query": rlm_query, "rlm_batch": rlm_batch, "rlm_query_batched": rlm_batch}

    def _single(self, prompt: str, outcome: Outcome) -> Json:
        """The value of a call alone, which may be one of the last batch once more.

        Raises:
            SubCallError: it failed.
        """
        if not outcome.failed:
            self.last_batch.answered_alone(prompt)
        return _value_or_error(outcome)

    def left(self, wanted: int) -> int:
        """How many of `wanted` further sub-calls the limits allow."""
        return self._budget.sub_calls_left(wanted)

    def calls_of(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[ModelCall]:
        """The model calls that `llm_query` or `llm_batch` makes first; none with images. Raises as it does."""
        is_one = name == "llm_query"
        given = {**dict(zip(("asked", "model", "schema", "images"), args, strict=False)), **kwargs}
        asked = given.get("asked", given.get("prompt" if is_one else "prompts"))
        if given.get("images") is not None or (type(asked) is list and any(type(item) is tuple for item in asked)):
            return []
        prompts = [Asked(checked_prompt(asked, "llm_query(prompt)"))] if is_one else _prompts(asked)
        model, schema = checked_model(given.get("model")) or self._model, given.get("schema")
        wanted = None if schema is None else Wanted(schema)
        whole = prompts if wanted is None else [replace(one, prompt=wanted.prompt(one.prompt)) for one in prompts]
        text = None if wanted is None else wanted.text
        return [one.call(model, text) for one in whole if self._too_long(one.prompt) is None]

    def ask(self, prompts: Sequence[str | Asked], wanted: Wanted | None, model: str | None) -> list[Outcome]:
        """The outcomes of prompts to a sub-model, as text or as values."""
        asked = [Asked(prompt) if isinstance(prompt, str) else prompt for prompt in prompts]
        return self._complete(asked, model) if wanted is None else self._values(asked, model, wanted)

    def batch(self, prompts: Sequence[str], outcomes: Sequence[Outcome], *, noun: str = "prompt") -> list[Json]:
        """The values of a batch, which is the last one from here on.

        Raises:
            SubCallError: some failed.
        """
        self.last_batch.ended(prompts, [outcome.failed for outcome in outcomes])
        return _all_or_error(outcomes, noun)

    def _asked(self, asked: Sequence[Asked], model: object, schema: object, *, allow_cut: bool) -> list[Outcome]:
        """The outcomes of prompts to a sub-model, as text or as values that fit `schema`."""
        name = checked_model(model)
        if schema is None:
            return self._complete(asked, name, allow_cut=allow_cut)
        if allow_cut:
            raise TypeError("allow_cut has no use with a schema: the part of a value fits none.")
        return self._values(asked, name, Wanted(schema))

    def _values(self, wished: Sequence[Asked], model: str | None, wanted: Wanted) -> list[Outcome]:
        """The replies as values; those that do not fit are asked for once more, as far as the limits allow."""
        whole = [replace(one, prompt=wanted.prompt(one.prompt)) for one in wished]
        replies = self._complete(whole, model, schema=wanted.text)
        outcomes = [_fitted(reply, wanted) for reply in replies]
        misfits = [index for index, outcome in enumerate(outcomes) if outcome.misfit is not None]
        again = misfits[: self._budget.sub_calls_left(len(misfits))]
        corrections = [_again(wished[index], replies[index], outcomes[index], wanted) for index in again]
        for index, reply in zip(again, self._complete(corrections, model, schema=wanted.text), strict=True):
            outcomes[index] = _fitted(reply, wanted, times=2)
        return outcomes

    def _complete(
        self, asked: Sequence[Asked], model: str | None, *, schema: str | None = None, allow_cut: bool = False
    ) -> list[Outcome]:
        """Ask all prompts but those that are too long; the outcomes in their order."""
        outcomes = [self._too_long(one.prompt) for one in asked]
        allowed = [index for index, outcome in enumerate(outcomes) if outcome is None]
        calls = [asked[index].call(model or self._model, schema) for index in allowed]
        with self.calling(len(calls)):
            replies = complete(self._provider, calls) if calls else []
        for index, call, reply in zip(allowed, calls, replies, strict=True):
            outcomes[index] = _outcome(reply, asked[index].prompt, allow_cut=allow_cut)
            if isinstance(reply, Reply):
                self._budget.add_usage(reply.model or call.model or "default", reply.usage)
        return [outcome for outcome in outcomes if outcome is not None]

    def _children(self, children: Sequence[Child]) -> list[Outcome]:
        """Run them to their end; where runs may nest no deeper, ask each as a plain sub-call."""
        if self._start_children is None:
            whole = [Asked(_aschecked_prompt(child)) for child in children]
            return self._complete(whole, children[0].model if children else None)
        with self.calling(len(children)):
            outcomes = self._start_children(children) if children else []
        return [Outcome(None, str(one)) if isinstance(one, ProviderError) else Outcome(one.text) for one in outcomes]

    def calling(self, sub_calls: int = 0) -> Calling:
        """Around every request that leaves the REPL: counts its sub-calls, and keeps an error that ends the run."""
        return Calling(self, sub_calls)

    def begin(self, sub_calls: int) -> None:
        """Count sub-calls that are about to be made.

        Raises:
            StopRun: the run is over.
        """
        self._check_running()
        if self.ending is not None:
            raise StopRun
        try:
            self._budget.begin_sub_calls(sub_calls)
        except (RunStopped, RLMError) as fault:
            self.failed(fault)
            raise

    def failed(self, fault: BaseException) -> None:
        """Keep a fault of a request that ends the run; one of ours then raises `StopRun` in its place."""
        if isinstance(fault, RunStopped):
            self.ending = RunCancelled("The run was stopped.")
        elif isinstance(fault, RLMError):
            self.ending = fault
            raise StopRun from None

    def _too_long(self, prompt: str) -> Outcome | None:
        most = self._budget.limits.max_prompt_chars
        if most is None or len(prompt) <= most:
            return None
        size = f"{len(prompt):,} of at most {most:,} characters (max_prompt_chars)"
        return Outcome(None, f"the prompt is too long, {size}; it was not asked. Split it over more prompts.")


class Calling:
    """A request that is under way. It is no generator, which would cost 20 us a call."""

    __slots__ = ("_calls", "_count")

    def __init__(self, calls: SubCalls, count: int) -> None:
        self._calls, self._count = calls, count

    def __enter__(self) -> None:
        self._calls.begin(self._count)

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if fault is not None:
            self._calls.failed(fault)


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, and the images beside it."""

    prompt: str
    images: tuple[Image, ...] = ()

    @property
    def name(self) -> str:
        """Equal where the same is asked."""
        return named(self.prompt, self.images)

    def call(self, model: str | None, schema: str | None) -> ModelCall:
        """It as a sub-call."""
        return ModelCall((Message("user", self.prompt),), model, "sub", schema, self.images)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a sub-call: its text or value, or the error, with the part of a reply that was cut.

    `misfit` is there where a reply came that does not fit the schema: it is `partial` then. `may_pass`: the same call
    may succeed later.
    """

    value: Json
    error: str = ""
    partial: str | None = None
    misfit: Misfit | None = None
    may_pass: bool = False

    @property
    def failed(self) -> bool:
        return self.error != ""


def _fitted(reply: Outcome, wanted: Wanted, *, times: int = 1) -> Outcome:
    """A reply as its value."""
    if reply.failed:
        return reply
    text = str(reply.value)
    try:
        return Outcome(wanted.value(text))
    except Misfit as misfit:
        asked = "twice" if times == 2 else "once; no sub-calls are left to ask again"
        return Outcome(None, f"the reply does not fit the schema, asked {asked}: {misfit}.", text, misfit)


def _again(asked: Asked, reply: Outcome, outcome: Outcome, wanted: Wanted) -> Asked:
    assert outcome.misfit is not None  # only those are asked again
    return replace(asked, prompt=wanted.again(asked.prompt, str(reply.value), outcome.misfit))


def _outcome(reply: Reply | ProviderError, prompt: str, *, allow_cut: bool) -> Outcome:
    if isinstance(reply, ProviderError):
        return Outcome(None, str(reply), may_pass=reply.retryable)
    text = spoken(reply.text, prompt=prompt)
    if reply.finish_reason == "length" and not (allow_cut and text.strip()):
        return Outcome(None, _CUT.format(chars=len(text)), text)
    if not text.strip():
        return Outcome(None, why_without_text(reply), may_pass=True)
    if reply.finish_reason == "content_filter" and not allow_cut:
        return Outcome(None, _FILTERED.format(chars=len(text)), text)
    return Outcome(text)


_CUT = (
    "the reply was cut at its length limit, after {chars:,} characters; the part is in `.partial`. Ask for less in one "
    "call, or pass allow_cut=True."
)
_FILTERED = (
    "the model refused, or the provider's content filter ended the reply, after {chars:,} characters; the part is in "
    "`.partial`. Ask in other words, or pass allow_cut=True."
)
_WITHOUT_TEXT = {
    "content_filter": "the provider's content filter withheld the reply",
    "tool_calls": "the model called a tool, which is not offered, instead of writing text",
    "length": "the reply was cut before it held any text: all of its tokens went into thoughts",
}


def why_without_text(reply: Reply) -> str:
    """Why `reply` holds no text, as a sentence."""
    thoughts = "the reply holds thoughts only" if reply.text.strip() else "the reply is empty"
    return f"{_WITHOUT_TEXT.get(reply.finish_reason or '', thoughts)}."


def complete(provider: Provider, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
    """Ask `provider`, which may also raise its `ProviderError`: then it counts for every call.

    Raises:
        ProtocolError: its outcomes are more or fewer than the calls.
    """
    try:
        outcomes = provider.complete(calls)
    except BlockTimedOut:
        raise
    except KeyboardInterrupt:
        raise RunStopped from None
    except ProviderError as error:
        return [error] * len(calls)
    if len(outcomes) != len(calls):
        raise ProtocolError(f"the provider gave {len(outcomes)} outcomes for {len(calls)} calls; one each is needed.")
    return outcomes


def _value_or_error(outcome: Outcome) -> Json:
    if outcome.failed:
        message = f"the sub-call failed: {outcome.error}"
        raise SubCallError(message, results=[None], errors={0: outcome.error}, partial=outcome.partial)
    return outcome.value


def _all_or_error(outcomes: Sequence[Outcome], noun: str) -> list[Json]:
    errors = {index: outcome.error for index, outcome in enumerate(outcomes) if outcome.failed}
    results = [outcome.value for outcome in outcomes]
    if not errors:
        return results
    first, why = next(iter(errors.items()))
    message = (
        f"{len(errors)} of {len(outcomes)} sub-calls failed; {noun} {first}: {why} The replies that arrived are kept: "
        "`last_error.results` (None where one failed) and `last_error.errors` ({index: why}), or the same of the "
        "exception if you catch it. Ask again only what failed."
    )
    raise SubCallError(message, results=results, errors=errors, partial=[outcome.partial for outcome in outcomes])


def _prompts(prompts: object) -> list[Asked]:
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Iterable):
        kind = type(prompts).__name__
        raise TypeError(f"llm_batch(prompts) takes a list of str, not {kind}; for one prompt use llm_query(prompt).")
    return [_asked_item(item, f"llm_batch(prompts): prompt {index}") for index, item in enumerate(prompts)]


def _asked_item(item: object, where: str) -> Asked:
    """An item of a batch: a prompt, or a pair of a prompt and images."""
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and not isinstance(item[1], str):
        return Asked(checked_prompt(item[0], where), images_of(item[1], where))
    return Asked(checked_prompt(item, where))


def checked_prompt(prompt: object, where: str) -> str:
    if not isinstance(prompt, str):
        kind = type(prompt).__name__
        many = isinstance(prompt, list | tuple)
        remedy = "use llm_batch for a list of prompts" if many else 'make text of it: f"...{value}"'
        raise TypeError(f"{where} must be a str, not {kind}; {remedy}.")
    if not prompt.strip():
        raise ValueError(f"{where} is empty; a sub-model sees nothing but its prompt.")
    return str.__str__(prompt)


def _children(questions: object, context: object, model: str | None) -> list[Child]:
    if isinstance(questions, str | bytes | Mapping) or not isinstance(questions, Iterable):
        kind = type(questions).__name__
        raise TypeError(f"rlm_batch(questions) takes a list, not {kind}; for one question use rlm_query(question).")
    pairs = [item if isinstance(item, tuple) and len(item) == 2 else (item, context) for item in questions]
    return [_child(pair, model, f"rlm_batch(questions): question {index}") for index, pair in enumerate(pairs)]


def _child(pair: tuple[object, object], model: str | None, where: str) -> Child:
    question, context = pair
    return Child(checked_prompt(question, where), context, model)


def _aschecked_prompt(child: Child) -> str:
    """The child's question and its whole context as one prompt."""
    if child.context is None:
        return child.question
    return f"{child.question}\n\nContext:\n{_as_text(child.context)}"


def _as_text(context: object) -> str:
    if isinstance(context, str):
        return str.__str__(context)
    try:
        return json.dumps(context, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(context)


def checked_model(model: object) -> str | None:
    if model is None or (isinstance(model, str) and 0 < len(model) <= MAX_MODEL_NAME and len(model.split()) == 1):
        return model
    raise TypeError('model must be the name of a model; text belongs into the prompt: llm_query(f"...{text}").')
