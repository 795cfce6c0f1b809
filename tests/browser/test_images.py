"""Images, the whole way: a scanned PDF, read by models of two dialects that look at the pixels which arrive."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.browser.lab import code
from tests.server.conftest import settings_for
from tests.server.fake_upstream import (
    Seen,
    Turn,
    anthropic_deltas,
    anthropic_reply,
    events_turn,
    fake_upstream,
    json_turn,
    openai_deltas,
    openai_reply,
)

DIGITS = (7, 3, 1)
"""One on each page of the scan, as the height of a bar."""
USEFUL_SIDE = 1568
OPENAI, ANTHROPIC, BLIND = "openai:gpt-5-mini", "anthropic:claude-sonnet-4-5", "openai:gpt-3.5-turbo"
LOOK = "pages = [page_image(context, number) for number in (1, 2, 3)]"
ASK = 'llm_batch([("Which digit?", [page]) for page in pages])'
DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
"""A PNG of one pixel."""
LARGE = "import io\nlarge = page_image(context, 1, max_side=2400)"
SCRIPTS = {
    "all": [code(LOOK), code(f"FINAL(''.join({ASK}))")],
    "child": [code("FINAL(rlm_query('Q-inner: read page 2', context))")],
    "inner": [code("FINAL(llm_query('Which digit?', images=page_image(context, 2)))")],
    "large": [code(f"{LARGE}\nFINAL(llm_query('Which digit?', images=[large]))")],
    "denied": [code("try:\n    llm_batch([('See', [DOT]), ('Look', [DOT])])\nexcept SubCallError as error:\n"
                    "    FINAL(error.errors[0])".replace("DOT", repr(DOT)))],
    "broken": [code("try:\n    llm_query('See', images=[b'\\x89PNG\\r\\n\\x1a\\n' + b'x' * 40])\n"
                    "except SubCallError as error:\n    FINAL(str(error))")],
}  # fmt: skip


def scan() -> bytes:
    """Pages without text: a black bar at the left, 60 points high for each unit of the page's digit."""
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    drawn = canvas.Canvas(out, pagesize=(600, 800))
    for digit in DIGITS:
        drawn.rect(20, 0, 100, 60 * digit, fill=1)
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def rows_of(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, bytes of a pixel, and the lines of a PNG whose lines have no filter: those that `page_image` writes."""
    width, height, _, colours = struct.unpack(">IIBB", png[16:26])
    at, packed = 8, b""
    while at < len(png):
        size, name = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        at += 12 + size
    depth = {0: 1, 2: 3, 6: 4}[colours]
    data, size = zlib.decompress(packed), width * depth
    lines = [data[row * (size + 1) : (row + 1) * (size + 1)] for row in range(height)]
    assert all(line[0] == 0 for line in lines), "lines with a filter"
    return width, depth, [line[1:] for line in lines]


def digit_in(png: bytes) -> int:
    """The digit of a page, by its bar."""
    width, depth, lines = rows_of(png)
    column = width * 70 // 600 * depth
    dark = sum(line[column] < 128 for line in lines)
    return round(dark / len(lines) * 800 / 60)


class Vendor:
    """Both dialects: a root model by its script, and a sub-model that looks.

    Attributes:
        images: each image that arrived: its dialect and its bytes.
        first: the first message and the system prompt of each root conversation, by its script.
    """

    def __init__(self) -> None:
        self.images: list[tuple[str, str, bytes]] = []
        self.first: dict[str, str] = {}
        self.sub_calls = 0
        self.lock = threading.Lock()

    def answer(self, seen: Seen) -> Turn:
        if seen.method == "GET":
            return json_turn({"data": [{"id": "m"}]})
        dialect = "anthropic" if seen.path.startswith("/v1/messages") else "openai"
        body: Any = seen.json()
        name = re.search(r"Q-([a-z]+)", json.dumps(body["messages"]))
        if name is None:
            text = self._looked(dialect, body["messages"][-1]["content"])
        else:
            said = [turn for turn in body["messages"] if turn["role"] == "assistant"]
            self.first.setdefault(name[1], json.dumps(body))
            inner = "inner" if "Q-inner: read page 2" in str(body["messages"][:2]) else name[1]
            text = SCRIPTS[inner][min(len(said), len(SCRIPTS[inner]) - 1)]
        if dialect == "openai":
            return events_turn(*openai_deltas(text)) if body.get("stream") else json_turn(openai_reply(text))
        return events_turn(*anthropic_deltas(text)) if body.get("stream") else json_turn(anthropic_reply(text))

    def _looked(self, dialect: str, content: Any) -> str:
        with self.lock:
            self.sub_calls += 1
        assert isinstance(content, list), "a sub-call without an image"
        *parts, text = content
        assert text["type"] == "text"
        for part in parts:
            kind, data = _openai(part) if dialect == "openai" else _anthropic(part)
            with self.lock:
                self.images.append((dialect, kind, base64.b64decode(data, validate=True)))
        kind, raw = self.images[-1][1:]
        is_scaled = struct.unpack(">I", raw[20:24])[0] == USEFUL_SIDE
        return "?" if kind != "image/png" or is_scaled else str(digit_in(raw))


def _openai(part: Any) -> tuple[str, str]:
    assert set(part) == {"type", "image_url"}
    assert part["type"] == "image_url"
    kind, _, data = part["image_url"]["url"].removeprefix("data:").partition(";base64,")
    return kind, data


def _anthropic(part: Any) -> tuple[str, str]:
    assert part["type"] == "image"
    assert part["source"]["type"] == "base64"
    return part["source"]["media_type"], part["source"]["data"]


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture(scope="module")
def seeing(browser: Browser, vendor: Vendor) -> Iterator[Page]:
    """A page of a server with models of both dialects that take images, and one that takes none."""
    with fake_upstream() as upstream:
        upstream.answer = vendor.answer
        models = ",".join((OPENAI, ANTHROPIC, BLIND))
        with serving(create_app(settings_for(upstream, models=models)), drain_seconds=0) as url:
            page = browser.new_page()
            page.goto(url)
            expect(page.locator("#model")).to_be_visible()
            yield page
            page.close()


RUNS = """async ([scan, jobs]) => {
  const { RLM } = await import("/rlm/rlm.js");
  const file = new File([new Uint8Array(scan)], "scan.pdf", { type: "application/pdf" });
  const outcomes = [];
  for (const { question, options, log, deny, context = file } of jobs) {
    const asked = [];
    const onEgress = (request) => {
      if (request.images.length > 0) asked.push(request.images.map(({ base64, ...image }) => ({ ...image, base64 })));
      return deny && request.images.length > 0 ? { deny } : "allow";
    };
    const rlm = new RLM({ ...options, ...(deny === undefined ? {} : { onEgress }) });
    const from = Object.entries(log ?? {}).map(([name, value]) => {
      const text = (at) => outcomes[at].trajectory;
      if (name === "fork") return [name, { log: text(value), iteration: 2 }];
      const digest = /"sha256":"[0-9a-f]{4}([0-9a-f]+","sent)/g;
      if (name === "tampered") return ["replay", text(value).replaceAll(digest, '"sha256":"0000$1')];
      return [name, text(value)];
    });
    try {
      const result = await rlm.run(question, { context, ...Object.fromEntries(from) });
      outcomes.push({ ...result, trajectory: result.trajectory(), asked });
    } catch (error) {
      outcomes.push({ fault: `${error.name}: ${error.message}`, asked });
    }
  }
  return outcomes;
}"""


def outcomes(page: Page, *jobs: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(RUNS, [list(scan()), jobs])
    return found


def events(outcome: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in outcome["trajectory"].splitlines()]
    return [line for line in lines if line["type"] == kind]


def images_in(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    return [image for call in events(outcome, "call_started") for image in call["images"]]


def test_a_scan_is_read_by_models_that_look_and_replayed_by_digest(seeing: Page, vendor: Vendor) -> None:
    vendor.images.clear()
    whole = {"question": "Q-all: which digits are on the pages?", "options": {"model": OPENAI}}
    runs = outcomes(
        seeing,
        whole,
        {**whole, "log": {"replay": 0}},
        {**whole, "log": {"tampered": 0}},
        {**whole, "log": {"fork": 0}},
        {"question": "Q-child: which digit?", "options": {"model": ANTHROPIC, "maxDepth": 2}},
    )
    openai, replayed, tampered, forked, child = runs
    answers = [one.get("answer") for one in (openai, replayed, forked, child)]
    assert answers == ["731", "731", "731", "3"], runs
    assert "other images" in tampered["fault"]
    assert "ReplayError" in tampered["fault"]
    # what arrived: three images of one dialect, three for the fork, one of the child run by the other
    assert [dialect for dialect, _, _ in vendor.images] == [*["openai"] * 6, "anthropic"]
    arrived = {hashlib.sha256(raw).hexdigest(): len(raw) for _, _, raw in vendor.images}
    logged = images_in(openai)
    assert [image["page"] for image in logged] == [1, 2, 3]
    for image in logged:
        assert (image["source"], image["type"], image["data"]) == ("scan.pdf", "image/png", None)
        assert (image["width"], image["height"]) == (1125, 1500)
        assert arrived[image["sha256"]] == image["bytes"]
        assert image["sent_sha256"] == image["sha256"]
    assert openai["egress"]["images"] == 3
    assert openai["egress"]["imageBytes"] == sum(image["bytes"] for image in logged)
    weighed = [event for event in events(openai, "egress") if event["image_bytes"]]
    assert sorted(event["image_bytes"] for event in weighed) == sorted(image["bytes"] for image in logged)
    # what the model was told
    assert "3 pages without text: look at them with page_image" in vendor.first["all"]
    assert "images=[...]" in vendor.first["all"]


def test_images_are_asked_about_limited_scaled_and_kept(seeing: Page, vendor: Vendor) -> None:
    vendor.images.clear()
    bare = {"context": "a text"}
    denied, limited, blind, broken, large = outcomes(
        seeing,
        {**bare, "question": "Q-denied: which?", "options": {"model": OPENAI}, "deny": "no pictures"},
        {**bare, "question": "Q-denied: which?", "options": {"model": OPENAI, "maxContextChars": 7}},
        {**bare, "question": "Q-denied: which?", "options": {"model": BLIND}},
        {**bare, "question": "Q-broken: see", "options": {"model": OPENAI}},
        {"question": "Q-large: which?", "options": {"model": OPENAI, "keepImages": True}},
    )
    assert "denied before it left: no pictures" in denied["answer"]
    (asked,) = denied["asked"]
    assert [(image["prompt"], image["source"], image["page"]) for image in asked] == [(0, "", None), (1, "", None)]
    assert (asked[0]["width"], asked[0]["bytes"], asked[0]["type"]) == (1, len(DOT), "image/png")
    assert hashlib.sha256(base64.b64decode(asked[0]["base64"])).hexdigest() == asked[0]["sha256"]
    assert "context limit reached" in limited["answer"]
    assert "for images" in limited["answer"]
    assert f"the model {BLIND} takes no images. Nothing was sent." in blind["answer"]
    assert "is no whole PNG" in broken["answer"]
    (image,) = images_in(large)
    ((_, kind, raw),) = vendor.images  # of all five runs one image left
    assert (image["width"], image["height"], kind) == (1176, 1568, "image/png")
    assert image["sent_sha256"] == hashlib.sha256(raw).hexdigest() != image["sha256"]
    assert base64.b64decode(image["data"]) == raw


def test_the_page_shows_each_image_before_it_leaves_and_in_the_ledger(seeing: Page, vendor: Vendor) -> None:
    vendor.images.clear()
    seeing.evaluate(
        """async ([scan, model]) => {
          const { ask } = await import("/page/app.js");
          const context = new File([new Uint8Array(scan)], "scan.pdf");
          for (const name of ["asks-first", "keep-images"]) document.querySelector(`#${name}`).click();
          globalThis.asked = ask({question: "Q-inner: read page 2", context, options: {model}});
        }""",
        [list(scan()), OPENAI],
    )
    seeing.click("#confirm-send", timeout=60_000)
    picture = seeing.locator("#confirm figure img")
    expect(picture).to_have_attribute("alt", "Prompt 1: scan.pdf, page 2", timeout=60_000)
    assert picture.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [1125, 1500]
    expect(seeing.locator("#confirm figcaption")).to_contain_text("1,125 x 1,500 px")
    assert vendor.images == []
    seeing.click("#confirm-send")
    expect(seeing.locator("#answer")).to_contain_text("3", timeout=60_000)
    seeing.click(".egress-head")
    row = seeing.locator(".egress-calls .call").nth(1)
    expect(row).to_contain_text("and 1 image")
    row.locator("button").click()
    digest = hashlib.sha256(vendor.images[0][2]).hexdigest()
    expect(row.locator(".egress-images")).to_contain_text("scan.pdf, page 2: 1,125 x 1,500 px")
    expect(row.locator(".egress-images")).to_contain_text(digest)
    log = seeing.evaluate("async () => (await asked).trajectory()")
    (image,) = images_in({"trajectory": log})
    assert base64.b64decode(image["data"]) == vendor.images[0][2]
