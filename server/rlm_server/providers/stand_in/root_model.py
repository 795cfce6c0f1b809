"""Root model: which code `builtin:extractive` writes next in a run.

In: a run's conversation as the loop made it. Out: the next reply: a sentence, and a ```repl block. The step follows
from the conversation (the steps so far, their output, errors, iterations left);
nothing is remembered.

    measure -> ask -> check -> finish        an error in `ask`: ask_simply; no candidates: finish, saying so
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

from rlm_core.prompts import LAST_CALL, read_question
from rlm_core.types import Message

from . import root_code
from .root_code import NOTHING, Shape

Step = Literal["measure", "ask", "ask_simply", "check", "finish"]
SAYS: dict[Step, str] = {
    "measure": "First I look at the context: how large it is, and what it looks like.",
    "ask": "I cut all of it into overlapping pieces and ask a sub-call about each.",
    "ask_simply": "That failed, so I ask again with simpler code, one piece at a time.",
    "check": "One more sub-call chooses among the candidates, and I check that its quote really stands in the context.",
    "finish": "I have seen enough to finish.",
}
PLAN: tuple[Step, ...] = ("measure", "ask", "check", "finish")
NOT_FOUND = (
    "No answer found: no sentence of the context shares enough words with this question. (The built-in stand-in "
    "compares words; a language model may find what is said in other words.)"
)
NOTHING_SEEN = "No answer yet: the iterations ran out before the context was searched. Raise the iteration limit."

_CONTEXT_TYPE = re.compile(r"\n\nContext:\n`context` is (?:an? )?(?:pathlib\.)?(\w+)")
_SHAPES: dict[str, Shape] = {
    "str": "str",
    "list": "list",
    "tuple": "list",
    "dict": "dict",
    "bytes": "bytes",
    "bytearray": "bytes",
    "Path": "Path",
}
_ITERATIONS = re.compile(r"\nYou have (\d+) iteration")
_LONG_QUESTION = "\n(The question is cut; the variable `question` holds all of it.)"
_ERROR = re.compile(r"^Error:\n(?P<text>.*)", re.MULTILINE | re.DOTALL)
_NO_CANDIDATES = re.compile(r"^\d+ pieces asked, 0 candidate sentences$", re.MULTILINE)
_NOT_READ = re.compile(r"^not read: (.*)$", re.MULTILINE)
_FAILED_PIECE = re.compile(r"^failed: (piece .*)$", re.MULTILINE)
_VERIFIED = re.compile(r"^(?P<quote>.+)\n  -> (?P<where>.+)$", re.MULTILINE)
_CANDIDATE = re.compile(r"^piece \d+: (?P<quote>.+)$", re.MULTILINE)


def is_run(messages: Sequence[Message]) -> bool:
    """Whether `messages` are the conversation of a run, whatever its system prompt."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return False
    return "Question:\n" in messages[1].content and "\n\nContext:\n`context` " in messages[1].content


def reply_as_root(messages: Sequence[Message]) -> str:
    """Return the next reply in the run's conversation `messages`: its system message, the first message, and so on."""
    opening, seen = messages[1].content, messages[-1].content
    turns = [message.content for message in messages if message.role == "assistant"]
    if seen == LAST_CALL:
        return best_seen(messages) or NOTHING_SEEN
    last = _last_step(turns)
    left = max(1, _iterations(opening) - len(turns))
    ending = _ending(last, seen)
    if ending is not None:
        return _reply([("finish", ending)])
    if last == "finish":  # it was not accepted
        return _reply([("finish", root_code.finish_with(best_seen(messages) or NOT_FOUND))])
    steps = _next_steps(last, failed=_ERROR.search(seen) is not None, left=left)
    reads = "`read(file" in messages[0].content
    return _reply([(step, _code(step, opening, reads=reads, seen_check=last == "check")) for step in steps])


def best_seen(messages: Sequence[Message]) -> str:
    """Return the best quote that the run's code has printed so far, and where it stands; `""` if there is none."""
    for message in reversed(messages):
        if message.role == "user" and (match := _VERIFIED.search(message.content)):
            return f"{match['quote']}\n(Found in {match['where']}.)"
    for message in reversed(messages):
        if message.role == "user" and (match := _CANDIDATE.search(message.content)):
            return f"{match['quote']}\n(The first of the candidates; there was no time to compare them.)"
    return ""


def _last_step(turns: Sequence[str]) -> Step | None:
    """The step that the newest reply ended with, if it is one of ours."""
    steps: Sequence[Step] = get_args(Step)
    said = [(turns[-1].rfind(SAYS[step]), step) for step in steps if turns and SAYS[step] in turns[-1]]
    return max(said)[1] if said else None


def _ending(last: Step | None, seen: str) -> str | None:
    """The code that finishes early because of an observation, or `None` to follow the plan."""
    error = _ERROR.search(seen)
    if last in ("ask_simply", "check") and error:
        return root_code.finish_with(f"No answer found: {_last_line(error['text'])}")
    if last in ("ask", "ask_simply") and not error and _NO_CANDIDATES.search(seen):
        unread = _NOT_READ.search(seen)
        if unread:
            return root_code.finish_with(f"No answer found, and not everything could be read: {unread[1]}")
        failed = _FAILED_PIECE.search(seen)
        return root_code.finish_with(f"No answer found: the sub-calls failed ({failed[1]})." if failed else NOT_FOUND)
    if last == "check" and not _VERIFIED.search(seen):
        return root_code.finish_with(NOT_FOUND) if NOTHING in seen else root_code.finish_unverified()
    return None


def _next_steps(last: Step | None, *, failed: bool, left: int) -> Sequence[Step]:
    """The steps of the next reply: one, or all that remain when no later iteration is left for them."""
    if last == "ask" and failed:
        pending: tuple[Step, ...] = ("ask_simply", "check", "finish")
    elif last is None:
        pending = PLAN if left >= len(PLAN) else PLAN[1:]
    else:
        pending = PLAN[PLAN.index("ask" if last == "ask_simply" else last) + 1 :]
    return pending[: max(1, len(pending) - left + 1)] if left > 1 else pending


def _code(step: Step, opening: str, *, reads: bool, seen_check: bool) -> str:
    kind = _CONTEXT_TYPE.search(opening)
    shape = _SHAPES.get(kind[1], "object") if kind else "object"
    question = read_question(opening)
    quoted = None if question.endswith(_LONG_QUESTION) else question
    code = {
        "measure": root_code.measure(shape),
        "ask": root_code.ask(shape, quoted, reads=reads),
        "ask_simply": root_code.ask_simply(quoted),
        "check": root_code.check(),
        "finish": root_code.finish() if seen_check else root_code.finish_unseen(NOT_FOUND),
    }
    return code[step]


def _reply(blocks: Sequence[tuple[Step, str]]) -> str:
    return "\n\n".join(f"{SAYS[step]}\n\n```repl\n{code}```" for step, code in blocks)


def _iterations(opening: str) -> int:
    counts = _ITERATIONS.findall(opening)
    return int(counts[-1]) if counts else len(PLAN)


def _last_line(error: str) -> str:
    """The line of a traceback with the exception."""
    lines = [
        line for line in error.strip().splitlines() if re.match(r"[\w.]+(?:Error|Exception|Exit|Interrupt)\b", line)
    ]
    return lines[-1] if lines else "the code failed."
