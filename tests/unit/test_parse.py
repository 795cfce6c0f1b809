"""Fences: the code in a reply, and the end of each block."""

from __future__ import annotations

import time

import pytest

from rlm_core.finals import Final
from rlm_core.parse import parse

# name of the promise, reply, code of each block
BLOCKS = [
    ("one block", "```repl\nx = 1\n```", ["x = 1"]),
    ("text around", "Look:\n\n```repl\nx = 1\n```\n\nDone.", ["x = 1"]),
    ("two blocks", "```repl\nx = 1\n```\nand\n```repl\ny = 2\n```", ["x = 1", "y = 2"]),
    ("blocks without a line between", "```repl\nx = 1\n```\n```repl\ny = 2\n```", ["x = 1", "y = 2"]),
    ("python", "```python\nx = 1\n```", ["x = 1"]),
    ("py", "```py\nx = 1\n```", ["x = 1"]),
    ("upper case", "```REPL\nx = 1\n```", ["x = 1"]),
    ("mixed case", "```Python\nx = 1\n```", ["x = 1"]),
    ("blank before the tag", "``` repl\nx = 1\n```", ["x = 1"]),
    ("blanks after the tag", "```repl   \nx = 1\n```", ["x = 1"]),
    ("more after the tag", "```python title='a'\nx = 1\n```", ["x = 1"]),
    ("tag in braces", "```{python}\nx = 1\n```", ["x = 1"]),
    ("blanks after the closing fence", "```repl\nx = 1\n```  \nFINAL(1)", ["x = 1"]),
    ("windows line ends", "```repl\r\nx = 1\r\ny = 2\r\n```\r\n", ["x = 1\ny = 2"]),
    ("four back-ticks", "````repl\nx = 1\n````", ["x = 1"]),
    ("closing fence longer", "```repl\nx = 1\n`````", ["x = 1"]),
    ("closing fence shorter does not close", "````repl\nx = '''\n```\n'''\n````", ["x = '''\n```\n'''"]),
    ("tildes", "~~~repl\nx = 1\n~~~", ["x = 1"]),
    ("four tildes", "~~~~python\nx = 1\n~~~~", ["x = 1"]),
    ("tildes are not closed by back-ticks", "~~~repl\nx = '''\n```\n'''\n~~~", ["x = '''\n```\n'''"]),
    ("indented", "   ```repl\n   x = 1\n   if x:\n       y = 2\n   ```", ["x = 1\nif x:\n    y = 2"]),
    ("indented by a tab", "\t```repl\n\tx = 1\n\t```", ["x = 1"]),
    ("indented deeply", "          ```repl\n          x = 1\n          ```", ["x = 1"]),
    ("in a bullet", "- ```repl\n  x = 1\n  ```", ["x = 1"]),
    ("in a numbered list", "1. Look:\n   ```repl\n   x = 1\n   ```\n2. Then", ["x = 1"]),
    ("fence indented, code not", "  ```repl\nx = 1\n  ```", ["x = 1"]),
    ("code indented, fence not", "```repl\n    x = 1\n    y = 2\n```", ["x = 1\ny = 2"]),
    ("code indented below a comment", "```repl\n# look\n    x = 1\n    y = 2\n```", ["# look\nx = 1\ny = 2"]),
    ("an indented comment changes nothing", "```repl\n  # look\nif 1:\n  x = 1\n```", ["  # look\nif 1:\n  x = 1"]),
    (
        "text in a string keeps its indentation",
        "  ```repl\n  x = '''\none\n    two\n'''\n  ```",
        ["x = '''\none\n  two\n'''"],
    ),
    ("left open at the end", "```repl\nx = 1", ["x = 1"]),
    ("left open with a line end", "```repl\nx = 1\n", ["x = 1\n"]),
    ("left open, then another", "```repl\nx = 1\n```repl\ny = 2\n```", ["x = 1", "y = 2"]),
    ("closing fence at the end of a line", "```repl\nx = 1\ny = 2```\nThen FINAL.", ["x = 1\ny = 2"]),
    ("opening fence after text", "Let me look: ```repl\nx = 1\n```", ["x = 1"]),
    ("opening fence after text that is no code", "Write it in ```python\nand then go on\n```", []),
    ("empty block", "```repl\n```", []),
    ("block of blanks", "```repl\n\n  \n```", []),
    ("block of a comment", "```repl\n# nothing\n```", ["# nothing"]),
    ("untagged", "```\nx = 1\n```", []),
    ("json", '```json\n{"x": 1}\n```', []),
    ("bash", "```bash\nls\n```", []),
    ("python3", "```python3\nx = 1\n```", ["x = 1"]),
    ("ipython", "```ipython\nx = 1\n```", ["x = 1"]),
    ("tool_code", "```tool_code\nx = 1\n```", ["x = 1"]),
    ("tag with a colon", "```repl:\nx = 1\n```", ["x = 1"]),
    ("python beside repl is quoted", "```python\nx = 0\n```\n```repl\nx = 1\n```", ["x = 1"]),
    ("python behind repl is quoted", "```repl\nx = 1\n```\nAs in:\n```py\nx = 0\n```", ["x = 1"]),
    ("non-breaking spaces", "```repl\nif x:\n\u00a0\u00a0\u00a0\u00a0y = 1\n```", ["if x:\n    y = 1"]),
    ("wide and invisible spaces", "```repl\nx\u3000=\u202f1\u200b\n```", ["x = 1"]),
    ("odd spaces in strings stay", "```repl\nx\u00a0= 'a\u00a0b'\n```", ["x = 'a\u00a0b'"]),
    ("typographic quotes", "```repl\nprint(\u201chello\u201d)\n```", ['print("hello")']),
    ("typographic quotes in strings stay", "```repl\nx = '\u201chello\u201d'\n```", ["x = '\u201chello\u201d'"]),
    ("before an end marker", "```repl\nx = 1\n```<|im_end|>", ["x = 1"]),
    ("a tag of thoughts in code", "```repl\nx = y.split('</think>')\n```", ["x = y.split('</think>')"]),
    ("a pattern of thoughts in code", '```repl\nx = re.sub(r"<think>.*?</think>", "", y)\n```', None),
    ("code in thoughts without an opening tag", "```repl\nx = 0\n```\nNo.\n</think>\n```repl\nx = 1\n```", ["x = 1"]),
    ("an invented turn", "```repl\nx = 1\n```\n<|im_end|>\n<|im_start|>user\n```repl\ny = 2\n```", ["x = 1"]),
    ("old line ends", "```repl\rx = 1\ry = 2\r```\r", ["x = 1\ny = 2"]),
    ("line ends made twice", "```repl\r\r\nx = 1\r\r\n```\r\r\n", ["x = 1"]),
    ("a byte order mark", "\ufeff```repl\nx = 1\n```", ["x = 1"]),
    ("characters without a width", "\u200b```repl\u200b\nx = 1\n```\u200b\nThen.", ["x = 1"]),
    ("tag with attributes", "```{python, echo=FALSE}\nx = 1\n```", ["x = 1"]),
    ("tag with classes", "```{.python .numberLines}\nx = 1\n```", ["x = 1"]),
    ("tag with a file's name", "```python:main.py\nx = 1\n```", ["x = 1"]),
    ("tag with a comma", "```python,ignore\nx = 1\n```", ["x = 1"]),
    ("tag with a prefix", "```language-python\nx = 1\n```", ["x = 1"]),
    ("tag with a version", "```python3.12\nx = 1\n```", ["x = 1"]),
    ("tag in quotes", '```"repl"\nx = 1\n```', ["x = 1"]),
    ("tag in square brackets", "```[repl]\nx = 1\n```", ["x = 1"]),
    ("tag in angles", "```<repl>\nx = 1\n```", ["x = 1"]),
    ("tag with a full stop", "```repl.\nx = 1\n```", ["x = 1"]),
    ("tag with an equals sign", "```repl=\nx = 1\n```", ["x = 1"]),
    ("tag with a number sign", "```repl#2\nx = 1\n```", ["x = 1"]),
    ("tag with a number", "```repl2\nx = 1\n```", ["x = 1"]),
    ("tag with a hyphen and a number", "```repl-12\nx = 1\n```", ["x = 1"]),
    ("tag with another behind a bar", "```repl|python\nx = 1\n```", ["x = 1"]),
    ("tag with a hyphen and a word", "```python-traceback\nx = 1\n```", []),
    ("tag below the fence", "```\nrepl\nx = 1\n```", ["x = 1"]),
    ("tag below the fence, in data", "```\nreplace\nx = 1\n```", []),
    ("tag twice", "```repl\nrepl\nx = 1\n```", ["x = 1"]),
    ("tag twice, in another word", "```repl\npython\nx = 1\n```", ["x = 1"]),
    ("code beside the tag", "```python print(1)\nx = 1\n```", ["print(1)\nx = 1"]),
    ("all of the code beside the tag", "```repl x = 1\n```", ["x = 1"]),
    ("an import beside the tag", "```repl import re\nx = 1\n```", ["import re\nx = 1"]),
    ("words beside the tag", "```python import them first\nx = 1\n```", ["x = 1"]),
    ("in elements, after text", "<invoke><parameter>```repl\nx = 1\n```</parameter></invoke>", ["x = 1"]),
    ("bold around it", "**```repl\nx = 1\n```**", ["x = 1"]),
    ("another language that begins alike", "```python2\nx = 1\n```", []),
    ("closed by two marks", "```repl\nx = 1\n``\nThen we see.", ["x = 1"]),
    ("closed with words behind", "```repl\nx = 1\n``` That is it.\n```repl\ny = 2\n```", ["x = 1", "y = 2"]),
    ("closed with a token behind", "```repl\nx = 1\n```<|foo|> b", ["x = 1"]),
    ("other marks in a string", '```repl\nx = """\n~~~\n``` a\n"""\n```', ['x = """\n~~~\n``` a\n"""']),
    ("other marks beside a fault", "```repl\nx = (\n~~~\n```", ["x = (\n~~~"]),
    ("an interpreter's prompts", "```repl\n>>> if x:\n...     y = 1\n...\n>>> y\n1\n```", ["if x:\n    y = 1\n\ny"]),
    ("prompts in a string", '```repl\nx = """\n>>> 1\n1\n"""\n```', ['x = """\n>>> 1\n1\n"""']),
    ("pycon is another tag", "```pycon\n>>> 1\n```", []),
    ("untagged, then code", "```\nraw\n```\n```repl\nx = 1\n```", ["x = 1"]),
    ("stray fence before code", "```\n\n```repl\nx = 1\n```", ["x = 1"]),
    ("stray fence after code", "```repl\nx = 1\n```\n```\n\n```repl\ny = 2\n```", ["x = 1", "y = 2"]),
    ("code shown inside a longer fence", "````markdown\n```repl\nx = 1\n```\n````", []),
    ("code shown inside tildes", "~~~\n```repl\nx = 1\n```\n~~~", []),
    ("code shown inside markdown", "```markdown\n```repl\nx = 1\n```\n", []),
    ("inline code", "Use `print(x)` and ```repl``` here.", []),
    ("fence and tag on one line with code", "```repl x = 1```", []),
    ("two back-ticks", "``repl\nx = 1\n``", []),
    ("quoted", "> ```repl\n> x = 1\n> ```", []),
    ("after thoughts", "<think>\n```repl\nx = 0\n```\n</think>\n```repl\nx = 1\n```", ["x = 1"]),
    ("thoughts left open", "<think>\n```repl\nx = 1\n```", []),
    # --- fences inside string literals
    (
        "a fence in a string",
        '```repl\nx = """\n```json\n{}\n```\n"""\nprint(x)\n```',
        ['x = """\n```json\n{}\n```\n"""\nprint(x)'],
    ),
    ("a code fence in a string", "```repl\nx = '''\n```python\na\n```\n'''\n```", ["x = '''\n```python\na\n```\n'''"]),
    (
        "many fences in a string",
        '```repl\nx = """' + "\n```\na\n```\n" * 12 + '"""\n```\nThen.',
        ['x = """' + "\n```\na\n```\n" * 12 + '"""'],
    ),
    ("a fence in a string in brackets", '```repl\nf("""\n```\n""", 1)\n```\n', ['f("""\n```\n""", 1)']),
    ("a fence in an f-string", '```repl\nx = f"""\n```\n{1}\n```\n"""\n```', ['x = f"""\n```\n{1}\n```\n"""']),
    (
        "a fence in a docstring",
        'Go:\n```repl\ndef f():\n    """\n    ```\n    """\n```',
        ['def f():\n    """\n    ```\n    """'],
    ),
    (
        "quotes in comments do not open strings",
        '```repl\nx = 1  # """ not a string\n```\nrest',
        ['x = 1  # """ not a string'],
    ),
    ("quotes in strings do not open strings", '```repl\nx = \'"""\'\n```\nrest', ['x = \'"""\'']),
    ("escaped quotes", '```repl\nx = "\\"\\"\\""\n```\nrest', ['x = "\\"\\"\\""']),
    ("a string left open is not made longer", '```repl\nx = """\n```\nSo it is.', ['x = """']),
    ("a string left open, then a block", "```repl\nx = '''\n```\n\n```repl\ny = 2\n```", ["x = '''", "y = 2"]),
    ("code with a fault ends at its fence", "```repl\nx = (\n```\nand\n```repl\ny = 2\n```", ["x = (", "y = 2"]),
    ("FINAL in code is code", "```repl\nFINAL(1)\n```", ["FINAL(1)"]),
]

FINALS = [
    ("inside code", "```repl\nFINAL(1)\n```", []),
    ("inside a string in code", '```repl\nx = """\n```\nFINAL(1)\n"""\n```', []),
    ("between blocks", "```repl\n1\n```\nFINAL(1)\n```repl\n2\n```", [Final("literal", "1")]),
    ("two kinds", "FINAL(1)\nFINAL_VAR(x)", [Final("literal", "1"), Final("variable", "x")]),
    ("nested on a line of its own inside another", "FINAL(a\nFINAL(b)\n)", [Final("literal", "a\nFINAL(b)")]),
    ("unmatched, then matched", "FINAL(a\nFINAL(b)", [Final("unmatched", "FINAL(a"), Final("literal", "b")]),
    ("over a fence that stays open", "FINAL(a\n```repl\nprint(1))\n", []),
]

# --- closed by marks that are not those of the opening fence, where the code up to them compiles
LOOSELY_CLOSED = [
    ("closed by other marks", "~~~repl\nx = 1\n```\nThen.", ["x = 1"]),
    ("closed by tildes", "```repl\nx = 1\n~~~", ["x = 1"]),
    ("closed by fewer marks", "````repl\nx = 1\n```\nThen we see.", ["x = 1"]),
]


@pytest.mark.parametrize(
    ("name", "reply", "codes"), [*BLOCKS, *LOOSELY_CLOSED], ids=[case[0] for case in [*BLOCKS, *LOOSELY_CLOSED]]
)
def test_blocks(name: str, reply: str, codes: list[str] | None) -> None:
    codes = [reply.removeprefix("```repl\n").removesuffix("\n```")] if codes is None else codes
    assert [block.code for block in parse(reply).blocks] == codes


CLOSED = "```repl\nprint(1)\n```\n"
# a reply up to the end of a fence, and a rest by which its block is another one, or none
UNDONE = {
    "the end of thoughts": (CLOSED, "So much for that.\n</think>\nNothing to run.\n", []),
    "another channel": (f"<|channel|>commentary<|message|>\n{CLOSED}", "<|channel|>final<|message|>Nothing.", []),
    "a fence of the tag that was asked for": (
        "```python\nprint(1)\n```\n",
        "Run this:\n```repl\nx = 1\n```\n",
        ["x = 1"],
    ),
    "the end of a string": ("```repl\nx = '''\n```\n", "'''\ny = 1\n```\n", ["x = '''\n```\n'''\ny = 1"]),
}


@pytest.mark.parametrize(("begun", "rest", "codes"), UNDONE.values(), ids=UNDONE.keys())
def test_a_closed_fence_does_not_settle_what_runs(begun: str, rest: str, codes: list[str]) -> None:
    """So no block runs before its reply is whole."""
    assert len(parse(begun).blocks) == 1
    assert [block.code for block in parse(begun + rest).blocks] == codes


FOLLOWED = {name: f"{reply}\n{CLOSED}" for name, reply, _ in BLOCKS}
ENDING_CLOSED = {
    name: reply
    for name, reply in FOLLOWED.items()
    if [block.code for block in parse(reply).blocks][-1:] == ["print(1)"]
}


@pytest.mark.parametrize("reply", ENDING_CLOSED.values(), ids=ENDING_CLOSED.keys())
def test_the_end_of_thoughts_undoes_every_closed_block(reply: str) -> None:
    assert parse(f"{reply}</think>\n").blocks == ()


@pytest.mark.parametrize(("name", "reply", "finals"), FINALS, ids=[case[0] for case in FINALS])
def test_finals(name: str, reply: str, finals: list[Final]) -> None:
    assert list(parse(reply).finals) == finals


def test_a_block_keeps_its_tag_in_lower_case() -> None:
    assert [block.language for block in parse("```PYTHON\n1\n```\n~~~Py\n2\n~~~").blocks] == ["python", "py"]


HOSTILE = {
    "back-ticks": "`",
    "tildes": "~",
    "opening fences": "```repl\n",
    "closing fences": "```\n",
    "fences of both kinds": "```repl\n~~~\n",
    "fences with words": "``` x\n",
    "lone back-ticks": "``\n",
    "open objects": 'FINAL({"a": ',
    "padding": "<|pad|>",
    "strikes": "</s> ",
    "open brackets": "(",
    "closing brackets": ")",
    "open finals": "FINAL(\n",
    "open finals with quotes": 'FINAL("""\n',
    "open finals with escaped quotes": "FINAL('\\'\n",
    "finals": "FINAL(x)\n",
    "strings and fences": '```repl\n"""\n```\n',
    "reopened strings": "```repl\n''''''\n```\n\"\"\"\n",
    "fences after text": "x ```repl\n",
    "fences after text, other fences": "x ```repl\n~~~\n",
    "glued fences": "```repl\nx```\n",
    "glued fences inside": "x = (```\n",
    "quotes": "'\"",
    "backslashes": "\\",
    "bullets": "- ",
    "blanks": " ",
    "numbers": "1",
    "bold": "*",
    "thoughts": "<think>",
    "quoted thoughts": "'<think>' ",
    "ends of thoughts": "x </think> ",
    "end markers": "'<|im_end|>'",
    "harmony frames": "<|channel|>a<|message|>",
    "mentions of end markers": "a <|im_end|> b (<|im_end|>) ",
    "glued ends of thoughts": "a</think>b",
    "beginnings of turns": "<|im_start|>assistant</s>",
    "channels": "<|channel>final\n",
    "other quotes": "FINAL(\u201ca\u201c\n",
    "strings with arguments": 'FINAL("a", b=\n',
    "statements beside tags": "```repl x = 1\n",
    "labels": "FINAL(\na) b\n",
    "lone brackets": "FINAL(\nx)\n)\n",
    "marks before finals": "*#>_FINAL ",
    "line ends": "\n",
    "carriage returns": "\r",
    "nulls": "\0",
    "surrogates": "\ud800",
    "unary operators": "- + ~ not ",
    "brackets of all kinds": "([{",
}


SECONDS = 10
"""A reader whose time grows with the square of the reply needs minutes; ours, a fraction of a second."""


def seconds_to_read(reply: str) -> float:
    started = time.process_time()
    parse(reply)
    return time.process_time() - started


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("before", ["", "```repl\n", "```repl\n'''\n```\n", "x: ```repl\n", "FINAL("])
def test_a_hostile_reply_is_read_in_no_time(name: str, before: str) -> None:
    piece = HOSTILE[name]
    assert seconds_to_read(before + piece * (50_000 // len(piece))) < SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tildes", "open brackets", "strings and fences", "fences after text", "finals"])
def test_a_hostile_megabyte_is_read_too(name: str) -> None:
    piece = HOSTILE[name]
    assert seconds_to_read(piece * (1_000_000 // len(piece))) < 3 * SECONDS
