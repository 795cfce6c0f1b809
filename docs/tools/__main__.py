"""`python -m docs.tools`: write every generated part of the pages anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from . import events, flags, options, problems, settings
from .parts import with_part

DOCS = Path(__file__).parents[1]
PARTS: dict[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("options.md", "options"): options.lines,
    ("settings.md", "settings"): settings.lines,
    ("http-api.md", "problems"): problems.lines,
    ("command.md", "flags"): flags.lines,
    ("logs.md", "events"): events.lines,
}
"""Page and name of a part -> the lines in it."""


def fresh(page: str, name: str) -> str:
    """The text of `page` with its part `name` as it should be."""
    return with_part((DOCS / page).read_text(encoding="utf-8"), name, PARTS[page, name]())


def main() -> None:
    for page, name in PARTS:
        text = fresh(page, name)
        if text != (DOCS / page).read_text(encoding="utf-8"):
            (DOCS / page).write_text(text, encoding="utf-8")
            print(f"docs/{page}: {name} written anew")


if __name__ == "__main__":
    main()
