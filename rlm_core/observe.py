"""Observations: the message to the model after its code ran.

In: the observations of one reply's blocks, and notes. Out: one `user` message of bounded length.
Nothing here runs code or calls a model; see `repl.py` and `run.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import ConfigError
from .output import cut
from .types import Message, Observation

MIN_CHARS = 200
"""Fewest characters of output that are of any use to a model."""

NO_OUTPUT = "The code ran and printed nothing. Print what you need to see."


def has_output(observation: Observation) -> bool:
    """Whether there is anything of a block for the model to see."""
    return bool(observation.stdout.strip() or observation.value or observation.error)


def to_message(observations: Sequence[Observation], *, max_chars: int = 20_000, notes: Sequence[str] = ()) -> Message:
    """Render `observations` as the user message that opens the next iteration.

    Args:
        observations: of one reply, in the order of its blocks; their texts may have any length.
        max_chars: most characters (not tokens) shown of each block; head and tail are kept, the middle is cut.
        notes: sentences below the output.

    Raises:
        ConfigError: `max_chars` is below `MIN_CHARS`.

    >>> to_message([Observation(stdout="hi\\n", stdout_chars=3)]).content
    'Output (3 characters):\\nhi'
    """
    if max_chars < MIN_CHARS:
        raise ConfigError(f"max_chars must be at least {MIN_CHARS}, not {max_chars}.")
    blocks = [_block(observation, max_chars) for observation in observations]
    if len(blocks) > 1:
        blocks = [f"Block {number} of {len(blocks)}\n{text}" for number, text in enumerate(blocks, start=1)]
    return Message("user", "\n\n".join([*blocks, *(note for note in notes if note)]))


def _block(observation: Observation, max_chars: int) -> str:
    """One block's output, value and error, sharing `max_chars` so that none crowds out the others."""
    chars = max(observation.stdout_chars, len(observation.stdout))
    texts = {
        f"Output ({chars:,} character{'s' * (chars != 1)}):": (observation.stdout.rstrip("\n"), chars),
        "Value:": (observation.value or "", None),
        "Error:": (observation.error or "", None),
    }
    shown = {title: (text, total) for title, (text, total) in texts.items() if text}
    rooms = _rooms([len(text) for text, _ in shown.values()], max_chars)
    parts = [
        f"{title}\n{cut(text, room, total=total)}"
        for (title, (text, total)), room in zip(shown.items(), rooms, strict=True)
    ]
    return "\n\n".join(parts) or NO_OUTPUT


def _rooms(sizes: Sequence[int], max_chars: int) -> list[int]:
    """Share of `max_chars` for each text: large ones get the room that small ones leave.

    >>> _rooms([10, 500, 700], 900)
    [10, 445, 445]
    """
    rooms = [0] * len(sizes)
    left = max_chars
    for rank, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        rooms[index] = min(sizes[index], left // (len(sizes) - rank))
        left -= rooms[index]
    return rooms
