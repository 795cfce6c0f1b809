"""Repeated: a model that stands still, with the same reply and the same outcome again and again.

In: each reply with its observations. Out: how many equal ones there were in a row. The end of the run is `run.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from .types import Observation

MAX_REPEATED = 3
"""Equal replies with equal outcomes in a row after which a run ends: each further one would be paid for."""


class Repeated:
    """Counts equal turns.

    >>> repeated = Repeated()
    >>> [repeated.count(words, []) for words in ("a", "a", "b")]
    [1, 2, 1]
    """

    def __init__(self) -> None:
        self._turn: tuple[str, list[tuple[str, str | None]]] = ("", [])
        self._times = 0

    def count(self, words: str, observations: Sequence[Observation]) -> int:
        """How many turns in a row were this one; a failed one is the first, as `max_errors` counts those."""
        turn = (words, [(seen.stdout, seen.value) for seen in observations])
        has_failed = any(seen.error is not None for seen in observations)
        self._times = self._times + 1 if turn == self._turn and not has_failed else 1
        self._turn = turn
        return self._times
