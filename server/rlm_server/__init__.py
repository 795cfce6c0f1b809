"""rlm_server: serves the page and forwards model calls, so that no key ever reaches the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from .http.mounting import Mounted
    from .settings import Settings

__version__ = "0.1.0"


def asgi(prefix: str = "", *, settings: Settings | None = None, beside: ASGIApp | None = None) -> Mounted:
    """The whole server (page, assets, API, call socket) as an ASGI application below `prefix`; see `http/mounting.py`.

    Raises:
        ConfigError: `prefix` is no path, or the settings cannot be used.
    """
    from .http.mounting import Mounted  # late: the package is imported for its version, and inside Pyodide

    return Mounted(prefix, settings=settings, beside=beside)
