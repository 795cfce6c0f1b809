"""Map items: one question about many items, as one call of model code.

In: the items (a list, a dict, the tables of a file, a text, a file), the question, a schema. Out: a list with one
result for each item, in their order. Several items may share a prompt: their reply is a list then, and where it does
not fit each of them is asked about alone. Calls, limits and errors are those of `subcalls.py`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .images import image_type, images_of
from .reply_values import Wanted
from .subcalls import Asked, Outcome, SubCalls, checked_model, checked_prompt
from .types import Json

STEP = 5_000
"""Prompts of one request; the host takes twice as many."""
IMAGE_STEP = 50
"""Prompts of one request that each have an image."""
GROUP = """\
Answer for each of the {count} items below on its own: "values" is the list of the {count} answers, in their order.\
"""
_OTHER_REFERENCE = re.compile(r'"\$ref": "(?!#/\$defs/|#/definitions/)')


@dataclass(frozen=True, slots=True)
class MapItems:
    """The function `map_items` of one run.

    Args:
        subcalls: of the run.
        read: gives the text of a file; `None` where nothing does.
        piece_chars: characters of a piece of text, unless the model chooses.
    """

    subcalls: SubCalls
    read: Callable[..., object] | None
    piece_chars: int

    def functions(self) -> Mapping[str, Callable[..., object]]:
        """Name in the REPL -> function."""

        def map_items(
            items: object,
            question: str,
            schema: object = None,
            pieces_of: int | None = None,
            model: str | None = None,
        ) -> list[Json]:
            """Ask a sub-model `question` about each of `items`, in parallel; results in their order, with `schema` as
            values that fit it. Items are those of a list or a dict, the rows of `tables(file)`, the pieces of a text or
            file, of `pieces_of` characters each, or a list of images, as bytes or Paths, each of which is shown; of
            others `pieces_of` is how many share a prompt. Raises SubCallError as llm_batch does, after failed ones were
            asked about again."""
            text = checked_prompt(question, "map_items(items, question): the question")
            wanted = None if schema is None else Wanted(schema)
            if pieces_of is not None and (type(pieces_of) is not int or pieces_of < 1):
                raise ValueError(f"pieces_of must be a whole number from 1, not {pieces_of!r}.")
            if isinstance(items, list | tuple) and items and all(map(_is_image, items)):
                if pieces_of is not None:
                    raise ValueError("pieces_of has no use with images: each has a prompt of its own.")
                asked = [Asked(text, images_of([item], "map_items")) for item in items]
                return self._asked_alone(asked, wanted, checked_model(model))
            if isinstance(items, str | os.PathLike):
                pieces = list(split(self._text(items), pieces_of or self.piece_chars))
                return self._mapped(pieces, text, wanted, 1, checked_model(model))
            return self._mapped(self._texts(items), text, wanted, pieces_of or 1, checked_model(model))

        return {"map_items": map_items}

    def _mapped(
        self, texts: list[str], question: str, wanted: Wanted | None, size: int, model: str | None
    ) -> list[Json]:
        """The result of each text; `size` of them share a prompt."""
        alone = [f"{question}\n\n{text}" for text in texts]
        outcomes = (
            self._in_groups(texts, question, wanted, size, model) if size > 1 else self._ask(alone, wanted, model)
        )
        again = [index for index, outcome in enumerate(outcomes) if outcome.failed and (size > 1 or outcome.may_pass)]
        again = again[: self.subcalls.left(len(again))]
        for index, outcome in zip(again, self._ask([alone[index] for index in again], wanted, model), strict=True):
            outcomes[index] = outcome
        return self.subcalls.batch(alone, outcomes, noun="item")

    def _asked_alone(self, asked: Sequence[Asked], wanted: Wanted | None, model: str | None) -> list[Json]:
        """The result of each image."""
        outcomes = self._ask(asked, wanted, model, IMAGE_STEP)
        again = [index for index, outcome in enumerate(outcomes) if outcome.failed and outcome.may_pass]
        again = again[: self.subcalls.left(len(again))]
        repeated = self._ask([asked[index] for index in again], wanted, model, IMAGE_STEP)
        for index, outcome in zip(again, repeated, strict=True):
            outcomes[index] = outcome
        return self.subcalls.batch([one.name for one in asked], outcomes, noun="item")

    def _in_groups(
        self, texts: list[str], question: str, wanted: Wanted | None, size: int, model: str | None
    ) -> list[Outcome]:
        """The outcomes by item; of a group whose reply does not fit, each has failed."""
        starts = range(0, len(texts), size)
        by_count: dict[int, list[int]] = {}
        for start in starts:
            by_count.setdefault(len(texts[start : start + size]), []).append(start)
        found: dict[int, list[Outcome]] = {}
        for count, group in by_count.items():
            prompts = [_group_prompt(question, texts[start : start + count]) for start in group]
            outcomes = self._ask(prompts, _listed(wanted, count), model)
            found.update(zip(group, [_apart(outcome, count) for outcome in outcomes], strict=True))
        return [outcome for start in starts for outcome in found[start]]

    def _ask(
        self, prompts: Sequence[str | Asked], wanted: Wanted | None, model: str | None, size: int = STEP
    ) -> list[Outcome]:
        steps = (prompts[start : start + size] for start in range(0, len(prompts), size))
        return [outcome for step in steps for outcome in self.subcalls.ask(list(step), wanted, model)]

    def _texts(self, items: object) -> list[str]:
        """The text of each item."""
        if isinstance(items, Mapping):
            if items and all(_is_table(rows) for rows in items.values()):
                return [text for name, rows in items.items() for text in _rows(name if len(items) > 1 else "", rows)]
            return [f"{name}:\n{self._text(value)}" for name, value in items.items()]
        if isinstance(items, bytes) or not isinstance(items, Iterable):
            kind = type(items).__name__
            raise TypeError(f"map_items(items, question) takes a list, a dict, a text or a Path, not {kind}.")
        return [self._text(item) for item in items]

    def _text(self, item: object) -> str:
        if isinstance(item, str):
            return str.__str__(item)
        if isinstance(item, os.PathLike):
            if self.read is None:
                raise TypeError("map_items(items, question): files cannot be read here; pass their text.")
            return str(self.read(item))
        try:
            return json.dumps(item, ensure_ascii=False, default=str)
        except (TypeError, ValueError, RecursionError):
            return repr(item)


def split(text: str, size: int) -> Iterator[str]:
    """`text` in pieces of at most `size` characters, at the ends of lines where there are any; blank ones are left out.

    >>> list(split("one\\ntwo\\nthree and four", 9))
    ['one\\ntwo\\n', 'three and', ' four']
    """
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            line_end = text.rfind("\n", start + size // 2, end) + 1
            end = line_end or end
        if not (piece := text[start:end]).isspace():
            yield piece
        start = end


def _is_image(item: object) -> bool:
    if isinstance(item, bytes | bytearray):
        return image_type(bytes(item[:16])) is not None
    if not isinstance(item, os.PathLike):
        return False
    try:
        with open(item, "rb") as file:
            return image_type(file.read(16)) is not None
    except OSError:
        return False


def _is_table(rows: object) -> bool:
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, list) for row in rows)


def _rows(name: object, rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Each row below the header, by its columns."""
    header, *below = rows
    columns = [str(column) for column in header]
    for row in below:
        is_named = len(set(columns)) == len(columns) == len(row)
        cells = dict(zip(columns, row, strict=True)) if is_named else {"columns": columns, "row": list(row)}
        text = json.dumps(cells, ensure_ascii=False, default=str)
        yield f"{name}: {text}" if name else text


def _group_prompt(question: str, texts: Sequence[str]) -> str:
    items = "\n\n".join(f"Item {number}:\n{text}" for number, text in enumerate(texts, start=1))
    return f"{question}\n\n{GROUP.format(count=len(texts))}\n\n{items}"


def _listed(wanted: Wanted | None, count: int) -> Wanted:
    """The value of a group: as many values as it has items."""
    inner = {"type": "string"} if wanted is None else json.loads(wanted.text)
    if wanted is not None and _OTHER_REFERENCE.search(wanted.text):
        raise ValueError("with pieces_of, a $ref of the schema must lead into its $defs. Leave pieces_of out.")
    shared = {name: inner.pop(name) for name in ("$defs", "definitions") if name in inner}
    values = {"type": "array", "items": inner, "minItems": count, "maxItems": count}
    closed = {"type": "object", "properties": {"values": values}, "required": ["values"], "additionalProperties": False}
    return Wanted({**closed, **shared})


def _apart(outcome: Outcome, count: int) -> list[Outcome]:
    """A group's outcome by item."""
    if outcome.failed or not isinstance(outcome.value, dict):
        return [outcome] * count
    values = outcome.value["values"]
    assert isinstance(values, list)
    return [Outcome(value) for value in values]
