"""Own server: the server that a headless run starts for itself, on this machine's loopback.

In: a port, 0 for a free one. Out: its address, for as long as the `with` block lasts. Settings are the environment's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"


@contextmanager
def own_server(port: int = 0) -> Iterator[str]:
    """A server of this process, without a token: that is for servers which others reach."""
    from ..http.app import create_app
    from ..http.serving import serving
    from ..settings import load_settings

    settings = load_settings(host=LOOPBACK, port=port).unguarded()
    with serving(create_app(settings), host=LOOPBACK, port=port) as url:
        yield url
