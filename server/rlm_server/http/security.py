"""Security: who may call, and the headers of every response.

`SecurityHeaders` wraps the whole application, error pages included. `Gate` refuses a request by its Host, Origin,
Sec-Fetch-Site and identity before a byte of its body is read; it hands the sign-in form to `sign_in.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlm_core.errors import ConfigError

from ..loopback import LOOPBACK_NAMES, is_loopback
from ..settings import Settings
from .access import STARTS, record
from .call_socket import ADMITTED
from .call_socket import PATH as CALL_SOCKET
from .forwarded import MOUNTED_AT, is_by_proxy
from .identity import USER, Identities, Identity
from .notice_page import OWN_HEADERS, refusal
from .problems import Problem, problem_response
from .sign_in import PATH as SIGN_IN
from .sign_in import sign_in

WORKER_CSP = "sandbox allow-scripts; default-src 'none'; script-src 'wasm-unsafe-eval'"
OTHER_CSP = "default-src 'none'; frame-ancestors 'none'"
PAGE_CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors {frame_ancestors}"
)
HOST_FORM = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::[0-9]{1,5})?")
"""A Host header in lower case: a name or an address, and perhaps a port."""
SINGLE_HEADERS = ("origin", "authorization", "sec-fetch-site")
"""Headers of which a request has one at most: of two, one could be checked and another obeyed."""
PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that anyone may ask, under any Host: they hold one word."""
ALIVE = "/healthz"
"""The probe that a page of any origin can see, not read: that tells a server which refuses it from one that is gone."""
METRICS = "/metrics"
WORKER_PATH = re.compile(r"/rlm/assets/worker\.[^/]*\Z")
FEATURES = (
    "accelerometer autoplay camera display-capture encrypted-media fullscreen gamepad geolocation "
    "gyroscope hid idle-detection local-fonts magnetometer microphone midi payment picture-in-picture "
    "publickey-credentials-get screen-wake-lock serial usb window-management xr-spatial-tracking"
)
PERMISSIONS = ", ".join([*(f"{feature}=()" for feature in FEATURES.split()), "cross-origin-isolated=(self)"])
FIXED_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Document-Isolation-Policy": "isolate-and-require-corp",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": PERMISSIONS,
}


def check_address(settings: Settings) -> None:
    """Refuse to be where others can reach without knowing whose a request is.

    Raises:
        ConfigError: `host` or `public_url` is not loopback and there is no token; nobody is trusted to name users; or
            two prefixes differ.
    """
    public = urlsplit(settings.public_url)
    outside = public.hostname or ""
    if settings.root_path and settings.public_url and settings.root_path != public.path:
        raise ConfigError(
            f"RLM_ROOT_PATH is {settings.root_path}, and the path of RLM_PUBLIC_URL is {public.path or '/'}. Set one "
            "of them, or the same path in both."
        )
    if settings.user_header and not settings.trusted_proxies:
        raise ConfigError(
            "RLM_USER_HEADER is believed only from RLM_TRUSTED_PROXIES, which is empty: nobody could get in. "
            "Set it to the address of the proxy, such as 127.0.0.1."
        )
    if settings.is_guarded() or (is_loopback(settings.host) and (not outside or is_loopback(outside))):
        return
    where = f"Listening on {settings.host}" if not is_loopback(settings.host) else f"RLM_PUBLIC_URL on {outside}"
    raise ConfigError(
        f"{where} would let everyone who reaches it use your keys. Set RLM_TOKEN to a long random text (or RLM_TOKENS, "
        "or RLM_USER_HEADER), or stay on 127.0.0.1."
    )


class SecurityHeaders:
    """Adds the isolation headers and the right Content-Security-Policy to every HTTP response."""

    def __init__(self, app: ASGIApp, *, frame_ancestors: str) -> None:
        self.app = app
        self.page_csp = PAGE_CSP.format(frame_ancestors=frame_ancestors)
        policies = (WORKER_CSP, OTHER_CSP, self.page_csp)
        self._by_policy = {csp: _raw({**FIXED_HEADERS, "Content-Security-Policy": csp}) for csp in policies}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] in STARTS:
                added = self._added(scope["path"], scope.get(OWN_HEADERS))
                message["headers"] = [
                    *(item for item in message["headers"] if item[0].lower() not in added),
                    *added.items(),
                ]
            await send(message)

        await self.app(scope, receive, send if scope["type"] == "lifespan" else send_secured)

    def _added(self, path: str, own: Mapping[str, str] | None) -> Mapping[bytes, bytes]:
        added = self._by_policy[self._policy(path)]
        if path != ALIVE and not own:
            return added
        shared = {"Cross-Origin-Resource-Policy": "cross-origin"} if path == ALIVE else {}
        return {**added, **_raw({**shared, **(own or {})})}

    def _policy(self, path: str) -> str:
        """By path alone: a 304 has no content type, and its headers replace those that the browser keeps."""
        if WORKER_PATH.match(path):
            return WORKER_CSP
        return self.page_csp if path == "/" or path.endswith(".html") else OTHER_CSP


class Gate:
    """Lets in requests that are addressed to us, by a page of ours or by a program that holds the token."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.identities = Identities(settings)
        self.probes = PROBES | {METRICS} if settings.metrics_open else PROBES
        public = urlsplit(settings.public_url)
        self.own_origin = f"{public.scheme}://{public.netloc}" if public.netloc else None
        self.hosts = frozenset(host.lower() for host in (*settings.allowed_hosts, public.netloc) if host)
        self.origins = frozenset(settings.allowed_origins)
        self.listening_on = settings.host.lower()
        self.destinations = {"document"} if settings.frame_ancestors == "'none'" else {"document", "iframe", "frame"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._admit_socket(scope, receive, send)
            return
        if scope.get(ADMITTED) is self.settings and not self.identities.is_guarded:
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http" or (scope["path"] in self.probes and scope["method"] == "GET"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = _only(headers, "origin")
        shared_with = origin if origin in self.origins and scope["path"].startswith("/api/") else None
        if shared_with is not None:
            send = _allowing(shared_with, send)
        try:
            if shared_with is not None and _is_preflight(scope, headers):
                self._check_host(headers)
                await _answer_preflight(send)
                return
            if scope["path"] == SIGN_IN and scope["method"] == "POST" and self.identities.tokens:
                self._check_addressed(scope, headers, Identity())
                response = await sign_in(Request(scope, receive), self.identities, self.settings)
                await response(scope, receive, send)
                return
            self._check(scope, headers)
        except Problem as problem:
            response = refusal(problem, scope, can_sign_in=bool(self.identities.tokens))
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _admit_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The handshake of the call socket: as a request is checked, and of a page of this server alone."""
        try:
            self._check(scope, Headers(scope=scope))
            if scope["path"] != CALL_SOCKET:
                raise Problem("not-found", f"There is no WebSocket at this path. That of model calls is {CALL_SOCKET}.")
        except Problem as problem:
            await problem_response(problem, scope)(scope, receive, send)
            return
        scope[ADMITTED] = self.settings
        await self.app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        self._check_host(headers)
        self._check_single(headers)
        address = (scope.get("client") or ("", 0))[0]
        identity = self.identities.of(headers, address, by_proxy=is_by_proxy(scope))
        if identity is None:
            raise self._unknown_sender()
        if MOUNTED_AT in scope and not self.identities.is_guarded and not is_loopback(address):
            raise Problem(
                "token-required",
                "This server is a part of another one and has no token, so it answers the machine that it runs on "
                "alone. Set RLM_TOKEN to a long random text (or RLM_TOKENS, or RLM_USER_HEADER).",
            )
        if identity.user:
            record(scope, user=identity.user)
        scope[USER] = identity.user
        self._check_addressed(scope, headers, identity)

    def _check_addressed(self, scope: Scope, headers: Headers, identity: Identity) -> None:
        host = self._check_host(headers)
        self._check_single(headers)
        is_program = identity.is_program and bool(self.identities.tokens)
        self._check_origin(scope, headers, host, known=is_program)

    def _check_single(self, headers: Headers) -> None:
        for name in (*SINGLE_HEADERS, *filter(None, [self.settings.user_header])):
            if len(headers.getlist(name)) > 1:
                raise _origin_refused(f"There are several {name} headers.")

    def _unknown_sender(self) -> Problem:
        if self.identities.tokens:
            return _token_required("This server has a token, so every request needs it.")
        return Problem(
            "token-required",
            f"Users are named by the proxy in front, in the header {self.settings.user_header}, and this request has "
            "none from RLM_TRUSTED_PROXIES. Open the address that the proxy serves.",
        )

    def _check_host(self, headers: Headers) -> str:
        """One `Host`, and one that a foreign name rebound to our address cannot produce."""
        hosts = headers.getlist("host")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        name = _host_name(host)
        ours = name in LOOPBACK_NAMES or (name == self.listening_on and name not in ("0.0.0.0", "::"))
        if not (host in self.hosts or (ours and HOST_FORM.fullmatch(host))):
            raise Problem(
                "host-refused",
                "The Host header is not one of ours. Open the server at 127.0.0.1 or localhost, set RLM_PUBLIC_URL to "
                "the address that people open, or add the exact value to RLM_ALLOWED_HOSTS.",
            )
        return host

    def _check_origin(self, scope: Scope, headers: Headers, host: str, *, known: bool) -> None:
        origin, is_socket = headers.get("origin"), scope["type"] == "websocket"
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        own = {f"{scheme}://{host}", self.own_origin}
        if origin is not None and origin not in (own if is_socket else own | self.origins):
            raise _origin_refused("The Origin header names another site.")
        if origin is None and (is_socket or (scope["method"] not in ("GET", "HEAD") and not known)):
            raise _origin_refused("There is no Origin header, so no page sent this; a program must send the token.")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and origin not in self.origins and not self._is_navigation(headers):
            raise _origin_refused(f"Sec-Fetch-Site is {site[:20]!r}: another site's page asked for this.")

    def _is_navigation(self, headers: Headers) -> bool:
        """A link that was followed: the answer is its own page, which the linking site cannot read."""
        return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") in self.destinations


def _raw(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.lower().encode("latin-1"): text.encode("latin-1") for name, text in headers.items()}


def _only(headers: Headers, name: str) -> str | None:
    """The header's value where there is exactly one."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _allowing(origin: str, send: Send) -> Send:
    async def send_allowing(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "retry-after, x-request-id"
            headers.add_vary_header("Origin")
        await send(message)

    return send_allowing


async def _answer_preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type, authorization, idempotency-key"),
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _token_required(reason: str) -> Problem:
    detail = f"{reason} Send it as `Authorization: Bearer ...`, or sign in on the page."
    return Problem("token-required", detail, headers={"WWW-Authenticate": 'Bearer realm="pyodide-rlm"'})


def _origin_refused(reason: str) -> Problem:
    return Problem(
        "origin-refused",
        f"{reason} Use the page that this server serves (behind a proxy, set RLM_PUBLIC_URL to its address), add the "
        "exact origin to RLM_ALLOWED_ORIGINS, or set RLM_TOKEN and send `Authorization: Bearer ...`.",
    )
