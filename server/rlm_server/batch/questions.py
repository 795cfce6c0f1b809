"""Questions of a batch: the lines of a file, checked before anything is paid.

    {"id": "7", "question": "...", "context": "reports/7.pdf", "schema": {...}, "options": {"max_iterations": 5}}

In: JSON lines of this form or of OpenAI's batch files, a CSV file with these columns, or one question over many files.
Out: lines, each with its key; and all that is wrong, each fault with its file and line. A key is the hash of question,
context, options and schema, so that a line is known again wherever it stands, and is another where one of them differs.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlm_core import ConfigError
from rlm_core.limits import LIMITS, Limits

from ..headless.arguments import RunArguments, chosen, parsed
from ..headless.context_upload import read_folder
from ..headless.names import snake
from ..headless.outcomes import Row
from ..headless.value_shape import shape_of
from .contexts import Context, Contexts
from .csv_lines import csv_lines
from .openai_lines import is_openai, openai_line

FIELDS = ("id", "question", "context", "schema", "options")
NOT_OPTIONS = frozenset({"context", "schema", "resume", "replay", "fork", "idempotency_key"})
TABLES = (".csv", ".tsv")
"""Endings of files that are tables."""
MOST_FAULTS = 20
"""Faults that are listed; the others are counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One question.

    Attributes:
        where: file and line, for people.
        id: as given, or the number of the line.
        key: hash of all that its answer depends on.
        options: of its run alone; the defaults of the batch are beside them.
        form: of its row in the answers, `"own"` or `"openai"`.
    """

    where: str
    id: str
    key: str
    question: str
    context: Context = field(repr=False)
    schema: Any = field(repr=False)
    options: Mapping[str, Any]
    form: str = "own"

    def row(self) -> Row:
        """The row of the pool."""
        row: dict[str, Any] = {**self.options, "question": self.question, "idempotency_key": self.key}
        if self.context.value is not None:
            row["context"] = self.context.value
        if self.schema is not None:
            row["schema"] = self.schema
        return row  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Raw:
    """The fields of a line as they stand in its file."""

    where: str
    number: int
    fields: Mapping[str, Any]
    form: str = "own"


class Questions:
    """Reads the lines of a batch, any number of times.

    Args:
        raw: gives the lines anew at each call.
        folder: that relative paths begin in.
        defaults: options of each line, which its own replace.
        schema: of each line that has none.
    """

    def __init__(
        self, raw: Iterable[Raw | str], *, folder: Path, defaults: Mapping[str, Any], schema: Any = None
    ) -> None:
        self._raw = raw
        self._contexts = Contexts(folder)
        self._defaults = defaults
        self._schema = schema

    def checked(self) -> list[tuple[str, str, str]]:
        """Id, key and form of each line.

        Raises:
            ConfigError: lines are wrong; the message has a line for each.
        """
        faults: list[str] = []
        lines: list[tuple[str, str, str]] = []
        seen: dict[str, str] = {}
        for line in self._read(faults):
            lines.append((line.id, line.key, line.form))
            if line.id in seen:
                faults.append(
                    f"{line.where}: the id {line.id!r} is that of {seen[line.id]} too. Give each line its own."
                )
            seen.setdefault(line.id, line.where)
        if faults:
            more = len(faults) - MOST_FAULTS
            rest = [f"and {more:,} more"] if more > 0 else []
            raise ConfigError("\n".join(["nothing was asked.", *faults[:MOST_FAULTS], *rest]))
        if not lines:
            raise ConfigError("there is no question: the file is empty. Nothing was asked.")
        return lines

    def missing(self, keys: Iterable[str]) -> Iterator[Line]:
        """The lines with one of `keys`, read anew; a line that changed meanwhile is left out."""
        wanted, faults = set(keys), list[str]()
        return (line for line in self._read(faults) if line.key in wanted)

    def line(self, raw: Raw) -> Line:
        """One line by itself: another of equal content has the same key.

        Raises:
            ConfigError: it is wrong.
        """
        return self._line(raw, Counter())

    def _read(self, faults: list[str]) -> Iterator[Line]:
        equal: Counter[str] = Counter()
        for raw in self._raw:
            if isinstance(raw, str):
                faults.append(raw)
                continue
            try:
                line = self._line(raw, equal)
            except ConfigError as fault:
                faults.append(f"{raw.where}: {fault}")
            else:
                yield line

    def _line(self, raw: Raw, equal: Counter[str]) -> Line:
        fields = raw.fields
        unknown = [name for name in fields if name not in FIELDS]
        if unknown:
            raise ConfigError(f"unknown field {unknown[0]!r}. Known are {', '.join(FIELDS)}.")
        question = fields.get("question")
        if not isinstance(question, str) or not question.strip():
            raise ConfigError('there is no question: write {"question": "..."}.')
        given = raw.number if fields.get("id") in (None, "") else fields["id"]
        if isinstance(given, bool) or not isinstance(given, str | int):
            raise ConfigError(f"id must be text or a whole number, not {json.dumps(given)[:60]}.")
        schema = self._schema if fields.get("schema") is None else fields["schema"]
        shape_of(schema)
        options = self._options(fields.get("options"))
        context = self._contexts.read(fields.get("context"))
        content = json.dumps([question, context.fingerprint, schema, options], sort_keys=True, default=_name_of)
        equal[content] += 1
        key = hashlib.sha256(f"{content}{equal[content] - 1 or ''}".encode("utf-8", "surrogatepass")).hexdigest()
        return Line(raw.where, str(given), key, question, context, schema, options, raw.form)

    def _options(self, own: object) -> dict[str, Any]:
        if own is None or own == "":
            own = {}
        if not isinstance(own, Mapping):
            raise ConfigError(f"options must be an object, not {json.dumps(own)[:60]}.")
        options = chosen(self._defaults, own)
        for name in own:
            if name in NOT_OPTIONS:
                raise ConfigError(
                    f"{name} is no option of a line." if name not in FIELDS else f"{name} is a field of its own."
                )
        parsed(options, RunArguments)
        given = {snake(name): value for name, value in own.items() if value is not None}
        Limits(**{limit.name: given[limit.name] for limit in LIMITS if limit.name in given})
        return options


def _name_of(value: object) -> str:
    """A value that is not JSON, such as a tool, by a name that is the same in each process."""
    return (
        f"{value.__module__}.{value.__qualname__}" if callable(value) and hasattr(value, "__qualname__") else str(value)
    )


class RawLines:
    """The lines of a file, or one question over many files; a fault of a line is text in its place."""

    def __init__(self, path: Path | None = None, *, question: str = "", files: Sequence[Path] = ()) -> None:
        self._path = path
        self._question = question
        self._files = files

    def __iter__(self) -> Iterator[Raw | str]:
        if self._path is None:
            return self._over_files()
        return self._csv(self._path) if self._path.suffix.lower() in TABLES else self._json_lines(self._path)

    def _over_files(self) -> Iterator[Raw]:
        number = 0
        for path in self._files:
            files = read_folder(path).files if path.is_dir() else ((str(path), path),)
            for name, file in files:
                number += 1
                context = {"path": str(file.resolve())}
                yield Raw(name, number, {"id": name, "question": self._question, "context": context})

    def _json_lines(self, path: Path) -> Iterator[Raw | str]:
        with path.open("rb") as file:
            for number, data in enumerate(file, 1):
                where = f"{path.name}:{number}"
                if not data.strip():
                    continue
                try:
                    fields = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
                except UnicodeDecodeError as fault:
                    yield f"{where}: it is not UTF-8 ({fault}). Save the file as UTF-8."
                    continue
                except (ValueError, RecursionError) as fault:
                    yield f"{where}: it is not JSON ({fault}). Write one object a line."
                    continue
                if not isinstance(fields, dict):
                    yield f"{where}: it must be a JSON object, not {json.dumps(fields)[:60]}."
                    continue
                try:
                    is_theirs = is_openai(fields)
                    own = openai_line(fields) if is_theirs else fields
                except ConfigError as fault:
                    yield f"{where}: {fault}"
                    continue
                yield Raw(where, number, own, "openai" if is_theirs else "own")

    def _csv(self, path: Path) -> Iterator[Raw | str]:
        for line in csv_lines(path, FIELDS):
            if isinstance(line, tuple):
                yield f"{path.name}:{line[0]}: {line[1]}"
            else:
                yield Raw(f"{path.name}:{line.line}", line.number, line.fields)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        ValueError: a name stands twice, and one of its values would be lost.
    """
    whole = dict(pairs)
    if len(whole) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"the name {names.most_common(1)[0][0]!r:.60} stands twice in one object")
    return whole
