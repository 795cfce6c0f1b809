"""A static site: a folder that a plain file server hands out, as a blog would, without a header of ours."""

from __future__ import annotations

import http.server
import io
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rlm_server.command.embed import embed

PAGE = '<!doctype html><meta charset="utf-8"><title>A blog</title><h1>A blog</h1>'


def make_site(folder: Path) -> Path:
    """A site with one page, and beside it the files that `pyodide-rlm embed` copies."""
    (folder / "index.html").write_text(PAGE)
    embed(folder / "rlm", folder / "no packages")
    return folder


@dataclass(frozen=True)
class Variant:
    """The site once more below a path of its own, with one file changed.

    Attributes:
        file: pattern of its path.
        text: its text in place of the true one.
        headers: of its response.
    """

    file: str
    text: Callable[[str], str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def hosted(
    folder: Path, headers: Mapping[str, str] | None = None, variants: Mapping[str, Variant] | None = None
) -> Iterator[str]:
    """URL of the site, until the block ends; `headers` are added to every response, `variants` lie in folders of it."""
    handler = partial(_Handler, directory=str(folder), headers=headers or {}, variants=variants or {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(
        self, *args: object, headers: Mapping[str, str], variants: Mapping[str, Variant], **options: object
    ) -> None:
        self._added = headers
        self._variants = variants
        self._variant: Variant | None = None
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        _, name, *rest = self.path.split("/")
        self._variant = self._variants.get(name)
        if self._variant is None:
            return super().send_head()
        self.path = "/" + "/".join(rest)
        if not re.search(self._variant.file, self.path):
            self._variant = None
        if self._variant is None or self._variant.text is None:
            return super().send_head()
        body = self._variant.text(Path(self.translate_path(self.path)).read_text()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self) -> None:
        for name, value in {**self._added, **(self._variant.headers if self._variant else {})}.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
