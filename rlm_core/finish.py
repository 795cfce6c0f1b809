"""Finish: whether a reply ends the run.

In: the reply as parsed (`parse.py`), and the REPL after its blocks. Out: the final answer, or a correction for the
model. All dialects are understood and none is guessed at: an unclear answer is asked back in one short message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import prompts
from .finals import Final
from .invented import is_invented
from .output import cut
from .parse import Parsed
from .plain_words import TextKind, is_placeholder, kind_of_text, names_in_braces
from .repl import Repl
from .types import CodeBlock
from .values import written_value


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


def verdict(parsed: Parsed, repl: Repl, *, unseen: Sequence[bool] = ()) -> Verdict:
    """Judge a reply whose blocks have been executed in `repl`.

    An answer counts only if it cannot have been invented: literals written before the output of the same reply was seen
    are asked back, in text and in code alike; a value that the reply's code worked out is accepted.

    Args:
        parsed: the reply.
        repl: its REPL.
        unseen: for each block that was executed, whether it had output: the model has not seen any of it.
    """
    codes = [block.code for block in parsed.blocks[: len(unseen)]]
    if repl.final is not None:
        if not _was_invented(repl.final, codes, unseen):
            return Verdict(answer=repl.final)
        return Verdict(correction=prompts.CONFIRM_IN_CODE, partial=repl.withdraw())
    finals = list(dict.fromkeys(parsed.finals))
    if len(finals) > 1:
        return Verdict(correction=prompts.SEVERAL_FINALS.format(count=len(finals)))
    if finals:
        names = [name for name in [_name_of(finals[0], repl)] if name is not None and any(unseen)]
        if any(is_invented(codes, name) for name in names):
            return Verdict(correction=prompts.CONFIRM, partial=_text_of(names[0], repl))
        return _judge(finals[0], repl, saw_output=not (parsed.blocks or parsed.cut_block))
    if parsed.cut:
        return Verdict(correction=prompts.CUT_BLOCK if parsed.cut_block else prompts.CUT_REPLY)
    if parsed.blocks:
        return Verdict()
    return Verdict(correction=prompts.FENCED_FINAL if parsed.fenced_final else prompts.NOTHING_TO_DO)


def partial_answer(repl: Repl, blocks: Sequence[CodeBlock], unseen: Sequence[bool]) -> str | None:
    """The answer so far after the last of `blocks`; a final one that will be asked back is none."""
    if repl.final is not None and _was_invented(repl.final, [block.code for block in blocks], unseen):
        return None
    return repl.partial or None


def _was_invented(answer: str, codes: Sequence[str], unseen: Sequence[bool]) -> bool:
    """Whether the last of the blocks `codes` finished with a literal although an earlier one had output."""
    return any(unseen[:-1]) and is_invented(codes, answer=answer)


def _name_of(final: Final, repl: Repl) -> str | None:
    """The variable that `final` means, if it means one."""
    name = _bare(final.text)
    means = final.kind == "variable" or (final.kind == "literal" and name.isidentifier())
    return name if means and repl.holds_value(name) else None


def _bare(text: str) -> str:
    """A name without marks around it."""
    return text.strip().strip("`*").strip()


def _text_of(name: str, repl: Repl) -> str:
    verdict = _read_variable(name, repl)
    return repl.withdraw() if verdict.answer is not None else ""


def _judge(final: Final, repl: Repl, *, saw_output: bool, is_last: bool = False) -> Verdict:
    """Judge a final answer in text; `is_last`: nothing can be asked back, so that a bare word is taken as one."""
    text = cut(final.text, 200)
    is_literal, evidence = written_value(final.evidence) if final.evidence else (True, None)
    if not is_literal:
        return Verdict(correction=prompts.COMPUTED_FINAL.format(text=f"evidence={cut(final.evidence, 200)}"))
    if repl.takes_values and final.kind == "literal" and written_value(final.text)[0]:
        return (
            _accepted(final.text, repl, evidence)
            if saw_output
            else Verdict(correction=prompts.CONFIRM, partial=final.text)
        )
    if final.kind == "unmatched":
        return Verdict(correction=prompts.UNMATCHED_FINAL)
    if final.kind == "computed":
        return Verdict(correction=prompts.COMPUTED_FINAL.format(text=text))
    if final.kind == "not_a_name":
        return Verdict(correction=prompts.NOT_A_NAME.format(text=text or "nothing"))
    if final.kind == "variable" or _name_of(final, repl) is not None:
        return _read_variable(_bare(final.text), repl, evidence)
    if not final.text:
        return Verdict(correction=prompts.EMPTY_FINAL)
    kind = _kind(final, repl)
    if kind == "placeholder":
        return Verdict(correction=prompts.PLACEHOLDER_FINAL.format(text=text))
    if kind == "code":
        return Verdict(correction=prompts.COMPUTED_FINAL.format(text=text))
    if kind == "name" and not is_last:
        return Verdict(correction=prompts.UNKNOWN_NAME.format(name=_bare(text)), partial=_bare(final.text))
    if not saw_output:
        return Verdict(correction=prompts.CONFIRM, partial=final.text)
    return _accepted(final.text, repl, evidence)


def _accepted(text: str, repl: Repl, evidence: object) -> Verdict:
    """The verdict of an answer that is words, with the quotes written beside it."""
    if evidence is None:
        return Verdict(answer=text)
    try:
        repl.finish(text, evidence=evidence)
    except TypeError as fault:
        return Verdict(correction=prompts.BAD_EVIDENCE.format(why=fault), partial=text)
    return Verdict(answer=repl.final)


def _kind(final: Final, repl: Repl) -> TextKind:
    """The kind of a final's text; in quotes it is words, unless it waits for a variable's value."""
    if final.kind != "quoted":
        return kind_of_text(final.text, repl.holds_value)
    if is_placeholder(final.text):
        return "placeholder"
    return "code" if names_in_braces(final.text, repl.holds_value) else "words"


def _read_variable(name: str, repl: Repl, evidence: object = None) -> Verdict:
    why_not = repl.finish_with_variable(name, evidence)
    if why_not is not None:
        return Verdict(correction=prompts.BAD_VARIABLE.format(name=name, why=why_not))
    return Verdict(answer=repl.final)


def last_answer(parsed: Parsed, reply: str, repl: Repl) -> str:
    """The answer in the reply to the last call, where nothing can be asked back: its final, or all of it."""
    for final in reversed(parsed.finals):
        answer = _judge(final, repl, saw_output=True, is_last=True).answer
        if answer:
            return answer
    return reply.strip()
