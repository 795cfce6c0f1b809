"""Own pages: a folder of the user's, served at the root beside `/rlm` and the API.

In: `serve --static DIR`. Out: its files, with the isolation headers of everything here. A page's policy allows the
scripts that stand in its own file, by their hashes, and those of this server; none of another site, and no request to
one. Hidden files, links that lead out of the folder and kinds of file that no page needs are 404.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Scope

from .notice_page import OWN_HEADERS
from .security import PAGE_CSP
from .static import MEDIA_TYPES, Files, respond_with_file

SCRIPT = re.compile(rb"<script\b[^>]*>(.*?)</script\b", re.DOTALL | re.IGNORECASE)
INDEX = "index.html"


def own_page_routes(pages: Path | None, *, frame_ancestors: str) -> list[BaseRoute]:
    """The route of the folder, the last one: a path that is the server's own never reaches it."""
    return [] if pages is None else [Mount("/", _OwnPages(pages, frame_ancestors=frame_ancestors))]


def own_page_policy(page: bytes, *, frame_ancestors: str) -> str:
    """The Content-Security-Policy of `page`, an HTML file.

    >>> "'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc='" in own_page_policy(
    ...     b"<script>doSomething();</script>", frame_ancestors="'none'"
    ... )
    True
    """
    scripts = " ".join(["script-src 'self' 'wasm-unsafe-eval'", *_hashes(page)])
    policy = PAGE_CSP.format(frame_ancestors=frame_ancestors)
    policy = policy.replace("script-src 'self' 'wasm-unsafe-eval'", scripts)
    return policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'; media-src 'self' blob:")


def _hashes(page: bytes) -> Iterator[str]:
    """Sources of the scripts in `page`, each once; a browser hashes them with plain line ends."""
    texts = {text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for text in SCRIPT.findall(page)} - {b""}
    return (f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in sorted(texts))


class _OwnPages(Files):
    """The folder; a folder in it is its `index.html`."""

    def __init__(self, folder: Path, *, frame_ancestors: str) -> None:
        super().__init__(folder)
        self.frame_ancestors = frame_ancestors

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["path"].endswith("/"):
            return await super().get_response(os.path.normpath(os.path.join(path, INDEX)), scope)
        if os.path.splitext(path)[1].lower() not in MEDIA_TYPES and self.lookup_path(os.path.join(path, INDEX))[1]:
            return RedirectResponse(f"./{os.path.basename(path)}/", status_code=307)
        return await super().get_response(path, scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        file = Path(full_path)
        if file.suffix.lower() == ".html":
            policy = own_page_policy(file.read_bytes(), frame_ancestors=self.frame_ancestors)
            scope[OWN_HEADERS] = {"Content-Security-Policy": policy}
        return respond_with_file(file, Headers(scope=scope))
