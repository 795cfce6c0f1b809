"""Reply text: a model's reply -> the words that it says, without thoughts and without markers that servers leave.

In: a reply as it came. Out: the reply that parser, conversation and model code get. Thoughts are known by their tags,
in every form that servers send; code that only mentions a tag, in quotes, is left alone. Linear in the reply.

>>> spoken("<think>\\nFINAL(7)?\\n</think>\\n\\nFINAL(8)<|im_end|>")
'FINAL(8)'
"""

from __future__ import annotations

import re

_THOUGHTS = (
    "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think|mm:think|antthinking"
    "|analysis|(?:thought|thinking|reasoning)_process|chain_of_thought|inner_(?:monologue|thoughts)"
)
_TAG = re.compile(
    rf"<[ \t]{{0,4}}(?P<end>/?)[ \t]{{0,4}}(?P<name>{_THOUGHTS})(?:\s+\w+=[^<>\n]{{0,80}})?[ \t]{{0,4}}>"
    r"|\[(?P<end2>/?)(?P<name2>THINK)\]|◁(?P<end3>/?)(?P<name3>think)▷"
    r"|<\|(?P<end5>/?)(?P<name5>think|thinking|thought|thoughts|reasoning)\|>"
    r"|<\|(?P<begin4>begin_of_thought|START_THINKING|startofthink|channel>thought\n)(?:(?<=\n)|\|>)"
    r"|<\|(?:end_of_thought|END_THINKING|endofthink)\|>|<channel\|>",
    re.IGNORECASE,
)
"""A tag around thoughts, of any vendor."""
_QUOTING = frozenset("\"'\\")
_EDGE_CHARS = 200
"""Characters beside a tag in which its line has to begin or to end."""

_FRAME = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
"""A frame of the harmony format: its channel and its text."""
_BARE_FRAMES = re.compile(r"\s*(?:assistant)?analysis(?=\S).*assistantfinal", re.DOTALL)
"""Harmony frames from which the server took the special tokens, but not their names."""
_SPOKEN_THOUGHTS = re.compile(r"\s*Here(?:'s| is) my thought process:.*?Here(?:'s| is) my response:", re.DOTALL)

_OPENING = re.compile(
    r"\s*(?:<\|im_start\|>(?:assistant)?|<\|start_header_id\|>assistant<\|end_header_id\|>|<\|assistant\|>"
    r"|<\|start\|>assistant|<start_of_turn>(?:model)?|<\|turn>(?:model)?|<\|CHATBOT_TOKEN\|>|\]~b\]ai\n|<s>|<bos>|<\|begin_of_text\|>|<\|START_RESPONSE\|>"
    r"|<\|begin_of_solution\|>|<\uff5cAssistant\uff5c>)"
)
"""Markers of a turn's beginning."""
_END = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end_of_text|endoftext|end|return|call|END_RESPONSE|end_of_solution)\|>"
    r"|<end_of_turn>|<turn\|>|<eos>|<\uff5cend\u2581of\u2581sentence\uff5c>"
    r"|<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|(?:user|assistant|observation|system)\|>|<\uff5cUser\uff5c>"
    r"|<\|turn>|<\|(?:START|END)_OF_TURN_TOKEN\|>|\[e~\[|\[/?INST\]|</s>"
)
"""Markers of a turn's end, or of the next turn's beginning: text behind one is no part of the reply."""
_NO_STRIKE = re.compile(r"\s*(?:\Z|</?s>|\[INST\])")
"""Text behind an end marker `</s>` that has a partner all the same."""
_LAST_TOKEN = re.compile(r"(?:<\|\w{2,40}\|>|<\uff5c[^<>\uff5c\s]{2,40}\uff5c>|<(?:pad|unk)>|\[(?:EOS|PAD)\])\Z")
"""A token without a meaning that ends a reply."""
_TOKEN_CHARS = 50
_BOX = re.compile(r"<\|(?:begin|end)_of_box\|>")
_ANSWER = re.compile(r"^[ \t]*<answer>|</answer>[ \t]*$", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")


def spoken(text: str, *, prompt: str = "") -> str:
    """The words of a reply.

    Args:
        text: the reply as it came.
        prompt: the prompt of a sub-call: answer and thinking tags that it asks for itself are left in.
    """
    if not ("<" in text or "[" in text or "◁" in text or "analysis" in text or "thought process" in text):
        return text
    words = _of_final_channel(text)
    if spoken_thoughts := _SPOKEN_THOUGHTS.match(words):
        words = words[spoken_thoughts.end() :]
    words = _without_thoughts(words, prompt)
    words = _without_markers(words, prompt)
    return text if words == text else words.strip()


def _of_final_channel(text: str) -> str:
    """Text of harmony's final channel, or of all channels but the analysis where there is none."""
    if "<|channel|>" not in text:
        bare = _BARE_FRAMES.match(text)
        return text[bare.end() :] if bare else text
    before = text[: text.index("<|channel|>")].removesuffix("assistant").removesuffix("<|start|>")
    frames = [(frame.group(1), frame.group(2)) for frame in _FRAME.finditer(text)]
    final = [said for channel, said in frames if channel == "final"]
    said = final or [said for channel, said in frames if channel != "analysis"]
    return "\n".join([*([before] if before.strip() else []), *said])


def _without_thoughts(text: str, prompt: str) -> str:
    """`text` without the parts between tags of thoughts; a tag without its partner reaches to the text's end."""
    kept: list[str] = []
    fences = _Fences(text)
    at, inside, quoted = 0, False, ""
    tags = list(_TAG.finditer(text))
    last_end = max((tag.start() for tag in tags if _is_end(tag)), default=-1)
    for tag in tags:
        name = tag["name"] or ""
        if name.lower() not in ("", "think") and f"<{name}>" in prompt:
            continue
        if name.lower() == "analysis" and (prompt or tag.start() > last_end):
            continue
        is_end = _is_end(tag)
        if inside:
            if is_end:
                at, inside = tag.end(), False
                fences.restart(at)
        elif _is_quoted(text, tag) or fences.inside(tag.start()):
            continue
        elif is_end and name and name == quoted:
            quoted = ""
        elif not is_end and ((tag.start() < last_end and not _is_markup(name)) or _is_at_edge(text, tag)):
            kept.append(text[at : tag.start()])
            inside = True
        elif not is_end:
            quoted = name
        elif _is_at_edge(text, tag):
            kept.clear()
            at = tag.end()
            fences.restart(at)
    return "".join(kept) if inside else "".join([*kept, text[at:]])


def _is_markup(name: str) -> bool:
    """Whether a tag may be an element of the text: within a line, a word that documents use is one."""
    return name.lower() not in ("", "think", "thinking", "seed:think", "mm:think")


def _is_end(tag: re.Match[str]) -> bool:
    if tag["begin4"]:
        return False
    is_named = tag["name"] or tag["name2"] or tag["name3"] or tag["name5"]
    return bool(tag["end"] or tag["end2"] or tag["end3"] or tag["end5"]) if is_named else True


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    around = text[max(0, tag.start() - 1) : tag.start()], text[tag.end() : tag.end() + 1]
    return bool(_QUOTING.intersection(around)) or around == ("`", "`")


def _is_at_edge(text: str, tag: re.Match[str]) -> bool:
    """Whether the tag begins or ends its line, but for blanks."""
    before = text[max(0, tag.start() - _EDGE_CHARS) : tag.start()]
    after = text[tag.end() : tag.end() + _EDGE_CHARS]
    begins = not before.rpartition("\n")[2].strip() and (len(before) < _EDGE_CHARS or "\n" in before)
    return begins or not after.partition("\n")[0].strip()


class _Fences:
    """Whether a position lies inside a fence; asked for in rising order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.restart(0)

    def restart(self, at: int) -> None:
        """Forget the fences before `at`."""
        self._at = self._line_at = at
        self._open = ""

    def inside(self, position: int) -> bool:
        while (end := self._text.find("\n", self._at, position)) >= 0:
            self._line(self._text[self._line_at : end])
            self._at = self._line_at = end + 1
        self._at = max(self._at, position)
        return bool(self._open)

    def _line(self, line: str) -> None:
        fence = _FENCE.match(line)
        if fence is None:
            return
        mark = fence.group(1)
        if not self._open:
            self._open = mark
        elif mark.startswith(self._open) and not line[fence.end() :].strip():
            self._open = ""


def _ends_turn(text: str, end: re.Match[str], fences: _Fences, *, is_struck: bool) -> bool:
    """Whether a marker ends the turn: not one in quotes, within a line of code, or behind text that is struck out."""
    if _is_quoted(text, end) or (fences.inside(end.start()) and not _is_at_edge(text, end)):
        return False
    return end.group() != "</s>" or not is_struck or _NO_STRIKE.match(text, end.end()) is not None


def _without_last_tokens(text: str, prompt: str) -> str:
    """`text` without tokens glued to its end, but for those that a prompt names."""
    end = len(text)
    while token := _LAST_TOKEN.search(text, max(0, end - _TOKEN_CHARS), end):
        before = text[max(0, token.start() - 1) : token.start()]
        if not before.strip() or before in _QUOTING or token.group() in prompt:
            break
        end = token.start()
    return text[:end]


def _without_markers(text: str, prompt: str) -> str:
    """`text` up to its end marker, without markers around it."""
    begin = 0
    while opening := _OPENING.match(text, begin):
        begin = opening.end()
    text = text[begin:]
    first = len(text) - len(text.lstrip())
    fences = _Fences(text)
    strike = text.find("<s>")
    ends = (
        end
        for end in _END.finditer(text, first)
        if end.start() > first and _ends_turn(text, end, fences, is_struck=0 <= strike < end.start())
    )
    end = next(ends, None)
    text = text if end is None else text[: end.start()]
    text = _BOX.sub("", text)
    text = _without_last_tokens(text, prompt)
    if "<answer>" in text.lower() and "<answer>" not in prompt.lower():
        fences = _Fences(text)
        text = _ANSWER.sub(lambda tag: tag.group() if fences.inside(tag.start()) else "", text)
    return text
