"""Engines: the main job in each engine and each way to host it, with channel and containment; an embed's cold start.

`python -m tests.bench.engines [ROUNDS]` starts each engine anew for each figure, the ways in turn, prints medians and
writes them into docs/engines.md. It fails where a level is `weak`, an answer is missing, or the cold start of an embed,
from `import` to the first call of the root model, is above `BUDGET` times that of the served page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

from playwright.sync_api import sync_playwright

from docs.tools.parts import table
from rlm_server.headless.browser import QUIET, find_browser
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.firefox.bidi import firefox_window
from tests.browser.static_site import hosted, make_site
from tests.browser.test_frame import ISOLATED

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "web" / "samples"
PAGE = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- begin table: written by `python -m tests.bench.engines` -->", "<!-- end table -->"
BUDGET = 1.2
JOB = """async ({ module, endpoint, host, question, context }) => {
  const began = performance.now();
  const { RLM } = await import(module);
  let notice = "";
  let first = null;
  const onEvent = (event) => {
    if (event.type === "notice" && event.text.includes("containment: ")) notice = event.text;
    if (event.type === "call_started") first ??= performance.now() - began;
  };
  const rlm = new RLM({ endpoint, host, model: "builtin:extractive", subModel: "builtin:extractive", onEvent });
  try {
    const { answer, stoppedBy } = await rlm.run(question, { context });
    return { notice, first, whole: performance.now() - began, answer, stoppedBy };
  } catch (error) {
    return { error: error.message };
  }
}"""

Evaluate = Callable[[str, str, object], Any]
"""Opens an address in a browser that was never used, and evaluates a function of an argument in it."""


@contextmanager
def chromium() -> Iterator[Evaluate]:
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_browser(), args=arguments)

        def evaluate(url: str, function: str, argument: object) -> Any:
            context = running.new_context()
            page = context.new_page()
            page.goto(url)
            value = page.evaluate(function, argument)
            context.close()
            return value

        yield evaluate
        running.close()


@contextmanager
def firefox() -> Iterator[Evaluate]:
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    assert binary is not None, "Firefox is missing: run `make firefox`"

    def evaluate(url: str, function: str, argument: object) -> Any:
        with tempfile.TemporaryDirectory() as folder, firefox_window(binary, Path(folder)) as page:
            page.goto(url)
            return page.evaluate(function, argument)

    yield evaluate


ENGINES: dict[str, Callable[[], AbstractContextManager[Evaluate]]] = {"Chromium": chromium, "Firefox": firefox}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    sample = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))[0]
    asked = {"question": sample["question"], "context": (SAMPLES / sample["file"]).read_text(encoding="utf-8")}
    rows, faults = [], []
    with ExitStack() as stack:
        folder = make_site(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        site, isolated = (stack.enter_context(hosted(folder, headers)) for headers in ({}, ISOLATED))
        with mock.patch.dict(os.environ, clear=True):
            settings = Settings(_env_file=None, ollama_base_url="", allowed_origins=(site, isolated))  # type: ignore[call-arg]
        url = stack.enter_context(serving(create_app(settings), drain_seconds=0))
        ways = {
            "served page": (url, {"module": "/rlm/rlm.js", "endpoint": "/api/rlm", "host": "auto"}),
            "static embed": (site, {"module": "/rlm/rlm.js", "endpoint": f"{url}/api/rlm", "host": "auto"}),
            "frame, isolated": (isolated, {"module": "/rlm/rlm.js", "endpoint": f"{url}/api/rlm", "host": "frame"}),
        }
        for engine, opened in ENGINES.items():
            with opened() as evaluate:
                taken: dict[str, list[Any]] = {way: [] for way in ways}
                for _ in range(rounds):
                    for way, (address, options) in ways.items():
                        taken[way].append(evaluate(address, JOB, {**options, **asked}))
            rows += [row(engine, way, runs) for way, runs in taken.items()]
            faults += [fault for way, runs in taken.items() for fault in faults_of(f"{engine}, {way}", runs)]
            faults += slow(engine, taken["served page"], taken["static embed"])
    lines = table(["engine", "way", "containment", "channel", "first root call", "main job"], rows)
    load = f"{os.getloadavg()[0]:.0f} on {os.cpu_count()} processors"
    write(
        ["", f"Of {date.today()}, medians of {rounds} first visits, in seconds, at a load of {load}:", "", *lines, ""]
    )
    print("\n".join([*lines, *faults]))
    sys.exit(bool(faults))


def row(engine: str, way: str, runs: list[Any]) -> list[str]:
    """The cells of one engine and way."""
    if "error" in runs[0]:
        return [engine, way, "-", "-", "-", f"not run: {runs[0]['error']}"]
    [name] = {found[1] for run in runs if (found := re.search(r"engine: ([^;\"]+)", run["notice"]))}
    levels = {found[1] for run in runs if (found := re.search(r"containment: (\w+)", run["notice"]))}
    channels = {found[1] for run in runs if (found := re.search(r"channel: ([\w-]+)", run["notice"]))}
    return [
        name,
        way,
        ", ".join(sorted(levels)),
        ", ".join(sorted(channels)),
        seconds(runs, "first"),
        seconds(runs, "whole"),
    ]


def seconds(runs: list[Any], name: str) -> str:
    return f"{statistics.median(run[name] for run in runs) / 1000:.2f}"


def faults_of(name: str, runs: list[Any]) -> list[str]:
    """Sentences about runs that failed, or whose level is too low."""
    failed = [run.get("error") or run["stoppedBy"] for run in runs if run.get("stoppedBy") != "final_answer"]
    weak = [name for run in runs if "containment: weak" in run.get("notice", "")]
    return [*(f"{name}: {why}" for why in failed), *(f"{name}: the level is weak" for name in weak)]


def slow(engine: str, served: list[Any], embed: list[Any]) -> list[str]:
    """A sentence where an embed's cold start is above the budget; printed in any case."""
    if any("error" in run for run in (*served, *embed)):
        return []
    ratio = statistics.median(run["first"] for run in embed) / statistics.median(run["first"] for run in served)
    print(f"{engine}: cold start of an embed / of the served page: {ratio:.2f} (at most {BUDGET})")
    return [f"{engine}: the embed's cold start is {ratio:.2f} times the served page's"] if ratio > BUDGET else []


def write(lines: list[str]) -> None:
    """Put the table into the page, between its marks."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
