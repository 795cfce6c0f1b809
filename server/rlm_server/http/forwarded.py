"""Forwarded: the request as its client sent it, whatever proxies stand in between.

In: a request, perhaps passed on by a proxy. Out: the same one with the client's address and scheme (uvicorn's
`X-Forwarded-For` and `X-Forwarded-Proto`, from `RLM_TRUSTED_PROXIES` alone), and its path without the prefix of
`RLM_PUBLIC_URL` or `RLM_ROOT_PATH`. Whether the sender is a trusted proxy is noted for `identity.py`. Nothing is
refused here.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..settings import Settings
from .access import record

OWN_SEGMENTS = frozenset({"", "api", "page", "rlm", "v1", "vendor", "sign-in", "healthz", "readyz", "metrics"})
"""First segments of our own paths: a proxy that strips the prefix `/rlm` still reaches `/rlm/rlm.js`."""
BY_PROXY = "rlm_server.by_proxy"
MOUNTED_AT = "rlm_server.mounted_at"
"""Key of a scope: the prefix at which another application mounts this one."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._:=/+-]{1,100}")


def is_by_proxy(scope: Scope) -> bool:
    """Whether a trusted proxy sent this request."""
    return bool(scope.get(BY_PROXY))


class Forwarded:
    """Undoes what proxies do to a request; changes its scope in place, so that the log sees the same."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware  # late: importing the app loads no server

        self.app = app
        self.prefix = settings.prefix()
        self.is_unlike_ours = self.prefix.lstrip("/").partition("/")[0] not in OWN_SEGMENTS
        self.proxy = ProxyHeadersMiddleware(self._passed_on, list(settings.trusted_proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        sender = (scope.get("client") or ("", 0))[0]
        scope[BY_PROXY] = sender in self.proxy.trusted_hosts
        if is_by_proxy(scope):
            request_id = Headers(scope=scope).get("x-request-id", "")
            if REQUEST_ID.fullmatch(request_id):
                record(scope, proxy_id=request_id)
        await self.proxy(scope, receive, send)  # type: ignore[arg-type]

    async def _passed_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        record(scope, client=(scope.get("client") or ("", 0))[0])
        if (
            self.prefix and scope["path"] == self.prefix and scope["type"] == "http"
        ):  # relative paths need the final slash
            await Response(status_code=308, headers={"Location": f"{self.prefix}/"})(scope, receive, send)
            return
        rest = scope["path"].removeprefix(self.prefix)
        is_below = rest != scope["path"] and rest.startswith("/")
        if is_below and (self.is_unlike_ours or rest.split("/")[1] in OWN_SEGMENTS):
            scope["path"] = rest
            scope["raw_path"] = scope.get("raw_path", b"").removeprefix(self.prefix.encode())
        await self.app(scope, receive, send)
