"""Finish: whether a reply ends the run.

In: the reply as parsed (`parse.py`), and the REPL after its blocks. Out: the final answer, or a correction for the
model. All dialects are understood and none is guessed at: an unclear answer is asked back in one short message.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import prompts
from .finals import Final
from .output import cut
from .parse import Parsed
from .repl import Repl


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of a reply.

    Attributes:
        answer: the final answer, or `None`.
        correction: message to the model when it tried to finish and could not, or did nothing; else `""`.
        partial: an answer that was not accepted, else `""`.
    """

    answer: str | None = None
    correction: str = ""
    partial: str = ""


def verdict(parsed: Parsed, repl: Repl) -> Verdict:
    """Judge a reply whose blocks have been executed in `repl`."""
    if repl.final is not None:
        return Verdict(answer=repl.final)
    finals = list(dict.fromkeys(parsed.finals))
    if len(finals) > 1:
        return Verdict(correction=prompts.SEVERAL_FINALS.format(count=len(finals)))
    if finals:
        return _judge(finals[0], repl, saw_output=not parsed.blocks)
    if parsed.blocks:
        return Verdict()
    return Verdict(correction=prompts.FENCED_FINAL if parsed.fenced_final else prompts.NOTHING_TO_DO)


def _judge(final: Final, repl: Repl, *, saw_output: bool) -> Verdict:
    text = cut(final.text, 200)
    if final.kind == "unmatched":
        return Verdict(correction=prompts.UNMATCHED_FINAL)
    if final.kind == "computed":
        return Verdict(correction=prompts.COMPUTED_FINAL.format(text=text))
    if final.kind == "not_a_name":
        return Verdict(correction=prompts.NOT_A_NAME.format(text=text or "nothing"))
    if final.kind == "variable" or (final.kind == "literal" and repl.holds_value(final.text)):
        return _read_variable(final.text, repl)
    if not final.text:
        return Verdict(correction=prompts.EMPTY_FINAL)
    if not saw_output:
        return Verdict(correction=prompts.CONFIRM, partial=final.text)
    return Verdict(answer=final.text)


def _read_variable(name: str, repl: Repl) -> Verdict:
    why_not = repl.finish_with_variable(name)
    if why_not is not None:
        return Verdict(correction=prompts.BAD_VARIABLE.format(name=name, why=why_not))
    return Verdict(answer=repl.final)


def last_answer(parsed: Parsed, reply: str, repl: Repl) -> str:
    """The answer in the reply to the last call, where nothing can be asked back: its final, or all of it."""
    for final in reversed(parsed.finals):
        answer = _judge(final, repl, saw_output=True).answer
        if answer:
            return answer
    return reply.strip()
