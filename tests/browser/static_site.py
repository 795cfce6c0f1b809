"""A static site: a folder that a plain file server hands out, as a blog would, without a header of ours."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rlm_server.command.embed import embed

PAGE = '<!doctype html><meta charset="utf-8"><title>A blog</title><h1>A blog</h1>'


def make_site(folder: Path) -> Path:
    """A site with one page, and beside it the files that `pyodide-rlm embed` copies."""
    (folder / "index.html").write_text(PAGE)
    embed(folder / "rlm", folder / "no packages")
    return folder


@contextmanager
def hosted(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """URL of the site, until the block ends; `headers` are added to every response."""
    handler = partial(_Handler, directory=str(folder), headers=headers or {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, headers: Mapping[str, str], **options: object) -> None:
        self._added = headers
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def end_headers(self) -> None:
        for name, value in self._added.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
