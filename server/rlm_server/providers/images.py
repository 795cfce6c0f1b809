"""Images: pictures beside a prompt, and which models take any.

In: a model's name, and the entry of its provider's list. Out: whether it takes images, `None` where that is not known;
such a model is tried, and its provider's refusal is passed on. The parts of a vendor's message are made here too:

    openai      {"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}}
    anthropic   {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "..."}}
    ollama      "images": ["..."] beside the content
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_IMAGES = 20
"""Images of one prompt."""
MAX_IMAGE_CHARS = 5_000_000
"""Characters of the largest image as base64: the most that vendors take."""
IMAGE_TOKENS = 1_600
"""Estimated tokens of an image."""

_TAKES = re.compile(
    r"^(?:gpt-4o|gpt-4\.1|gpt-4-turbo|gpt-5|chatgpt-4o|o1$|o1-20|o1-pro|o3$|o3-20|o3-pro|o4-|claude-[3-9]|claude-opus"
    r"|claude-sonnet|claude-haiku|gemini-(?:[2-9]|1\.5|flash|pro))"
)
_TAKES_NONE = re.compile(
    r"^(?:gpt-3\.5|gpt-4$|gpt-4-(?:0314|0613|32k)|gpt-oss|o1-mini|o1-preview|o3-mini|davinci|babbage|claude-2"
    r"|claude-instant|extractive$)"
)


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image as a client sends it: `type` is its MIME type, `data` the bytes as base64, `sha256` theirs in hex."""

    type: str
    data: str
    sha256: str


Images = tuple[SentImage, ...]


def takes_images(name: str) -> bool | None:
    """Whether the model `name` takes images, as far as its name tells.

    >>> [takes_images(name) for name in ("gpt-5-mini", "openai/gpt-3.5-turbo", "llama-4")]
    [True, False, None]
    """
    own = name.rpartition("/")[2]
    if _TAKES_NONE.search(own):
        return False
    return True if _TAKES.search(own) else None


def reported(entry: Mapping[str, object]) -> bool | None:
    """Whether a model takes images by the entry of its provider's list: its modalities, or its capabilities.

    >>> reported({"architecture": {"input_modalities": ["text", "image"]}}), reported({"capabilities": ["completion"]})
    (True, False)
    """
    architecture = entry.get("architecture")
    modalities = architecture.get("input_modalities") if isinstance(architecture, Mapping) else None
    if isinstance(modalities, list) and modalities:
        return "image" in modalities
    capabilities = entry.get("capabilities")
    if isinstance(capabilities, list) and capabilities:
        return "vision" in capabilities
    return None


def openai_content(text: str, images: Images) -> str | list[dict[str, object]]:
    """The content of a message in OpenAI's form."""
    if not images:
        return text
    parts: list[dict[str, object]] = [
        {"type": "image_url", "image_url": {"url": f"data:{image.type};base64,{image.data}"}} for image in images
    ]
    return [*parts, {"type": "text", "text": text}]


def anthropic_content(text: str, images: Images) -> str | list[dict[str, object]]:
    """The content of a message in Anthropic's form."""
    if not images:
        return text
    parts: list[dict[str, object]] = [
        {"type": "image", "source": {"type": "base64", "media_type": image.type, "data": image.data}}
        for image in images
    ]
    return [*parts, {"type": "text", "text": text}]


def ollama_fields(images: Images) -> dict[str, Sequence[str]]:
    """The fields of a message in Ollama's form, beside its content."""
    return {"images": [image.data for image in images]} if images else {}
