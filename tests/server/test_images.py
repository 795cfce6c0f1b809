"""Images of a request: checked by their first bytes, sent in each vendor's form, refused for models that take none."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from rlm_core.types import Message
from rlm_server.assets import Assets
from rlm_server.calls.in_flight import IdempotencyKey
from rlm_server.http.app import create_app
from rlm_server.http.image_fields import images_of
from rlm_server.http.problems import Problem
from rlm_server.http.serving import serving
from rlm_server.providers.images import MAX_IMAGE_CHARS, SentImage
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, anthropic_deltas, events_turn, json_turn, openai_deltas

PNG = b"\x89PNG\r\n\x1a\npixels"
JPEG = b"\xff\xd8\xffpixels"
DELTAS: dict[str, Callable[..., list[object]]] = {"openai": openai_deltas, "anthropic": anthropic_deltas}


def image(data: bytes = PNG, kind: str = "image/png") -> dict[str, str]:
    return {"type": kind, "data": base64.b64encode(data).decode()}


def openai_part(data: bytes, kind: str) -> dict[str, Any]:
    return {
        "type": "image_url",
        "image_url": {"url": f"data:{kind};base64,{base64.b64encode(data).decode()}"},
    }


def anthropic_part(data: bytes, kind: str) -> dict[str, Any]:
    source = {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}
    return {"type": "image", "source": source}


PARTS: dict[str, Callable[[bytes, str], dict[str, Any]]] = {"openai": openai_part, "anthropic": anthropic_part}


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_each_vendor_gets_the_bytes_in_its_own_form(
    client: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    upstream.answer = lambda seen: events_turn(*DELTAS[provider]("a cat"))
    asked = {"prompt": "What is it?", "images": [image(), image(JPEG, "image/jpeg")], "model": f"{provider}:m"}
    response = client.post("/api/rlm", json=asked)
    assert response.json()["text"] == "a cat", response.text
    part = PARTS[provider]
    assert upstream.seen[-1].json()["messages"][-1] == {
        "role": "user",
        "content": [part(PNG, "image/png"), part(JPEG, "image/jpeg"), {"type": "text", "text": "What is it?"}],
    }


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_images_stand_beside_the_last_message_of_a_conversation(
    client: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    upstream.answer = lambda seen: events_turn(*DELTAS[provider]("a cat"))
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "One."}]
    messages = [*turns, {"role": "user", "content": "What is it?"}]
    client.post("/api/rlm", json={"messages": messages, "images": [image()], "model": f"{provider}:m"})
    *_, last = upstream.seen[-1].json()["messages"]
    assert last["content"] == [PARTS[provider](PNG, "image/png"), {"type": "text", "text": "One.\n\nWhat is it?"}]


def test_each_prompt_of_a_batch_has_its_own(client: httpx2.Client, upstream: FakeUpstream) -> None:
    def seen_images(seen: Seen) -> Turn:
        content = seen.json()["messages"][-1]["content"]
        return events_turn(*openai_deltas(f"{len(content) - 1 if isinstance(content, list) else 0} seen"))

    upstream.answer = seen_images
    batch = {"type": "batch", "prompts": ["a", "b", "b"], "images": [[], [image()], [image(), image()]]}
    assert client.post("/api/rlm", json={**batch, "model": "openai:m"}).json()["results"] == [
        "0 seen",
        "1 seen",
        "2 seen",
    ]


@pytest.mark.parametrize(
    ("images", "detail"),
    [
        ("x", "`images` must be a list of images."),
        ([image()] * 21, "`images` holds 21 images; 20 are allowed beside one prompt."),
        (["x"], '`images[0]` must be {"type": "image/png", "data": "<base64>"}.'),
        ([{**image(), "url": "https://a.example"}], "`images[0]` must be"),
        ([{"type": "image/png", "data": 5}], "must be strings"),
        ([{"type": "image/png", "data": "not base64!"}], "`images[0].data` is not base64."),
        ([image(b"<svg/>", "image/svg+xml")], "`images[0]` is no PNG, JPEG, WebP or GIF"),
        ([image(JPEG, "image/png")], "which are those of image/jpeg"),
    ],
)
def test_what_is_no_image_is_refused_by_its_place(
    client: httpx2.Client, upstream: FakeUpstream, images: object, detail: str
) -> None:
    response = client.post("/api/rlm", json={"prompt": "What is it?", "images": images, "model": "openai:m"})
    assert (response.status_code, upstream.seen) == (400, [])
    assert detail in response.json()["detail"]


def test_an_image_beyond_the_bound_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(Problem, match="5,000,004 characters; 5,000,000 are allowed"):
        images_of([{"type": "image/png", "data": "!" * (MAX_IMAGE_CHARS + 4)}], "images")


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "batch", "prompts": ["a", "b"], "images": [[]]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "images": [image()]},
    ],
)
def test_images_without_their_prompt_are_refused(client: httpx2.Client, asked: dict[str, Any]) -> None:
    assert client.post("/api/rlm", json={**asked, "model": "openai:m"}).status_code == 400


@pytest.mark.parametrize("model", ["builtin:extractive", "openai:gpt-3.5-turbo"])
def test_a_model_that_takes_none_is_refused_by_name(upstream: FakeUpstream, assets: Assets, model: str) -> None:
    upstream.answer = lambda seen: json_turn({"data": [{"id": "m"}]})
    settings = settings_for(upstream, models="openai:gpt-3.5-turbo,openai:m,openai:gpt-5-mini")
    with (
        serving(create_app(settings, assets=assets), drain_seconds=0) as url,
        httpx2.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=10) as client,
    ):
        response = client.post("/api/rlm", json={"prompt": "What is it?", "images": [image()], "model": model})
        assert response.json()["type"].endswith("model-without-images")
        listed = {entry["id"]: entry["images"] for entry in client.get("/api/models").json()["models"]}
    assert f"The model {model} takes no images, and nothing was sent." in response.json()["detail"]
    assert [seen for seen in upstream.seen if seen.method == "POST"] == []
    assert listed == {
        "builtin:extractive": False,
        "openai:gpt-3.5-turbo": False,
        "openai:gpt-5-mini": True,
        "openai:m": None,
    }


def test_a_model_that_is_not_known_is_tried_and_its_providers_refusal_passed_on(
    client: httpx2.Client, upstream: FakeUpstream
) -> None:
    fault = {"error": {"message": "this model does not support image input", "type": "invalid_request_error"}}
    upstream.answer = lambda seen: json_turn(fault, status=400)
    response = client.post("/api/rlm", json={"prompt": "What is it?", "images": [image()], "model": "openai:m"})
    assert response.json()["type"].endswith("upstream-call-refused")


def test_an_image_makes_another_call_under_the_same_key() -> None:
    key, messages = IdempotencyKey("run", "0/1"), (Message("user", "What is it?"),)
    one, other = (SentImage("image/png", "", sha256) for sha256 in ("a", "b"))
    digests = {key.digest("m", messages, 0, images=images) for images in ((), (one,), (other,), (one, other))}
    assert len(digests) == 4
