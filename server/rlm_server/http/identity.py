"""Identity: whose a request is, by a token, by the cookie of the sign-in page, or by the word of a trusted proxy.

In: the headers of a request. Out: its `Identity`, or nothing. Wrong tokens are counted for each client address, and one
that has sent too many waits (`Attempts`). A session's cookie is `user.expiry.signature`, signed with the user's token:
it survives a restart, and ends with the token. Nothing here answers a request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

from ..setting_kinds import USER_NAME
from ..settings import Settings
from .problems import Problem

logger = logging.getLogger("rlm_server.sign_in")
USER = "rlm_server.user"
"""Key of a scope: the user's name, empty where there is none."""
COOKIE = "rlm_session"
SESSION_SECONDS = 7 * 24 * 3600
FREE_ATTEMPTS = 10
ATTEMPT_SECONDS = 60.0
"""An address that sent `FREE_ATTEMPTS` wrong tokens within this time waits until the oldest of them is past."""
MOST_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose a request is.

    Attributes:
        user: name of the token, or the one that the proxy reports; empty for `RLM_TOKEN`, and where nothing is needed.
        is_program: whether it holds the token itself, which no page of another site can make a browser send.
    """

    user: str = ""
    is_program: bool = False


@dataclass(slots=True)
class Attempts:
    """Wrong tokens of each client address."""

    clock: Callable[[], float] = time.monotonic
    _wrong: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def check(self, address: str) -> None:
        """Refuse an address that has to wait.

        Raises:
            Problem: too many wrong tokens came from it.
        """
        times = self._wrong.get(address)
        if times is None or len(times) < FREE_ATTEMPTS:
            return
        wait = times[0] + ATTEMPT_SECONDS - self.clock()
        if wait > 0:
            detail = f"{FREE_ATTEMPTS} wrong tokens came from this address. Try again in {math.ceil(wait)} s."
            raise Problem("too-many-attempts", detail, retry_after=math.ceil(wait))

    def count(self, address: str) -> None:
        """Count and log a wrong token."""
        times = self._wrong.setdefault(address, deque(maxlen=FREE_ATTEMPTS))
        times.append(self.clock())
        self._wrong.move_to_end(address)
        while len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        logger.warning(json.dumps({"sign_in": "wrong token", "client": address, "wrong": len(times)}))


class Identities:
    """Everyone whom `settings` let in."""

    def __init__(self, settings: Settings) -> None:
        single = [] if settings.token is None else [("", settings.token)]
        self.tokens = {user: secret.get_secret_value().encode() for user, secret in (*single, *settings.tokens)}
        self.user_header = settings.user_header
        self.is_guarded = settings.is_guarded()
        self.attempts = Attempts()

    def of(self, headers: Headers, address: str, *, by_proxy: bool) -> Identity | None:
        """Whose the request is; `None` where it does not say so.

        Raises:
            Problem: it holds a wrong token, and too many came from `address`.
        """
        if not self.is_guarded:
            return Identity()
        if self.user_header and by_proxy and USER_NAME.fullmatch(user := headers.get(self.user_header, "")):
            return Identity(user)
        user_of_session = self._user_of_session(headers)
        if user_of_session is not None:
            return Identity(user_of_session)
        secret = _secret_of(headers.get("authorization", ""))
        if not secret or not self.tokens:
            return None
        user_of_token = self.user_of(secret, address)
        return None if user_of_token is None else Identity(user_of_token, is_program=True)

    def user_of(self, secret: str, address: str) -> str | None:
        """The user of the token `secret`; a wrong one is counted.

        Raises:
            Problem: too many wrong tokens came from `address`.
        """
        self.attempts.check(address)
        users = [user for user, token in self.tokens.items() if hmac.compare_digest(secret.encode(), token)]
        if users:
            return users[0]
        self.attempts.count(address)
        return None

    def session(self, user: str) -> str:
        """The value of a new cookie for `user`."""
        until = f"{user}.{int(time.time()) + SESSION_SECONDS}"
        return f"{until}.{self._signature(user, until)}"

    def _user_of_session(self, headers: Headers) -> str | None:
        until, _, signature = _cookie(headers).rpartition(".")
        user, _, expiry = until.rpartition(".")
        if user not in self.tokens or not expiry.isdecimal() or int(expiry) < time.time():
            return None
        is_signed = hmac.compare_digest(signature.encode(), self._signature(user, until).encode())
        return user if is_signed else None

    def _signature(self, user: str, until: str) -> str:
        return hmac.new(self.tokens[user], b"session " + until.encode(), hashlib.sha256).hexdigest()


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie("; ".join(headers.getlist("cookie"))).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _secret_of(authorization: str) -> str:
    """The token in the header, as `Bearer` or as the password of `Basic`; empty where there is none."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "basic":
        return _password(credentials)
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
