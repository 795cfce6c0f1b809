"""images: what model code may pass as an image, and how it goes with a call."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from rlm_core import prompts
from rlm_core.cassette import Cassette
from rlm_core.errors import ReplayError
from rlm_core.images import MAX_IMAGES, PageImage, digest, image_type, images_of
from rlm_core.limits import Budget, Limits
from rlm_core.provider import FunctionProvider
from rlm_core.repl import Repl
from rlm_core.run import run
from rlm_core.subcalls import SubCalls
from rlm_core.testing import ScriptedProvider
from rlm_core.trajectory import Recorder, recorded_calls
from rlm_core.types import Image, Message, ModelCall, Reply

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff" + b"pixels"
KINDS = [(PNG, "image/png"), (JPEG, "image/jpeg"), (b"GIF89a....", "image/gif"), (b"RIFF....WEBPVP8 ", "image/webp")]


@pytest.mark.parametrize(("data", "kind"), [*KINDS, (b"RIFF....WAVEfmt ", None), (b"<svg/>", None), (b"", None)])
def test_a_kind_is_told_by_the_first_bytes(data: bytes, kind: str | None) -> None:
    assert image_type(data) == kind


def test_bytes_and_paths_are_taken_alone_or_in_a_list(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(JPEG)
    page = PageImage(PNG, "scan.pdf", 3)
    expected = (Image(PNG), Image(JPEG, "photo.jpg"), Image(PNG, "scan.pdf", 3))
    assert images_of([bytearray(PNG), tmp_path / "photo.jpg", page], "llm_query") == expected
    assert images_of(page, "llm_query") == (Image(PNG, "scan.pdf", 3),)
    assert images_of(None, "llm_query") == images_of((), "llm_query") == ()


def test_the_picture_of_a_page_is_bytes_that_know_their_page() -> None:
    page = pickle.loads(pickle.dumps(PageImage(PNG, "scan.pdf", 3)))
    assert (page, page.source, page.page) == (PNG, "scan.pdf", 3)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("photo.jpg", "images is a list of bytes or Paths, not str"),
        (5, "images is a list of bytes or Paths, not int"),
        (["photo.jpg"], "image 0 must be bytes or a Path, not str"),
        ([PNG, b"<svg/>"], "image 1 is no PNG, JPEG, WebP or GIF, which are the kinds that models take."),
        ([b"%PDF-1.4"], "Draw its pages: page_image(file, page)."),
        ([PNG] * (MAX_IMAGES + 1), f"{MAX_IMAGES + 1} images beside one prompt; {MAX_IMAGES} are allowed"),
        ([PNG + bytes(32 << 20)], "bytes; 33,554,432 are allowed"),
        ([Path("none.png")], "none.png"),
    ],
)
def test_what_is_no_image_says_what_to_do(value: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError, OSError)) as raised:
        images_of(value, "llm_query")
    assert error in str(raised.value)


class Looking:
    """Replies with the number of images, or with its replies in turn; keeps the calls."""

    def __init__(self, *replies: str) -> None:
        self.calls: list[ModelCall] = []
        self.replies = list(replies)

    def complete(self, calls: Any) -> list[Reply]:
        self.calls += calls
        return [Reply(self.replies.pop(0) if self.replies else f"{len(call.images)} seen") for call in calls]


def repl_over(provider: Looking) -> tuple[Repl, SubCalls]:
    repl = Repl("data")
    calls = SubCalls(provider, model=None, budget=Budget(Limits()), check_running=repl.check_running)
    repl.reserve(calls.functions())
    repl.execute(f"PNG, JPEG = {PNG!r}, {JPEG!r}")
    return repl, calls


def test_images_go_with_their_own_prompt() -> None:
    provider = Looking()
    seen = repl_over(provider)[0].execute(
        "print(llm_query('a', images=[PNG, JPEG]), llm_batch(['b', ('c', [JPEG]), ('d', PNG)]))"
    )
    assert (seen.stdout, seen.error) == ("2 seen ['0 seen', '1 seen', '1 seen']\n", None)
    assert [[image.data for image in call.images] for call in provider.calls] == [[PNG, JPEG], [], [JPEG], [PNG]]


def test_a_value_that_does_not_fit_is_asked_for_once_more_with_the_image() -> None:
    provider = Looking("seven", "7")
    seen = repl_over(provider)[0].execute("print(llm_query('which?', images=[PNG], schema={'type': 'integer'}) + 1)")
    assert (seen.stdout, seen.error) == ("8\n", None)
    assert [call.images for call in provider.calls] == [(Image(PNG),)] * 2


def test_an_item_is_another_with_another_image() -> None:
    repl, calls = repl_over(Looking("", "", "read"))
    assert repl.execute("llm_batch([('which?', PNG), ('which?', JPEG)])").error
    assert calls.last_batch.missing == 2
    repl.execute("llm_query('which?', images=[PNG])")
    assert calls.last_batch.missing == 1


def test_the_prompt_offers_images_only_where_they_are_taken() -> None:
    assert "images=" not in prompts.system_prompt(reads=True)
    assert "images=[...]" in prompts.system_prompt(reads=True, images=True)
    assert "page_image(file, 3)" not in prompts.system_prompt(images=True)


def test_a_function_as_provider_refuses_images_rather_than_dropping_them() -> None:
    provider = FunctionProvider(lambda messages, model: "blind")
    (outcome,) = provider.complete([ModelCall((Message("user", "hi"),), images=(Image(PNG),))])
    assert "this call has images" in str(outcome)


def test_a_log_holds_digests_and_a_cassette_compares_them() -> None:
    block = "```repl\nFINAL(llm_query('which?', images=[bytes.fromhex(context)]))\n```"
    lines: list[str] = []
    provider = ScriptedProvider([block], sub=lambda prompt: "seven")
    assert run("Which?", context=PNG.hex(), provider=provider, emit=Recorder(lines.append)).answer == "seven"
    started = [json.loads(line) for line in lines if '"kind": "sub"' in line]
    assert [image["sha256"] for image in started[0]["images"]] == [digest(Image(PNG))]
    assert started[0]["images"][0] | {"width": None, "data": None} == started[0]["images"][0]
    cassette = Cassette(lines)
    assert [one.images for one in recorded_calls(cassette_events(lines))] == [(), (digest(Image(PNG)),)]
    assert run(cassette.question, context=PNG.hex(), provider=cassette).answer == "seven"
    other = Cassette([line.replace(digest(Image(PNG)), "0" * 64) for line in lines])
    with pytest.raises(ReplayError, match="its images differ: recorded 1, asked 1, compared by their SHA-256"):
        run(other.question, context=PNG.hex(), provider=other)


def cassette_events(lines: list[str]) -> Any:
    from rlm_core.trajectory import read

    return read(lines).events
