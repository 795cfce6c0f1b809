"""Comments: how often a folder's comments and docstrings say "what" instead of the field's noun.

In: the sources of the project. Out: a line for each folder, with its words and its rate in a thousand; the exit status
is 1 where a rate is above `MOST`. Strings of the program, such as messages to the user, are no comments.

    python tests/comments.py            every folder
    python tests/comments.py worker/run each place in one folder
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST = 3.0
"""Times in 1,000 words."""
GENERATED = {"protocol.js"}
WORD = re.compile(r"[A-Za-z']+")
SCRIPT = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`
    | (?<=[(=,:!&|?]) \s* /(?![*/]) (?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+ /
    """,
    re.VERBOSE | re.DOTALL,
)
PYTHON = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
    | "{3} (?:\\.|[^\\])*? "{3} | '{3} (?:\\.|[^\\])*? '{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    """,
    re.VERBOSE | re.DOTALL,
)
"""Read by a pattern, since the standard library's tokenizer takes half of the script's time."""


def folders() -> list[Path]:
    """The folders that are counted, each with all below it, and `worker` with its own files alone."""
    rooms = sorted(path for path in (ROOT / "worker").iterdir() if path.is_dir() and path.name != "__pycache__")
    return [ROOT / "rlm_core", ROOT / "worker", *rooms, ROOT / "server", ROOT / "web", ROOT / "tests"]


def sources(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder == ROOT / "worker" else folder.rglob("*")
    return sorted(
        path for path in found if path.suffix in {".py", ".js", ".ts"} and path.is_file() and path.name not in GENERATED
    )


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each comment and docstring."""
    text = path.read_text(encoding="utf-8")
    return python_comments(text) if path.suffix == ".py" else script_comments(text)


def script_comments(text: str) -> Iterator[tuple[int, str]]:
    """
    >>> list(script_comments('a("// no"); // yes'))
    [(1, '// yes')]
    """
    yield from matched(SCRIPT, text)


def python_comments(text: str) -> Iterator[tuple[int, str]]:
    """
    >>> list(python_comments('a = "# no"  # yes'))
    [(1, '# yes')]
    """
    yield from matched(PYTHON, text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def matched(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    for match in pattern.finditer(text):
        if match["comment"]:
            yield text.count("\n", 0, match.start()) + 1, match["comment"]


def main(names: list[str]) -> int:
    failed = False
    for folder in [ROOT / name for name in names] or folders():
        words = whats = 0
        for path in sources(folder):
            for line, text in comments(path):
                found = WORD.findall(text)
                said = sum(word.lower() == "what" for word in found)
                words, whats = words + len(found), whats + said
                if said and names:
                    print(f"{path.relative_to(ROOT)}:{line}: {' '.join(text.split())[:160]}")
        rate = 1_000 * whats / max(words, 1)
        failed |= rate > MOST
        above = f"  above {MOST:g}" if rate > MOST else ""
        print(f'{folder.relative_to(ROOT)!s:16} {words:6} words, "what" {rate:4.1f} in 1,000{above}')
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
