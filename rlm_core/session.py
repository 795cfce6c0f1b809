"""Session: several questions, one after another, over one REPL.

In: each question's context, and how its run went. Out: the REPL that the next run works in, where the names of earlier
runs live on: `context_0`, `context_1`, ... are the contexts of the questions, `history_0`, ... their conversations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .output import cut
from .repl import Repl
from .types import Message

SHOWN_CHARS = 500
MAX_NAMES = 30
"""Variables of the person that a run's model is told about."""


class Session:
    """State kept from one question to the next; pass the same one to each `run`.

    Attributes:
        repl: the REPL, made by the first run.
        questions: the questions so far, each with its answer.
        source: name of the context in evidence; a question without a context keeps that of the one before.
    """

    def __init__(self) -> None:
        self.repl: Repl | None = None
        self.questions: list[tuple[str, str]] = []
        self.source = "context"
        self._contexts = 0
        self._by_person: dict[str, None] = {}

    def begin(self, context: object, question: str, *, max_chars: int, name: str) -> Repl:
        """The REPL for the next question, its context bound to `context` and `context_<n>`.

        Without a context the one before stays; the first question is then its own.
        """
        is_new = context is not None or self._contexts == 0
        value = question if context is None else context
        if self.repl is None:
            self.repl = Repl(value, max_chars=max_chars, name=name)
        else:
            self.repl.begin(value if is_new else self.repl.namespace["context"])
        if is_new:
            self.repl.rebind({f"context_{self._contexts}": value})
            self._contexts += 1
        return self.repl

    def console(self, *, max_chars: int, name: str) -> Repl:
        """The REPL for code of the person's own: as the question before left it, an empty one where there was none."""
        if self.repl is None:
            self.repl = Repl("", max_chars=max_chars, name=name)
        return self.repl

    def changed(self, names: Iterable[str]) -> None:
        """Keep the names that the person bound at the console, for the next run's model."""
        self._by_person.update(dict.fromkeys(names))

    def end(self, question: str, answer: str, messages: Iterable[Mapping[str, str]]) -> None:
        """Keep the conversation of a run that is over."""
        if self.repl is not None:
            self.repl.rebind({f"history_{len(self.questions)}": list(messages)})
        self.questions.append((question, answer))

    def summary(self) -> str:
        """The earlier questions and answers, for the next run's model; `""` if there are none."""
        lines = [
            f"{number}. {cut(question, SHOWN_CHARS)}\n   Your answer: {cut(answer, SHOWN_CHARS) or '(none)'}"
            for number, (question, answer) in enumerate(self.questions)
        ]
        if not lines:
            return self._of_console()
        names = f"`context_0` to `context_{self._contexts - 1}` and `history_0` to `history_{len(lines) - 1}`"
        about = (
            f"Earlier questions of this session; your variables are still there, contexts and conversations in {names}:"
        )
        return "\n".join([about, *lines, *filter(None, [self._of_console()])])

    def _of_console(self) -> str:
        """The variables that the person bound, in a sentence; `""` if there are none."""
        assert self.repl is not None, "a session is summed up in a run, which has begun"
        names = [name for name in self._by_person if name in set(self.repl.variables())]
        if not names:
            return ""
        listed = ", ".join(f"`{name}`" for name in names[-MAX_NAMES:])
        return f"Variables that the user bound in this REPL since: {listed}."


def as_dicts(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Messages as model code finds them: `{"role": ..., "content": ...}` each."""
    return [{"role": message.role, "content": message.content} for message in messages]
