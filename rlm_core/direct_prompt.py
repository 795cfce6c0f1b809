"""Direct prompt: the whole context in one prompt: its texts, documents and pictures, each under its name.

In: the context, and the functions that read documents and draw pages. Out: text and pictures, or a `ProviderError`
where they do not fit into the model's window. Pages of a PDF that have no text are drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from . import documents, prompts
from .errors import ProviderError
from .images import MAX_IMAGES, image_type
from .job import Job
from .limits import BYTES_PER_TOKEN, IMAGE_TOKENS
from .output import cut
from .types import Image

EARLIER_CHARS = 4_000
"""Characters of an earlier question of the session that the prompt shows, and of its answer."""

_EMPTY_PAGE = re.compile(r"^\[page (\d+)\]\n*(?=\[page \d+\]|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """A text of the context, or a picture, under its name."""

    name: str
    text: str = ""
    images: tuple[Image, ...] = ()


def direct_prompt(
    job: Job, context: object, name: str, earlier: Sequence[tuple[str, str]]
) -> tuple[str, tuple[Image, ...]]:
    """The prompt of a direct call over `context`, called `name`, without the schema, and the pictures beside it.

    Raises:
        ProviderError: it does not fit into the window, or nothing of the context can be read.
    """
    _check_size(_bytes_of(context), 0, job)
    parts = list(_parts(context, name, job.functions))
    images = tuple(image for part in parts for image in part.images)
    if len(images) > MAX_IMAGES:
        most = f"{MAX_IMAGES} are the most beside one prompt"
        raise _refused(f"{len(images):,} pictures or more, pages of scans among them, and {most}")
    prompt = _prompt(job.question, parts, earlier, is_value=job.shape is not None)
    _check_size(len(prompt.encode("utf-8", "replace")), len(images), job)
    return prompt, images


def _prompt(question: str, parts: Sequence[Part], earlier: Sequence[tuple[str, str]], *, is_value: bool) -> str:
    lines = [prompts.DIRECT if is_value else f"{prompts.DIRECT} {prompts.DIRECT_EVIDENCE}"]
    for part in parts:
        if part.text:
            lines.append(f'Document "{part.name}":\n<document>\n{part.text}\n</document>')
        if part.images:
            pages = [str(image.page) for image in part.images if image.page is not None]
            shown = f"pages {', '.join(pages)} of " if pages else ""
            lines.append(f"Beside this prompt: {shown}{part.name}, as a picture.")
    for asked, answered in earlier:
        lines.append(
            f"An earlier question was: {cut(asked, EARLIER_CHARS)}\nIts answer: {cut(answered, EARLIER_CHARS)}"
        )
    return "\n\n".join([*lines, f"Question: {question}"])


def _parts(context: object, name: str, functions: Mapping[str, Callable[..., Any]]) -> Iterator[Part]:
    """The parts of a context: its texts, documents and pictures; any other value as JSON.

    Raises:
        ProviderError: nothing of it can be read.
    """
    values = _named(context, name)
    failed: list[str] = []
    count = 0
    for key, value in values:
        count += 1
        try:
            yield _part(key, value, functions)
        except ProviderError as fault:
            failed.append(str(fault))
            yield Part(key, f"(It cannot be read: {fault})")
    if failed and len(failed) == count:
        raise ProviderError(f"Nothing of the context can be read: {failed[0]}", type="context-unreadable")


def _named(context: object, name: str) -> Iterable[tuple[str, object]]:
    kinds = str | bytes | bytearray | PurePath
    if isinstance(context, Mapping) and all(isinstance(value, kinds) for value in context.values()):
        return [(f"[{key}]" if isinstance(key, int) else str(key), value) for key, value in context.items()]
    if isinstance(context, list | tuple) and all(isinstance(value, kinds) for value in context):
        return [(f"[{index}]", value) for index, value in enumerate(context)]
    return [(name, context)]


def _part(name: str, value: object, functions: Mapping[str, Callable[..., Any]]) -> Part:
    if isinstance(value, str):
        return Part(name, value)
    if not isinstance(value, bytes | bytearray | PurePath):
        return Part(name, _as_json(value))
    head = _head(value)
    if image_type(head) is not None:
        return Part(name, images=(Image(_content(value), name),))
    if documents.is_text(head):
        return Part(name, _content(value).decode("utf-8", "replace"))
    file = bytes(value) if isinstance(value, bytearray) else value
    draw = functions.get("page_image") if head.startswith(b"%PDF") else None
    return _document(name, file, functions.get("read"), draw)


def _document(name: str, file: object, read: Callable[..., Any] | None, draw: Callable[..., Any] | None) -> Part:
    """A document as `read` gives it; pages of a PDF that have no text, as pictures."""
    if read is None:
        raise ProviderError(f"{name} is no text, and nothing here reads it.")
    try:
        text = str(read(file))
    except Exception as fault:  # noqa: BLE001 - a reader meets files of any kind of damage
        pages = _drawn(file, range(1, MAX_IMAGES + 2), draw)
        if not pages:
            raise ProviderError(str(fault)) from None
        return Part(name, images=tuple(pages))
    numbers = [int(match[1]) for match in _EMPTY_PAGE.finditer(text)] if draw is not None else []
    return Part(name, text, tuple(_drawn(file, numbers, draw)))


def _drawn(file: object, numbers: Iterable[int], draw: Callable[..., Any] | None) -> list[Image]:
    """These pages as pictures, up to the first that there is not."""
    pages = []
    for number in numbers if draw is not None else ():
        try:
            data = draw(file, number)  # type: ignore[misc]  # the loop is empty where there is none
        except Exception:  # noqa: BLE001 - the end of the document, or a document that cannot be drawn either
            break
        pages.append(Image(bytes(data), str(getattr(data, "source", "")), number))
        if len(pages) > MAX_IMAGES:
            break
    return pages


def _head(value: bytes | bytearray | PurePath) -> bytes:
    if not isinstance(value, PurePath):
        return bytes(value[:4_096])
    try:
        with open(value, "rb") as file:
            return file.read(4_096)
    except OSError as fault:
        raise ProviderError(f"{value.name}: {fault.strerror or fault}") from None


def _content(value: bytes | bytearray | PurePath) -> bytes:
    if not isinstance(value, PurePath):
        return bytes(value)
    with open(value, "rb") as file:
        return file.read()


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def _bytes_of(context: object) -> int:
    """Bytes of the texts of a context; documents and pictures count when they are read."""
    total = 0
    for _, value in _named(context, ""):
        if isinstance(value, str):
            total += len(value)
        elif isinstance(value, PurePath) and (head := _head_or_none(value)) and documents.is_text(head):
            with open(value, "rb") as file:
                total += file.seek(0, 2)
    return total


def _head_or_none(path: PurePath) -> bytes:
    try:
        return _head(path)
    except ProviderError:
        return b""


def _check_size(size: int, images: int, job: Job) -> None:
    window = job.limits.window_tokens
    wanted = tokens_of(size, images)
    if wanted > window:
        pictures = f", and {images} pictures" if images else ""
        raise _refused(
            f"about {wanted:,} tokens ({size:,} bytes of text at {BYTES_PER_TOKEN} a token{pictures}), and the window "
            f"has {window:,}"
        )


def tokens_of(size: int, images: int = 0) -> int:
    """Estimated tokens of `size` bytes of text and so many pictures.

    >>> tokens_of(4_000), tokens_of(0, images=2)
    (1000, 3200)
    """
    return -(-size // BYTES_PER_TOKEN) + images * IMAGE_TOKENS


def _refused(why: str) -> ProviderError:
    message = (
        f"The context does not fit into one direct call: {why}. Nothing was sent. Run it without `direct`, choose a "
        "model with a larger window, or set `window_tokens` where the model's is larger."
    )
    return ProviderError(message, type="request-too-large")
