"""Last batch: the items of a run's last batch that have no result yet.

In: the prompts of each batch and whether they failed, and the prompts that are answered later. Out: how many are left.
A later call with the same prompt answers an item; a batch of such prompts alone is no new one. As many later single
calls as the batch has items are another pass over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence


class LastBatch:
    """The last batch.

    >>> batch = LastBatch()
    >>> batch.ended(["a", "b", "c"], [False, True, True])
    >>> batch.ended(["b", "c"], [False, True])
    >>> batch.missing, batch.size
    (1, 3)
    """

    def __init__(self) -> None:
        self.size = 0
        self._open: list[str] = []
        self._others = 0

    @property
    def missing(self) -> int:
        """Number of items without a result."""
        return len(self._open)

    def ended(self, prompts: Sequence[str], failed: Sequence[bool]) -> None:
        """Count a batch that has ended."""
        failing = [prompt for prompt, has_failed in zip(prompts, failed, strict=True) if has_failed]
        if self._open and set(prompts) <= set(self._open):
            self.answered({*prompts}.difference(failing))
        else:
            self.size, self._open, self._others = len(prompts), failing, 0

    def answered_alone(self, prompt: str) -> None:
        """Count a prompt that was asked alone, and has a reply."""
        self._others += 1
        if self._others >= self.size:
            self._open = []
        elif self._open:
            self.answered({prompt})

    def answered(self, prompts: set[str]) -> None:
        """Count prompts that have a reply."""
        self._open = [prompt for prompt in self._open if prompt not in prompts]
