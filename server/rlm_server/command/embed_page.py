"""Embed page: the whole page as static files, for a site without a server of ours, such as GitHub Pages.

In: a folder. Out: `index.html`, `page/` and `rlm/` in it, at any path of the site; no header is needed. Models are
asked by the page itself (worker/providers), or by a server elsewhere.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path

from rlm_core import ConfigError

from ..assets import Assets, find_assets
from .embed import MANIFEST, copied, embed

MARK = '<meta name="pyodide-rlm" content="static">'
"""Says to the page that there is no server beside it; see web/address.js."""
LOCAL = ("http://localhost:*", "http://127.0.0.1:*")
NOT_STARTED = (
    "The page has not started yet. If this stays, its scripts were not found: the folders page and rlm belong beside "
    "this file, and all three on a web server, since a browser runs no such page from a disk (file:)."
)
NOT_STARTED_FORM = re.compile(r'(<p class="not-started">).*?(</p>)', re.DOTALL)
META_FORM = re.compile(r'<meta charset="utf-8">\n')
ISOLATE = "isolate.js"
"""The service worker for hosts that send no headers; it lies beside the page, for it serves the folders below it."""
FILES = ("style/*.css", "notebook/prelude.py", "favicon.svg", "samples/*.json", "samples/*.txt")


def embed_page(site: Path, packages: Path, *, isolated: bool = False) -> int:
    """Copy the page with its samples, and all that `embed` copies, into `site`; return the bytes written.

    Args:
        isolated: whether the page brings its own isolation, by a service worker, for shared memory.

    Raises:
        ConfigError: `site` holds something else, or the assets are not built.
    """
    built = find_assets()
    if site.exists() and any(site.iterdir()) and not (site / "page" / "app.js").is_file():
        raise ConfigError(f"{site} holds other files. Name an empty or a new folder, such as {site / 'ask'}.")
    written = embed(site / "rlm", packages)
    written += copied(built.assets / "page" / "app.js", site / "page" / "app.js")
    for source in _files(built):
        written += copied(source, site / "page" / source.relative_to(built.web))
    (site / ".nojekyll").write_text("")  # GitHub Pages hands the files out as they are
    (site / ISOLATE).unlink(missing_ok=True)
    if isolated:
        written += copied(built.worker / ISOLATE, site / ISOLATE)
    scripts = (ISOLATE,) if isolated else ()
    page = index_page((built.web / "index.html").read_text(encoding="utf-8"), page_policy(built), scripts)
    (site / "index.html").write_text(page, encoding="utf-8")
    return written + len(page.encode())


def index_page(text: str, policy: str, scripts: Iterable[str] = ()) -> str:
    """The served page's `index.html` as that of a static one, with its policy in it, and scripts before all others."""
    own = [MARK, f'<meta http-equiv="Content-Security-Policy" content="{policy}">']
    own += [f'<script src="{name}"></script>' for name in scripts]
    marked, count = META_FORM.subn(lambda found: "".join([found[0], *(f"    {line}\n" for line in own)]), text)
    said, texts = NOT_STARTED_FORM.subn(rf"\1{NOT_STARTED}\2", marked)
    assert (count, texts) == (1, 1), "index.html has another form"
    return said


def page_policy(built: Assets) -> str:
    """The policy of the static page: any model's address, as the person chooses it, and no script but its own."""
    parts = (
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join([strict_policy(built, ("https:", *LOCAL)), *parts])


def strict_policy(built: Assets, endpoints: Iterable[str]) -> str:
    """What a page's Content-Security-Policy must allow for its runs, beside what the page itself needs.

    The frame of a worker, and the worker in it, inherit the page's policy: the hash is that of the frame's one script.
    """
    relay = json.loads((built.assets / MANIFEST).read_text())["files"]["relay.js"]["sha256"]
    digest = base64.b64encode(bytes.fromhex(relay)).decode()
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}' 'wasm-unsafe-eval'",
            "worker-src 'self' blob:",
            " ".join(["connect-src 'self'", *endpoints]),
        ]
    )


def _files(built: Assets) -> list[Path]:
    return [path for pattern in FILES for path in sorted(built.web.glob(pattern))]
