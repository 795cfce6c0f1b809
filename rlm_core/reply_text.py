"""Reply text: a model's reply -> the words that it says, without thoughts and without markers that servers leave.

In: a reply as it came. Out: the reply that parser, conversation and model code get. Thoughts are known by their tags,
in every form that servers send; code that only mentions a tag, in quotes, is left alone. Linear in the reply.

>>> spoken("<think>\\nFINAL(7)?\\n</think>\\n\\nFINAL(8)<|im_end|>")
'FINAL(8)'
"""

from __future__ import annotations

import re

_THOUGHTS = (
    "think|thinking|thought|thoughts|reasoning|reflection|scratch_?pad|[a-z]{1,20}[:_]think|think:[a-z]{1,20}|antthinking"
    "|analysis|(?:thought|thinking|reasoning)_process|chain_of_thought|(?:inner|internal)_(?:monologue|thoughts?)"
    "|(?:thinking|reasoning)_content"
)
_TAG = re.compile(
    rf"<[ \t]{{0,4}}(?P<end>/?)[ \t]{{0,4}}(?P<name>{_THOUGHTS})(?:\s+\w+=[^<>\n]{{0,80}})?[ \t]{{0,4}}>"
    r"|\[(?P<end2>/?)(?P<name2>THINK)\]|◁(?P<end3>/?)(?P<name3>think)▷"
    r"|<\|(?P<end5>/?)(?P<name5>think|thinking|thought|thoughts|reasoning)\|>"
    r"|<(?P<begin4>\|(?:begin_of_(?:thought|thinking)|START_THINKING|startofthink|channel>thought\n|inner_prefix"
    r"|(?:think|thinking|thought)_(?:start|begin))(?:(?<=\n)|\|>)|unused94>)"
    r"|<\|(?:end_of_(?:thought|thinking)|END_THINKING|endofthink|inner_suffix|(?:think|thinking|thought)_end)\|>"
    r"|<channel\|>|<unused95>|<\|end\|><\|begin\|>assistant<\|content\|>|\[BEGIN FINAL RESPONSE\]",
    re.IGNORECASE,
)
"""A tag around thoughts, of any vendor."""
_QUOTING = frozenset("\"'\\")
_EDGE_CHARS = 200
"""Characters beside a tag in which its line has to begin or to end."""

_FRAME = re.compile(
    r"<\|channel\|>\s*(\w+)(?:[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>|[^<\n]*\n)"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
"""A frame of the harmony format: its channel and its text."""
_FIRST_FRAME = re.compile(r"\s*(?:analysis|commentary|final)\s*<\|message\|>")
"""A frame that lacks the token of its channel."""
_BARE_FRAMES = re.compile(r"\s*(?:(?:assistant)?(?:analysis|commentary).*)?assistantfinal", re.DOTALL)
"""Harmony frames from which the server took the special tokens, but not their names."""
_SPOKEN_THOUGHTS = re.compile(r"\s*Here(?:'s| is) my thought process:.*?Here(?:'s| is) my response:", re.DOTALL)

_OPENING = re.compile(
    r"\s*(?:<\|im_(?:start|assistant)\|>(?:assistant)?|<\|im_(?:sep|middle)\|>"
    r"|<\|(?:start_header_id|header_start|start_of_role)\|>assistant<\|(?:end_header_id|header_end|end_of_role)\|>"
    r"|<\|(?:assistant|assistant_start|response|bom|message|content)\|>|<\|BOT\|>(?:assistant)?|<\|start\|>assistant"
    r"|<start_of_turn>(?:model)?|<\|turn>(?:model)?|<\|(?:START_OF_TURN_TOKEN|CHATBOT_TOKEN)\|>"
    r"|<s>(?:assistant\n)?|<bos>|<\|(?:begin_of_text|startoftext)\|>|<\|START_(?:RESPONSE|TEXT)\|>"
    r"|<\|begin_of_solution\|>|<\uff5c(?:begin\u2581of\u2581sentence|Assistant)\uff5c>|\]~!b\[|\]~b\]ai\n"
    r"|\[gMASK\]<sop>|<seed:bos>(?:assistant)?|\[\|assistant\|\]|<role>ASSISTANT</role>|<extra_id_1>Assistant|\[/INST\]"
    r"|(?:<\|(?:im_end|eot_id|eot|EOT|endoftext|end_of_text)\|>|</s>)(?=\s*\n|[^\s.,;:)]))"
)
"""Markers of a turn's beginning, or of the end of the turn before it."""
_END = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end_of_text|endoftext|end|return|call|END_RESPONSE|end_of_solution)\|>"
    r"|<\|(?:eot|EOT|eom|eos|end_of_turn|END_TEXT|assistant_end|role_end|endofresponse|separator)\|>"
    r"|<end_of_turn>|<turn\|>|<eos>|<seed:eos>|<\uff5cend\u2581of\u2581sentence\uff5c>|<SPECIAL_\d{1,4}>"
    r"|<\|im_(?:start|user|system|assistant)\|>|<\|(?:start_header_id|header_start|start_of_role)\|>|<start_of_turn>"
    r"|<\|(?:user|assistant|observation|system|user_start|USER_TOKEN)\|>|<\uff5cUser\uff5c>|<extra_id_1>"
    r"|<\|turn>|<\|(?:START|END)_OF_TURN_TOKEN\|>|\[e~\[|\]~b\]|\[\|(?:endofturn|user|system)\|\]|<role>HUMAN</role>"
    r"|\[/?INST\]|\[END FINAL RESPONSE\]|</s>"
)
"""Markers of a turn's end, or of the next turn's beginning: text behind one is no part of the reply."""
_MENTIONED = re.compile(r"[ \t]+[\w(|=\u2013\u2014-]|[.,;:)?!]")
"""Text behind a marker that stands in a sentence or a table, with a blank before it."""
_AROUND = {"(": ")", "[": "]", "{": "}", "*": "*", "_": "_"}
"""Marks around a marker that is spoken of."""
_LAST_CHANNEL = re.compile(r"<\|channel>(?:final|answer|response)\n(.*?)(?:<channel\|>|\Z)", re.DOTALL)
_RESPONSE = re.compile(r"\s*<response>(.*)</response>\s*", re.DOTALL)
_NO_STRIKE = re.compile(r"\s*(?:\Z|</?s>|\[INST\])")
"""Text behind an end marker `</s>` that has a partner all the same."""
_LAST_TOKEN = re.compile(r"(?:<\|\w{2,40}\|>|<\uff5c[^<>\uff5c\s]{2,40}\uff5c>|<(?:pad|unk)>|\[(?:EOS|PAD)\])\Z")
"""A token without a meaning that ends a reply."""
_TOKEN_CHARS = 50
_BOX = re.compile(r"<\|(?:begin|end)_of_box\|>")
_ANSWER = re.compile(r"^[ \t]*<answer>|</answer>[ \t]*$", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")


_SIGNS = ("<", "[", "]~", "◁", "analysis", "assistantfinal", "thought process", "\ufeff")
"""What a reply with thoughts or markers holds."""


def spoken(text: str, *, prompt: str = "") -> str:
    """The words of a reply.

    Args:
        text: the reply as it came.
        prompt: the prompt of a sub-call: answer and thinking tags that it asks for itself are left in.
    """
    if not any(sign in text for sign in _SIGNS):
        return text
    words = _of_final_channel(text.removeprefix("\ufeff"))
    words = _LAST_CHANNEL.sub(r"\1", words) if "<|channel>" in words else words
    words = _without_openings(words)
    if spoken_thoughts := _SPOKEN_THOUGHTS.match(words):
        words = words[spoken_thoughts.end() :]
    thoughtless = _without_thoughts(words, prompt)
    response = _RESPONSE.fullmatch(thoughtless) if thoughtless != words else None
    words = response[1] if response and "<response>" not in prompt else thoughtless
    words = _without_markers(words, prompt)
    return text if words == text else words.strip()


def _of_final_channel(text: str) -> str:
    """Text of harmony's final channel, or of all channels but the analysis where there is none."""
    if _FIRST_FRAME.match(text):
        text = f"<|channel|>{text.lstrip()}"
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
        elif _is_at_edge(text, tag) or _is_glued(text, tag):
            kept.clear()
            at = tag.end()
            fences.restart(at)
    return "".join(kept) if inside else "".join([*kept, text[at:]])


def _is_markup(name: str) -> bool:
    """Whether a tag may be an element of the text: within a line, a word that documents use is one."""
    return name != "" and "think" not in name.lower()


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


def _is_glued(text: str, tag: re.Match[str]) -> bool:
    """Whether the lone end of thoughts stands between words without a blank, as templates without line ends have it."""
    before, after = text[max(0, tag.start() - 1) : tag.start()], text[tag.end() : tag.end() + 1]
    begins = after.isalnum() or after in "*#<[{`-"
    return begins and before.strip() not in ("", "(") and not _is_markup(tag["name"] or "")


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


def _ends_turn(text: str, end: re.Match[str], fences: _Fences, *, is_struck: bool, asked: frozenset[str]) -> bool:
    """Whether a marker ends the turn: not one in quotes, in a sentence or in code, nor one behind struck out text."""
    if _is_quoted(text, end) or (fences.inside(end.start()) and not _is_at_edge(text, end)):
        return False
    if _is_mentioned(text, end, asked) or (end.group() in asked and fences.inside(end.start())):
        return False
    return end.group() != "</s>" or not is_struck or _NO_STRIKE.match(text, end.end()) is not None


def _is_mentioned(text: str, end: re.Match[str], asked: frozenset[str]) -> bool:
    """Whether a sentence speaks of the marker; of those that the prompt names (`asked`) also with its last word."""
    before = text[max(0, end.start() - 1) : end.start()]
    if before in _AROUND:
        return text.startswith(_AROUND[before], end.end())
    may_be_named = end.group().startswith("<") and _MENTIONED.match(text, end.end()) is not None
    return before in (" ", "\t") and (end.group() in asked or may_be_named)


def _without_last_tokens(text: str, prompt: str) -> str:
    """`text` without tokens glued to its end, but for those that a prompt names."""
    end = len(text)
    while token := _LAST_TOKEN.search(text, max(0, end - _TOKEN_CHARS), end):
        before = text[max(0, token.start() - 1) : token.start()]
        if not before.strip() or before in _QUOTING or token.group() in prompt:
            break
        end = token.start()
    return text[:end]


def _without_openings(text: str) -> str:
    """`text` without the markers at its beginning; there may be several."""
    begin = 0
    while opening := _OPENING.match(text, begin):
        begin = opening.end()
    return text[begin:] if begin else text


def _without_markers(text: str, prompt: str) -> str:
    """`text` up to its end marker, without markers around it."""
    text = _without_openings(text)
    first = len(text) - len(text.lstrip())
    fences = _Fences(text)
    strike = text.find("<s>")
    asked = frozenset(marker.group() for marker in _END.finditer(prompt)) if _END.search(text) else frozenset()
    ends = (
        end
        for end in _END.finditer(text, first)
        if end.start() > first and _ends_turn(text, end, fences, is_struck=0 <= strike < end.start(), asked=asked)
    )
    end = next(ends, None)
    text = text if end is None else text[: end.start()]
    text = _BOX.sub("", text)
    text = _without_last_tokens(text, prompt)
    if "<answer>" in text.lower() and "<answer>" not in prompt.lower():
        fences = _Fences(text)
        text = _ANSWER.sub(lambda tag: tag.group() if fences.inside(tag.start()) else "", text)
    return text
