"""Accept: a final answer with its value and its evidence, or the one message that sends it back.

In: the answer as the model finished with it. Out: the value as JSON text, the quotes with their places, and a
correction where the value does not fit the schema, a quote stands nowhere, or items of the last batch have no result.
The latter two are sent back once: an answer that is given again stands, with the marks of its quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import prompts
from .evidence import checked
from .last_batch import LastBatch
from .repl import Repl
from .types import Evidence, Shape
from .values import fitted, text_of_value


class Acceptance:
    """The checks of one run's answers.

    Args:
        repl: of the run; it holds the answer that code finished with, and quotes are looked for in its `context`.
        shape: of the answer, or `None`.
        name: of a context that is one text.
        read: gives the text of a document.
        last_batch: of the run's sub-calls.

    Attributes:
        value: JSON text of the accepted answer, `None` without a schema or where it does not fit.
        evidence: its quotes.
    """

    def __init__(
        self,
        repl: Repl,
        shape: Shape | None,
        *,
        name: str,
        read: Callable[..., Any] | None,
        last_batch: LastBatch,
    ) -> None:
        self.value: str | None = None
        self.evidence: tuple[Evidence, ...] = ()
        self._repl = repl
        self._shape = shape
        self._context = repl.namespace["context"]
        self._name = name
        self._read = read
        self._last_batch = last_batch
        self._has_sent_quotes_back = False
        self._has_sent_batch_back = False
        repl.take_values(text_of_value if shape is not None else None)

    def correction(self, answer: str, *, is_last: bool = False) -> str:
        """Accept the answer whose text is `answer`, or say why not; then the REPL holds it no more.

        Where it is the last that the run may give, only the schema counts.
        """
        differences = self._check(answer)
        sent_back = [prompts.misfit(differences)] if differences else []
        if not sent_back and not is_last:
            sent_back = [*self._missing_results(), *self._missing_quotes()]
        if sent_back:
            self.value, self.evidence = None, ()
            self._repl.withdraw()
        return "\n".join(sent_back)

    def of_value(self, value: object, quotes: Sequence[Mapping[str, object]]) -> Sequence[str]:
        """Accept the answer to a direct call, which is final; return the differences from the schema."""
        self._repl.withdraw()
        self._repl.finish({"content": value, "evidence": quotes})
        return self._check("")

    def _missing_results(self) -> Iterator[str]:
        """The correction of an answer while some items of the last batch have no result; there is one a run."""
        if 0 < self._last_batch.missing < self._last_batch.size and not self._has_sent_batch_back:
            self._has_sent_batch_back = True
            yield prompts.missing_results(self._last_batch.missing, self._last_batch.size)

    def _missing_quotes(self) -> Iterator[str]:
        """The correction of quotes that stand nowhere; there is one a run."""
        missing = [item.quote for item in self.evidence if item.status == "missing"]
        if missing and not self._has_sent_quotes_back:
            self._has_sent_quotes_back = True
            yield prompts.missing_quotes(missing)

    def misfit(self, answer: str) -> str:
        """Accept the answer to the last call as it is; return a sentence where it does not fit the schema."""
        differences = self._check(answer)
        return f" The answer does not fit the schema: {'; '.join(differences)}." if differences else ""

    def _check(self, answer: str) -> Sequence[str]:
        """Set value and evidence; return the differences from the schema."""
        repl = self._repl
        value, quotes = (answer, repl.cited) if repl.final is None else (repl.final_value, repl.evidence)
        self.value, differences = (None, []) if self._shape is None else fitted(value, self._shape)
        self.evidence = tuple(checked(quotes, self._context, name=self._name, read=self._read))
        return differences
