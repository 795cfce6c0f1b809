"""Sub-calls: the functions by which model code asks models.

In: a prompt or a list of them. Out: replies as text; a failure raises `SubCallError` in the model's code, never text
that looks like a reply. A batch is one request: whoever answers it does the calls in parallel. What ends the run (a
spent limit, a stop, a lost channel) is kept in `SubCalls.ending`, so that model code cannot lose it by catching it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from .errors import ProtocolError, ProviderError, RLMError, RunCancelled, StopRun, SubCallError
from .limits import Budget
from .provider import Provider
from .types import Message, ModelCall, Reply

MAX_MODEL_NAME = 200
"""Characters of the longest model name; more than that is text that was meant for the prompt."""


class SubCalls:
    """The sub-calls of one run.

    Args:
        provider: answers them.
        model: asked when model code names no other; `None` is the provider's default.
        budget: counts what they use.
        check_running: raises `StopRun` when the run has its final answer.

    Attributes:
        ending: what ended the run during a sub-call, or `None`.
    """

    def __init__(
        self, provider: Provider, *, model: str | None, budget: Budget, check_running: Callable[[], None]
    ) -> None:
        self.ending: RLMError | None = None
        self._provider = provider
        self._model = model
        self._budget = budget
        self._check_running = check_running

    def functions(self) -> Mapping[str, Callable[..., object]]:
        """Name in the REPL -> function. `rlm_query` and `rlm_batch` will stand here too."""

        def llm_query(prompt: str, model: str | None = None) -> str:
            """Ask a sub-model; it sees only `prompt`. Raises SubCallError when the call failed."""
            outcome = self._complete([_prompt(prompt, "llm_query(prompt)")], _model_name(model))[0]
            if isinstance(outcome, ProviderError):
                raise SubCallError(f"the sub-call failed: {outcome}", results=[None], errors={0: str(outcome)})
            return outcome.text

        def llm_batch(prompts: Iterable[str], model: str | None = None) -> list[str]:
            """Ask a sub-model all `prompts` in parallel; replies in their order. Raises SubCallError when calls failed,
            with `.results` (None where one failed) and `.errors` ({index: why})."""
            return _all_or_error(self._complete(_prompts(prompts), _model_name(model)))

        return {"llm_query": llm_query, "llm_batch": llm_batch, "llm_query_batched": llm_batch}

    def _complete(self, prompts: list[str], model: str | None) -> Sequence[Reply | ProviderError]:
        self._check_running()
        if self.ending is not None:
            raise StopRun
        if not prompts:
            return []
        calls = [ModelCall((Message("user", prompt),), model or self._model, "sub") for prompt in prompts]
        try:
            self._budget.check_time()
            outcomes = complete(self._provider, calls)
        except KeyboardInterrupt:
            self.ending = RunCancelled("The run was stopped.")
            raise
        except RLMError as ending:
            self.ending = ending
            raise StopRun from None
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, Reply):
                self._budget.add_usage(outcome.model or call.model or "default", outcome.usage)
        return outcomes


def complete(provider: Provider, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
    """Ask `provider`, which may also raise its `ProviderError`: then it counts for every call.

    Raises:
        ProtocolError: it answered more or fewer calls than it was asked.
    """
    try:
        outcomes = provider.complete(calls)
    except ProviderError as error:
        return [error] * len(calls)
    if len(outcomes) != len(calls):
        raise ProtocolError(f"the provider gave {len(outcomes)} outcomes for {len(calls)} calls; one each is needed.")
    return outcomes


def _all_or_error(outcomes: Sequence[Reply | ProviderError]) -> list[str]:
    errors = {index: str(outcome) for index, outcome in enumerate(outcomes) if isinstance(outcome, ProviderError)}
    results = [outcome.text if isinstance(outcome, Reply) else None for outcome in outcomes]
    if not errors:
        return [text for text in results if text is not None]
    first, why = next(iter(errors.items()))
    message = (
        f"{len(errors)} of {len(outcomes)} sub-calls failed; prompt {first}: {why} The replies that arrived are kept: "
        "`last_error.results` (None where one failed) and `last_error.errors` ({index: why}), or the same of the "
        "exception if you catch it. Ask again only what failed."
    )
    raise SubCallError(message, results=results, errors=errors)


def _prompts(prompts: object) -> list[str]:
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Iterable):
        kind = type(prompts).__name__
        raise TypeError(f"llm_batch(prompts) takes a list of str, not {kind}; for one prompt use llm_query(prompt).")
    return [_prompt(prompt, f"llm_batch(prompts): prompt {index}") for index, prompt in enumerate(prompts)]


def _prompt(prompt: object, where: str) -> str:
    if not isinstance(prompt, str):
        kind = type(prompt).__name__
        many = isinstance(prompt, list | tuple)
        remedy = "use llm_batch for a list of prompts" if many else 'make text of it: f"...{value}"'
        raise TypeError(f"{where} must be a str, not {kind}; {remedy}.")
    if not prompt.strip():
        raise ValueError(f"{where} is empty; a sub-model sees nothing but its prompt.")
    return str.__str__(prompt)


def _model_name(model: object) -> str | None:
    if model is None or (isinstance(model, str) and 0 < len(model) <= MAX_MODEL_NAME and len(model.split()) == 1):
        return model
    raise TypeError('model must be the name of a model; text belongs into the prompt: llm_query(f"...{text}").')
