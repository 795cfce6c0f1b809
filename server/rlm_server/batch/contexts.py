"""Contexts of a batch: the field `context` of a line, as a context of a run, with its fingerprint.

In: text, a path, several paths, a pattern, or one of these by name (`{"text": ...}`). Out: the value for a run, and a
hash of its content, by which a line is known again. Paths are those of the folder that the questions lie in. Text that
looks like a path which is not there is refused, since it would be paid for and answered as text.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rlm_core import ConfigError

from ..headless.context_upload import read_folder

MOST_PATH_CHARS = 1_024
PATTERN = re.compile(r"[*?\[]")
ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
PATH_FORM = re.compile(r"[^\s]*[\\/][^\s]*|[^\s]+\.[A-Za-z][A-Za-z0-9]{0,7}")
"""Text without white space that has a slash, or ends as a file does."""
NAMED = ("text", "path", "paths", "glob", "json")


@dataclass(frozen=True, slots=True)
class Context:
    """A context, and the hash of its content.

    Attributes:
        value: for `BrowserRLM.run`; `None` for none.
    """

    value: object
    fingerprint: str


NONE = Context(None, "")


class Contexts:
    """Reads contexts; a file that many lines name is hashed once.

    Args:
        folder: that relative paths begin in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[Path, str] = {}

    def read(self, field: object) -> Context:
        """The context that a line gives as `field`.

        Raises:
            ConfigError: a path is not there, or it is no context.
        """
        if field is None or field == "":
            return NONE
        if isinstance(field, str):
            return self._of_string(field)
        if isinstance(field, bytes):
            return Context(field, _digest(b"bytes" + field))
        if isinstance(field, list) and field and all(isinstance(item, str) for item in field):
            return self.of_paths([self._existing(item) for item in field])
        if isinstance(field, dict) and len(field) == 1 and next(iter(field)) in NAMED:
            ((kind, value),) = field.items()
            return self._named(kind, value)
        raise ConfigError(
            f"context must be text, a path, a list of paths, a pattern or {{{_listed(NAMED)}: ...}}, not "
            f"{_shown(field)}."
        )

    def of_paths(self, paths: list[Path]) -> Context:
        """The files at `paths`, and those in folders among them."""
        names = []
        for path in paths:
            files = read_folder(path).files if path.is_dir() else ((path.name, path),)
            names += [[name, self._hash(file)] for name, file in files]
        return Context(tuple(paths), _digest(json.dumps(names).encode()))

    def _named(self, kind: str, value: object) -> Context:
        readers: dict[str, Callable[[str], Context]] = {
            "text": _of_text,
            "path": lambda text: self.of_paths([self._existing(text)]),
            "glob": lambda text: self.of_paths(self._matching(text)),
        }
        if kind == "json":
            return Context(value, _digest(b"json" + json.dumps(value).encode()))
        if kind == "paths":
            if not (isinstance(value, list) and value and all(isinstance(item, str) for item in value)):
                raise ConfigError(f'context {{"paths": ...}} must hold a list of paths, not {_shown(value)}.')
            return self.of_paths([self._existing(item) for item in value])
        if not isinstance(value, str):
            raise ConfigError(f'context {{"{kind}": ...}} must hold text, not {_shown(value)}.')
        return readers[kind](value)

    def _of_string(self, text: str) -> Context:
        if len(text) > MOST_PATH_CHARS or "\n" in text or "\0" in text:
            return _of_text(text)
        if self._exists(text):
            return self.of_paths([self._folder / text])
        if ADDRESS.fullmatch(text):
            raise ConfigError(
                f"context {text!r} is an address, and nothing is fetched. Name the path of what is there, or write "
                '{"text": ...} where it is the text itself.'
            )
        is_path = PATH_FORM.fullmatch(text) is not None and "://" not in text
        if is_path and PATTERN.search(text):
            return self.of_paths(self._matching(text))
        if is_path:
            raise ConfigError(
                f"context {text!r} looks like a path, and nothing is at it. Mend the path, or write "
                '{"text": ...} where it is the text itself.'
            )
        return _of_text(text)

    def _existing(self, text: str) -> Path:
        if not self._exists(text):
            raise ConfigError(f"context: nothing is at the path {text!r} (seen from {self._folder}). Mend the path.")
        return self._folder / text

    def _exists(self, text: str) -> bool:
        try:
            return (self._folder / text).exists()
        except (OSError, ValueError):
            return False

    def _matching(self, pattern: str) -> list[Path]:
        found = sorted(glob.glob(pattern, root_dir=self._folder, recursive=True))
        if "**" in pattern:  # a folder stands for all its files, which match as well
            found = [name for name in found if not (self._folder / name).is_dir()]
        if not found:
            raise ConfigError(f"context: no file matches the pattern {pattern!r} (seen from {self._folder}). Mend it.")
        return [self._folder / name for name in found]

    def _hash(self, path: Path) -> str:
        known = self._hashes.get(path)
        if known is None:
            try:
                with path.open("rb") as file:
                    known = self._hashes[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as fault:
                raise ConfigError(f"context: {path} cannot be read: {fault.strerror}.") from None
        return known


def _of_text(text: str) -> Context:
    return Context(text, _digest(b"text" + text.encode("utf-8", "surrogatepass")))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _listed(names: tuple[str, ...]) -> str:
    return " | ".join(f'"{name}"' for name in names)


def _shown(value: object) -> str:
    return f"{json.dumps(value)[:60]}"
