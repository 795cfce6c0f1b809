"""Direct: one call over the whole context, in place of the loop, where it fits into the model's window.

In: question and context. Out: the calls, and from their replies the answer with its quotes, or the value that the
schema wants. A value that does not fit is asked for once more. Nothing here calls a model: `run.py` does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from . import prompts
from .direct_prompt import direct_prompt
from .direct_reply import read_reply
from .errors import LimitReached, ProviderError
from .job import Job
from .output import cut
from .reply_values import MAX_REPLY_CHARS, MAX_SCHEMA_CHARS
from .subcalls import why_without_text
from .types import Json, Message, ModelCall, Reply
from .written_json import Misfit, fitting, values_in

MAX_CALLS = 2
"""Calls of a direct run: the second only where a value does not fit the schema."""


class Direct:
    """The direct calls of one run.

    Args:
        job: question, schema and the functions that read documents.
        context: the value that the REPL holds.
        name: of a context that is one text.
        earlier: questions of the session before this one, each with its answer.

    Attributes:
        calls: number of calls so far.
        messages: the conversation so far, prompts and replies.

    Raises:
        ProviderError: the context does not fit into one call, or nothing of it can be read; nothing was sent.
    """

    def __init__(
        self, job: Job, context: object, *, name: str = "context", earlier: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.calls = 0
        self.messages: list[Message] = []
        self._model = job.model
        self._schema = None if job.shape is None else job.shape.schema
        self._differences: Callable[[Json], Sequence[str]] = (
            (lambda value: ()) if job.shape is None else job.shape.differences
        )
        self._misfit: tuple[str, Sequence[str]] | None = None
        self._prompt, self._images = direct_prompt(job, context, name, earlier)

    def call(self) -> ModelCall:
        """The next call: one message, with the schema at its end, where the ledger has it."""
        self.calls += 1
        prompt, text = self._prompt, None
        if self._misfit is not None:
            reply, differences = self._misfit
            said = cut("; ".join(differences), prompts.MAX_DIFFERENCE_CHARS)
            prompt = f"{prompt}\n\n{prompts.SUB_MISFIT.format(reply=cut(reply, MAX_REPLY_CHARS), differences=said)}"
        if self._schema is not None:
            text = json.dumps(self._schema, ensure_ascii=False)
            prompt = f"{prompt}\n\n{prompts.SUB_SCHEMA}\n{text}"
        message = Message("user", prompt)
        self.messages.append(message)
        is_for_vendor = isinstance(self._schema, dict) and text is not None and len(text) <= MAX_SCHEMA_CHARS
        return ModelCall((message,), self._model, "root", text if is_for_vendor else None, self._images)

    def answer(self, reply: Reply, words: str) -> tuple[object, list[dict[str, str | None]]]:
        """The answer in a reply whose text without thoughts is `words`, and its quotes; with a schema the value.

        Raises:
            ProviderError: it holds no text, or was cut.
        """
        self.messages.append(Message("assistant", words or "(empty reply)"))
        if not words.strip() or reply.finish_reason not in (None, "stop"):
            kind = "empty" if reply.finish_reason in (None, "stop") else reply.finish_reason.replace("_", "-")
            is_cut = words.strip() and reply.finish_reason == "length"
            why = prompts.CUT_ANSWER if is_cut else why_without_text(reply)
            raise ProviderError(why, type=f"reply-{kind}", upstream=reply.model.partition(":")[0] or None)
        if self._schema is None:
            return read_reply(words)
        try:
            return fitting(words, self._differences), []
        except Misfit:
            return next(values_in(words), words.strip()), []

    def ask_again(self, reply: str, differences: Sequence[str]) -> None:
        """Have the next call ask once more for a value in place of one that does not fit.

        Raises:
            LimitReached: it was asked for as often as it may be.
        """
        self._misfit = (reply, differences)
        if self.calls == MAX_CALLS:
            message = f"The answer does not fit the schema, asked {MAX_CALLS} times: {'; '.join(differences)}."
            raise LimitReached(message, limit="max_iterations", used=MAX_CALLS, allowed=MAX_CALLS)
