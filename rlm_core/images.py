"""Images: pictures that model code sends to a sub-model beside a prompt.

In: bytes or paths of PNG, JPEG, WebP or GIF. Out: `Image`s, with the file and the page that they show where that is
known. Kinds are told by the first bytes. Nothing is decoded or scaled here: the host does that, and checks once more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .types import Image, SentImage

MAX_IMAGES = 20
"""Images beside one prompt: vendors take about as many."""
MAX_IMAGE_BYTES = 32 << 20
"""Bytes of one image as model code gives it."""
MAX_IMAGES_BYTES = 256 << 20
"""Bytes of all images of one request: a batch of pages is held in memory twice."""


class PageImage(bytes):
    """The picture of a page: bytes that know their file and page."""

    source: str
    page: int

    def __new__(cls, data: bytes, source: str, page: int) -> PageImage:
        """`data`, the picture of page `page` of the file `source`."""
        made = super().__new__(cls, data)
        made.source, made.page = source, page
        return made

    def __reduce__(self) -> tuple[type[PageImage], tuple[bytes, str, int]]:
        return PageImage, (bytes(self), self.source, self.page)


def image_type(head: bytes) -> str | None:
    """MIME type of an image that begins with `head`; `None` where it is of no kind that models take.

    >>> image_type(b"GIF89a")
    'image/gif'
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def images_of(value: object, where: str) -> tuple[Image, ...]:
    """The images that model code passes as `value`: a list of bytes and paths, or one of them.

    Raises:
        TypeError: one is neither bytes nor a path, or of another kind.
        ValueError: they are too many or too large.
        OSError: a file cannot be read.
    """
    if value is None:
        return ()
    items = [value] if isinstance(value, bytes | bytearray | memoryview | os.PathLike) else value
    if isinstance(items, str) or not isinstance(items, Iterable):
        raise TypeError(f"{where}: images is a list of bytes or Paths, not {type(value).__name__}.")
    listed = list(items)
    if len(listed) > MAX_IMAGES:
        raise ValueError(f"{where}: {len(listed):,} images beside one prompt; {MAX_IMAGES} are allowed. Ask in parts.")
    return tuple(_image(item, f"{where}: image {index}") for index, item in enumerate(listed))


def _image(item: object, where: str) -> Image:
    if isinstance(item, os.PathLike):
        path = Path(item)
        _check_size(path.stat().st_size, where)
        image = Image(path.read_bytes(), path.name)
    elif isinstance(item, bytes | bytearray | memoryview):
        image = Image(bytes(item), getattr(item, "source", ""), getattr(item, "page", None))
    else:
        raise TypeError(f"{where} must be bytes or a Path, not {type(item).__name__}.")
    _check_size(len(image.data), where)
    if image_type(image.data[:16]) is None:
        remedy = " Draw its pages: page_image(file, page)." if image.data.startswith(b"%PDF") else ""
        raise TypeError(f"{where} is no PNG, JPEG, WebP or GIF, which are the kinds that models take.{remedy}")
    return image


def _check_size(size: int, where: str) -> None:
    if size > MAX_IMAGE_BYTES:
        raise ValueError(f"{where} has {size:,} bytes; {MAX_IMAGE_BYTES:,} are allowed. Pass a smaller one.")


def digest(image: Image) -> str:
    """SHA-256 of an image, in hex."""
    return hashlib.sha256(image.data).hexdigest()


def sent(image: Image) -> SentImage:
    """An image that leaves as it is, for the log; its size in pixels is not looked at."""
    sha256, kind = digest(image), image_type(image.data[:16]) or "application/octet-stream"
    return SentImage(image.source, image.page, kind, None, None, len(image.data), sha256, sha256)


def named(prompt: str, images: Sequence[Image]) -> str:
    """`prompt` with the digests of its images: equal names, same question."""
    return "\0".join([prompt, *map(digest, images)])
