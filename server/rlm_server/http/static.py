"""Static files: the page, the worker's modules, the built assets and the vendored libraries.

In: a path below one of the mounts. Out: the file, compressed where a `.br` or `.gz` lies beside it and the client
takes it. Only listed kinds of file are served; there are no directory listings. Names that hold a hash never change
and are cached for good; everything else is checked each time by its ETag.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from ..assets import Assets

MEDIA_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".d.ts": "application/typescript",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".webmanifest": "application/manifest+json",
    ".whl": "application/zip",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
PACKAGE_KINDS = frozenset({".json", ".whl"})
MODULE_KINDS = frozenset({".js", ".d.ts"})
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
HASHED_NAME = re.compile(r"\.[0-9a-f]{8,64}\.")
FOR_GOOD = "public, max-age=31536000, immutable"


def static_routes(assets: Assets, packages: Path, pages: Path | None = None) -> list[BaseRoute]:
    """The routes of everything that is a file; a folder that does not exist yet is all 404.

    Args:
        pages: folder of the user's own pages; its `index.html` stands in place of the page.
    """
    index = _one_file(assets.web / "index.html")
    return [
        *([] if pages is not None and (pages / "index.html").is_file() else [Route("/", index)]),
        Mount("/page", Files(assets.web, bundles=assets.assets / "page")),
        Mount("/rlm/assets/packages", Files(packages, kinds=PACKAGE_KINDS)),
        Mount("/rlm/assets", Files(assets.assets)),
        Route("/rlm/ask.js", _one_file(assets.assets / "page" / "ask.js")),
        Mount("/rlm", Files(assets.worker, kinds=MODULE_KINDS)),
        Mount("/vendor", Files(assets.vendor)),
    ]


def _one_file(path: Path) -> Callable[[Request], Response]:
    def respond(request: Request) -> Response:
        if not path.is_file():
            raise HTTPException(status_code=404)
        return respond_with_file(path, request.headers)

    return respond


class Files(StaticFiles):
    """One folder, read-only, of known kinds of file.

    Args:
        kinds: the suffixes to serve, each a key of `MEDIA_TYPES`.
        bundles: a folder whose files go before those of the same name, with all that they import in them.
    """

    def __init__(
        self, folder: Path, *, kinds: frozenset[str] = frozenset(MEDIA_TYPES), bundles: Path | None = None
    ) -> None:
        super().__init__(directory=folder, check_dir=False)
        if bundles is not None:
            self.all_directories.insert(0, bundles)
        self.config_checked = True
        self.kinds = kinds

    async def get_response(self, path: str, scope: Scope) -> Response:
        hidden = any(part.startswith(".") for part in path.split(os.sep))
        if hidden or _kind(path) not in self.kinds:
            raise HTTPException(status_code=404)
        return await super().get_response(path, scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        return respond_with_file(Path(full_path), Headers(scope=scope))


def respond_with_file(path: Path, request_headers: Headers) -> Response:
    """The response for the file at `path`, 304 when the client has it already."""
    chosen, encoding = _best_variant(path, request_headers.get("accept-encoding", ""))
    headers = {"Cache-Control": FOR_GOOD if HASHED_NAME.search(path.name) else "no-cache", "Vary": "Accept-Encoding"}
    if encoding:
        headers["Content-Encoding"] = encoding
    response = FileResponse(
        chosen, headers=headers, media_type=MEDIA_TYPES[_kind(path.name)], stat_result=chosen.stat()
    )
    if response.headers["etag"] in request_headers.get("if-none-match", ""):
        return NotModifiedResponse(response.headers)
    return response


def _kind(name: str) -> str:
    return ".d.ts" if name.endswith(".d.ts") else os.path.splitext(name)[1].lower()


def _best_variant(path: Path, accepted: str) -> tuple[Path, str]:
    """The file to send for `path` and its content coding (`""` for none)."""
    takes = _accepted_codings(accepted)
    for coding, suffix in ENCODINGS:
        variant = path.with_name(path.name + suffix)
        if coding in takes and variant.is_file() and not variant.is_symlink():
            return variant, coding
    return path, ""


def _accepted_codings(header: str) -> frozenset[str]:
    """The codings in an Accept-Encoding header whose weight is above 0.

    >>> sorted(_accepted_codings("gzip, br;q=0.5, zstd;q=0"))
    ['br', 'gzip']
    """
    parts = (part.strip().lower().partition(";") for part in header.split(","))
    return frozenset(name.strip() for name, _, weight in parts if not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight))
