"""Sign-in: a token typed into the page becomes a session in a cookie.

In: `POST /sign-in` with the form's field `token`, from a page of this server. Out: the cookie and the way back to the
page, or the form again. Who may ask, and by which token, is the matter of `security.py` and `identity.py`.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..settings import Settings
from .forwarded import MOUNTED_AT
from .identity import COOKIE, SESSION_SECONDS, Identities
from .notice_page import notice
from .problems import Problem

PATH = "/sign-in"
MAX_FORM_BYTES = 4096


async def sign_in(request: Request, identities: Identities, settings: Settings) -> Response:
    """Answer the form.

    Raises:
        Problem: too many wrong tokens came from the client's address.
    """
    secret = await _typed_token(request)
    address = request.client.host if request.client else ""
    user = identities.user_of(secret, address) if secret else None
    if user is None:
        wrong = Problem("token-required", "That is none of the server's tokens. Type it again.")
        return notice(wrong, request.scope, can_sign_in=True)
    public = urlsplit(settings.public_url)
    prefix = settings.prefix() or request.scope.get(MOUNTED_AT, "")
    response = RedirectResponse("./", status_code=303, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE,
        identities.session(user),
        max_age=SESSION_SECONDS,
        path=f"{prefix}/",
        secure="https" in (public.scheme, request.scope["scheme"]),
        httponly=True,
        samesite="lax",
    )
    return response


async def _typed_token(request: Request) -> str:
    """The field of the form; empty where it is missing, or where more is sent than a form holds."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return ""
    values = parse_qs(body.decode(errors="replace")).get("token", [""])
    return values[0].strip()
