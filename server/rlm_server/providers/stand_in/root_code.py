"""Root code: the ```repl blocks that `builtin:extractive` writes when it is the root model.

In: the type of the context and the question. Out: Python source, fit for that type, that runs in the REPL of a run.
A new user sees it first, so it is meant to be read. Nothing here decides which block comes when; see
`extractive.py`.
"""

from __future__ import annotations

from typing import Literal, get_args

Shape = Literal["str", "list", "dict", "bytes", "Path", "object"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
NOTHING = "No relevant sentence."
"""Reply of a sub-call when no sentence of its piece answers."""

_MEASURE: dict[Shape, str] = {
    "str": """\
lines = longest = start = 0
while start < len(context):  # a part at a time: a list of all lines takes more room than the text
    end = context.find("\\n", start + 1_000_000) + 1 or len(context)
    part = context[start:end].splitlines()
    lines, longest, start = lines + len(part), max(longest, *map(len, part)), end
print(f"{len(context):,} characters in {lines:,} lines; the longest has {longest:,}")
print(context[:400])
print("[...]")
print(context[-200:])
""",
    "list": """\
print(f"{len(context):,} items of type {sorted({type(item).__name__ for item in context})}")
for item in context[:3]:
    print("-", str(item)[:200])
""",
    "dict": """\
print(f"{len(context):,} keys")
for key, value in list(context.items())[:8]:
    print("-", str(key)[:80], f"({type(value).__name__}):", str(value)[:120])
""",
    "bytes": """\
print(f"{len(context):,} bytes; {context.count(0):,} of them are zero")
print(context[:200])
""",
    "Path": """\
print(f"{context.name}: {context.stat().st_size:,} bytes")
with context.open("rb") as file:
    print(file.read(200))
""",
    "object": """\
print(type(context).__name__)
print(str(context)[:400])
""",
}

_OPEN_NESTED = '''\
from pathlib import Path


def parts_of(value, name, key=None):
    """Yield (name, text) for every value inside: large lists and dicts are opened, small ones stay whole."""
    if isinstance(value, Path):
        value = value.read_text("utf-8", errors="replace")
    text = str(value)
    is_small = len(text) < 300 and value is not context
    if isinstance(value, dict) and not is_small:
        for key, item in value.items():
            yield from parts_of(item, f"{name}[{key!r}]", key)
    elif isinstance(value, (list, tuple)) and not is_small:
        for index, item in enumerate(value):
            yield from parts_of(item, f"{name}[{index}]")
    else:
        yield name, text if key is None else f"{key}: {text}"


parts = list(parts_of(context, "context"))
'''

_PARTS: dict[Shape, str] = {
    "str": 'parts = [("context", context)]\n',
    "list": _OPEN_NESTED,
    "dict": _OPEN_NESTED,
    "bytes": 'parts = [("context", context.decode("utf-8", errors="replace"))]\n',
    "Path": 'parts = [(context.name, context.read_text("utf-8", errors="replace"))]\n',
    "object": 'parts = [("context", str(context))]\n',
}

_READ_BY: dict[Shape, tuple[str, str]] = {
    "str": ('("context", context)', '("context", text_of(context))'),
    "list": ('value.read_text("utf-8", errors="replace")', "text_of(value)"),
    "dict": ('value.read_text("utf-8", errors="replace")', "text_of(value)"),
    "bytes": ('context.decode("utf-8", errors="replace")', "text_of(context)"),
    "Path": ('context.read_text("utf-8", errors="replace")', "text_of(context)"),
}
"""How the code for a shape opens a file -> the same by `read`."""

_READ = '''\
from pathlib import Path

unread = []


def text_of(value):
    """The text of a file of any kind; of one that cannot be read nothing, and why."""
    try:
        return read(value)
    except ReadError as fault:
        unread.append(str(fault))
        return ""


'''
"""Code before the parts where the REPL has `read`."""

_ASK = '''\
from itertools import islice

QUESTION
PARTS


def cut(text, size, overlap=600):
    """Yield pieces that overlap, cut at line ends where there are any: no sentence is lost at an edge."""
    start = 0
    while start + size < len(text):
        end = text.rfind("\\n", start + size // 2, start + size) + 1 or start + size
        yield text[start:end]
        start = text.find("\\n", end - overlap, end) + 1 or end - overlap
    yield text[start:]


def prompt_for(piece):
    return (
        "Quote the sentences of the text that answer the question, word for word, one a line. "
        f"If there are none, reply: NOTHING\\n\\nQuestion: {question}\\n\\nText:\\n{piece}"
    )


text = "\\n\\n".join(body for _, body in parts)
size = max(12_000, len(text) // 800)  # all of the text is asked about, however large it is
pieces, replies = cut(text, size), []
while group := list(islice(pieces, max(1, 2_000_000 // size))):
    replies += llm_batch([prompt_for(piece) for piece in group])

candidates = [
    (number, line.strip())
    for number, reply in enumerate(replies, start=1)
    for line in reply.splitlines()
    if line.strip() and "NOTHING" not in line
]
print(f"{len(replies)} pieces asked, {len(candidates)} candidate sentences")
for number, line in candidates[:6]:
    print(f"piece {number}: {line[:200]}")
UNREAD
'''

_UNREAD = """\
for reason in unread[:5]:
    print("not read:", reason)
"""

_ASK_SIMPLY = """\
QUESTION
text = context if isinstance(context, str) else str(context)
parts = [("context", text)]

candidates, faults, asked = [], [], 0
for start in range(0, len(text), 12_000):
    if len(faults) == 3:
        break  # it is not the pieces
    asked += 1
    piece = text[max(0, start - 600) : start + 12_000]
    try:
        reply = llm_query(f"Question: {question}\\n\\nQuote what answers it.\\n\\nText:\\n{piece}")
    except Exception as fault:
        faults.append(f"failed: piece {asked}: {fault}")
    else:
        lines = [line.strip() for line in reply.splitlines() if "NOTHING" not in line]
        candidates += [(asked, line) for line in lines if line]

print(f"{asked} pieces asked, {len(candidates)} candidate sentences")
for number, line in candidates[:6]:
    print(f"piece {number}: {line[:200]}")
print("\\n".join(faults))
"""

_CHECK = '''\
import re


def locate(quote):
    """Return where `quote` stands, whatever its line breaks: (name of the part, line, character), or None."""
    pattern = re.compile(r"\\s+".join(map(re.escape, quote.split())))
    for name, body in parts:
        if match := pattern.search(body):
            return name, body.count("\\n", 0, match.start()) + 1, match.start()


sentences = dict.fromkeys(line for _, line in candidates)  # each once: the pieces overlap
merged = llm_query(
    "These sentences were quoted from one text. Repeat the one that answers the question best, word for word.\\n\\n"
    f"Question: {question}\\n\\nCandidates:\\n" + "\\n".join(sentences)
).strip()

found = []
for quote in filter(str.strip, merged.splitlines()):
    if place := locate(quote):
        found.append((quote, place))
        print(f"{quote}\\n  -> {place[0]}, line {place[1]:,}, character {place[2]:,}")
print(f"{len(found)} verified in the context")
if not found:
    print("the reply was:", merged[:500])
'''

_FINISH = """\
answers, quotes = [], []
for quote, (name, line, character) in found:
    answers.append(f"{quote}\\n(Found in {name}, line {line:,}, character {character:,}.)")
    key = name.rpartition("[")[2].strip("]'\\"")
    written = quote.removeprefix(f"{key}: ")[:2_000]
    if written[:1] not in "{[(":  # a value as Python prints it stands nowhere so
        quotes.append(written)
FINAL("\\n\\n".join(answers), evidence=quotes)
"""

_FINISH_UNVERIFIED = """\
FINAL(f"{merged}\\n\\n(Not verified: these words do not stand in the context as they are quoted here.)")
"""


def measure(shape: Shape) -> str:
    """Code that looks at the size and the first lines of the context."""
    return _MEASURE[shape]


def ask(shape: Shape, question: str | None, *, reads: bool = False) -> str:
    """Code that cuts the whole context in pieces, asks a sub-call about each, and keeps the quotes as `candidates`.

    A `question` of `None` is too long to write out: the REPL holds it as `question`. With `reads`, the REPL has `read`.
    """
    parts = _PARTS[shape]
    if reads and shape in _READ_BY:
        parts = _READ + parts.replace(*_READ_BY[shape])
    code = _ASK.replace("PARTS\n", parts).replace("NOTHING", NOTHING)
    code = code.replace("UNREAD\n", _UNREAD if parts.startswith(_READ) else "")
    return code.replace("QUESTION", _bind(question), 1)


def ask_simply(question: str | None) -> str:
    """Code with the effect of `ask` and less that can go wrong: one call at a time, failures reported."""
    return _ASK_SIMPLY.replace("NOTHING", NOTHING).replace("QUESTION", _bind(question), 1)


def check() -> str:
    """Code that has the candidates merged and looks each quote up in the context, as `found`."""
    return _CHECK


def finish() -> str:
    """Code that ends the run with the verified quotes."""
    return _FINISH


def finish_unseen(otherwise: str) -> str:
    """Code that ends the run with the verified quotes, or with `otherwise`: for a last iteration."""
    return f"if not found:\n    FINAL({otherwise!r})\n{_FINISH}"


def finish_unverified() -> str:
    """Code that ends the run with a merged reply that is not a quote."""
    return _FINISH_UNVERIFIED


def finish_with(answer: str) -> str:
    """Code that ends the run with `answer`."""
    return f"FINAL({answer!r})\n"


def _bind(question: str | None) -> str:
    if question is None:
        return 'question = question[:2_000] + "\\n[...]\\n" + question[-2_000:]  # it is long: its head and tail'
    return f"question = {question!r}"
