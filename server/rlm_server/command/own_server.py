"""Own server: the server that a command starts for itself, on this machine's loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"


@contextmanager
def own_server(port: int) -> Iterator[str]:
    from ..http.app import create_app
    from ..http.serving import serving
    from ..settings import load_settings

    settings = load_settings(host=LOOPBACK, port=port).unguarded()
    with serving(create_app(settings), host=LOOPBACK, port=port) as url:
        yield url
