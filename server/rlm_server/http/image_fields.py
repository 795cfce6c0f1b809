"""Image fields: the images of a request, checked by their first bytes.

    {"prompt": "...", "images": [{"type": "image/png", "data": "<base64>"}]}
    {"type": "batch", "prompts": ["...", "..."], "images": [[...], []]}

In: the value of `images`. Out: `SentImage`s, or a `Problem` that names the one that is wrong; nothing is decoded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from rlm_core.images import image_type

from ..providers.images import MAX_IMAGE_CHARS, MAX_IMAGES, Images, SentImage
from .problems import Problem


def images_of(value: object, field: str) -> Images:
    """The images beside one prompt.

    Raises:
        Problem: one is malformed, too large or of no kind that models take, or they are too many.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _invalid(f"`{field}` must be a list of images.")
    if len(value) > MAX_IMAGES:
        raise _invalid(f"`{field}` holds {len(value):,} images; {MAX_IMAGES} are allowed beside one prompt.")
    return tuple(_image(item, f"{field}[{index}]") for index, item in enumerate(value))


def images_of_batch(value: object, prompts: int) -> tuple[Images, ...]:
    """The images beside each prompt of a batch."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) != prompts:
        raise _invalid(f"`images` of a batch must be a list with a list of images for each of its {prompts:,} prompts.")
    return tuple(images_of(item, f"images[{index}]") for index, item in enumerate(value))


def _image(value: object, field: str) -> SentImage:
    if not isinstance(value, dict) or set(value) != {"type", "data"}:
        raise _invalid(f'`{field}` must be {{"type": "image/png", "data": "<base64>"}}.')
    kind, data = value["type"], value["data"]
    if not isinstance(kind, str) or not isinstance(data, str):
        raise _invalid(f"`{field}.type` and `{field}.data` must be strings.")
    if len(data) > MAX_IMAGE_CHARS:
        raise _invalid(f"`{field}.data` has {len(data):,} characters; {MAX_IMAGE_CHARS:,} are allowed. Scale it down.")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(f"`{field}.data` is not base64.") from None
    known = image_type(raw[:16])
    if known is None:
        raise _invalid(f"`{field}` is no PNG, JPEG, WebP or GIF, which are the kinds that models take.")
    if kind != known:
        raise _invalid(f"`{field}.type` says another kind than its first bytes, which are those of {known}.")
    return SentImage(known, data, hashlib.sha256(raw).hexdigest())


def _invalid(detail: str) -> Problem:
    return Problem("invalid-request", detail)
