"""Picture: a screenshot of a finished run of the sample, for the README.

In: the page over the real server, and the built-in stand-in model. Out: `docs/finished-run.png`, the browser's own
picture in 256 colours, so that the file stays small. `make picture` runs it.
"""

from __future__ import annotations

import base64
import os
import re
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from rlm_server.assets import find_assets
from rlm_server.headless.browser import QUIET, find_browser
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import load_settings

PICTURE = Path(__file__).parents[1] / "finished-run.png"
WIDTH, HEIGHT = 1000, 820
QUESTION = "What is the new combination of the plate vault?"
ENDED_MS = 120_000
PIXELS = """
async (png) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const drawing = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  drawing.drawImage(bitmap, 0, 0);
  const { data } = drawing.getImageData(0, 0, bitmap.width, bitmap.height);
  let text = "";
  for (let at = 0; at < data.length; at += 30_000) text += String.fromCharCode(...data.subarray(at, at + 30_000));
  return btoa(text);
}
"""


def finished_run(page: Page, url: str) -> bytes:
    """Run the sample on the page at `url` twice, so that the second starts warm, and return its screenshot as PNG."""
    for _ in range(2):
        page.goto(url)
        page.set_input_files("#context-files", [find_assets().web / "samples" / "observatory.txt"])
        page.fill("#question", QUESTION)
        page.click("#run")
        expect(page.locator("#status")).to_have_class(re.compile("finished"), timeout=ENDED_MS)
        page.wait_for_timeout(1_000)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.evaluate("for (const part of document.querySelectorAll('*')) part.scrollTop = 0")
    return page.screenshot()


def indexed_png(pixels: bytes, width: int, height: int) -> bytes:
    """A PNG of RGBA `pixels` with the 256 most frequent colours; each other one becomes the nearest of them."""
    colours = [pixels[at : at + 3] for at in range(0, len(pixels), 4)]
    counts = Counter(colours)
    palette = [colour for colour, _ in counts.most_common(256)]
    index = {colour: nearest(colour, palette) for colour in counts}
    row = [
        bytes([0, *(index[colour] for colour in colours[at : at + width])]) for at in range(0, width * height, width)
    ]
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    data = zlib.compress(b"".join(row), 9)
    parts = [(b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def nearest(colour: bytes, palette: Sequence[bytes]) -> int:
    """Position in `palette` of the colour nearest to `colour`."""
    return min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at], strict=True)))


def main() -> None:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    settings = load_settings(host="127.0.0.1", port=0, models=("builtin:extractive",), ollama_base_url="")
    with serving(create_app(settings)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*QUIET, *sandbox])
        png = finished_run(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), url)
        blank = browser.new_page()
        pixels = base64.b64decode(blank.evaluate(PIXELS, base64.b64encode(png).decode()))
        PICTURE.write_bytes(indexed_png(pixels, WIDTH, HEIGHT))
        browser.close()
    print(f"{PICTURE.name}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
