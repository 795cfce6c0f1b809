"""Answering: the stand-in's reply to a conversation.

In: a conversation. Out: as sub model, the sentences of the prompt that share the most with its question, quoted; as
root model, the code that a good one would write (see `root_model.py`). Nothing here needs the server: the page runs the
same modules in a worker (`page_loop.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlm_core.types import Message

from .passages import passages
from .ranking import best, may_answer
from .root_code import NOTHING
from .root_model import is_run, reply_as_root

MAX_QUOTES = 3
MERGE_TOLERANCE = 0.92
"""Share of the best candidate's score that another must reach to be repeated beside it."""
NO_TEXT = (
    "There is no text in this prompt to quote from, and builtin:extractive is not a language model: it only quotes."
)

_LABEL = r"^[ \t#*]*{}\b[^\n:]{{0,60}}:[ \t*]*\n?"
_QUESTION = re.compile(_LABEL.format(r"(?:question|query|task)"), re.I | re.M)
_TEXTS = r"(?P<label>text|context|candidates|piece|passage|document|chunk|excerpt|section)"
_TEXT = re.compile(_LABEL.format(_TEXTS), re.I | re.M)
_PARAGRAPH_END = re.compile(r"\n\s*\n")


def reply_to(messages: Sequence[Message]) -> str:
    """Reply as root model to a run's conversation, as sub model to anything else."""
    if is_run(messages):
        return reply_as_root(messages)
    return reply_as_sub(messages[-1].content if messages else "")


def reply_as_sub(prompt: str) -> str:
    """Quote the sentences of `prompt` that answer its question, one a line, or say that there are none.

    >>> reply_as_sub("Question: Who has the key?\\n\\nText:\\nIt rained. Ada Holm has the key. It snowed.")
    'Ada Holm has the key.'
    >>> reply_as_sub("Question: Who has the key?\\n\\nText:\\nIt rained.")
    'No relevant sentence.'
    """
    question, text, is_merge = read_prompt(prompt)
    if text is None:
        return NO_TEXT
    if is_merge:
        quotes = best(question, text.splitlines(), most=MAX_QUOTES, tolerance=MERGE_TOLERANCE)
    elif may_answer(question, text):
        quotes = best(question, passages(text), most=MAX_QUOTES)
    else:
        quotes = []
    return "\n".join(quotes) or NOTHING


def read_prompt(prompt: str) -> tuple[str, str | None, bool]:
    """Take `prompt` apart: the question, the text to quote from if there is any, and whether its lines are candidates.

    Labelled prompts ("Question: ... Text: ...", in either order) are read by their labels. Of others the first
    paragraph is the question, or the last one where that alone has a question mark. Text after the last question
    mark is taken for instructions.
    """
    question, text, is_merge = _read_labels(prompt) or _read_paragraphs(prompt)
    return question[: question.rfind("?") + 1] or question, text, is_merge


def _read_labels(prompt: str) -> tuple[str, str, bool] | None:
    marked = _QUESTION.search(prompt)
    label = _TEXT.search(prompt, marked.end()) if marked else None
    if marked and label:
        question, text = prompt[marked.end() : label.start()], prompt[label.end() :]
        return question.strip(), text, label["label"].lower() == "candidates"
    label = _TEXT.search(prompt)
    *_, marked = [None, *_QUESTION.finditer(prompt)]
    if marked and label and label.end() <= marked.start():
        return prompt[marked.end() :].strip(), prompt[label.end() : marked.start()], False
    return None


def _read_paragraphs(prompt: str) -> tuple[str, str | None, bool]:
    paragraphs = [part for part in _PARAGRAPH_END.split(prompt) if part.strip()] or [""]
    position = -1 if "?" in paragraphs[-1] and "?" not in paragraphs[0] else 0
    question = paragraphs.pop(position)
    return question, "\n\n".join(paragraphs) or None, False
