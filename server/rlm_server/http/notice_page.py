"""Notice page: a problem as a page for a person, where a browser opens an address and is refused.

In: a `Problem` and the request that has it. Out: a page that says what is missing; where that is the token, with the
form to sign in. The page holds no script, and its policy allows its own style and form alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from string import Template

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from .access import record
from .problems import Problem, problem_response

PAGE = (Path(__file__).parent / "notice.html").read_text(encoding="utf-8")
FORM = """
    <form method="post" action="sign-in">
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
      <button>Sign in</button>
    </form>"""
_style = re.search(r"<style>(.*?)</style>", PAGE, re.DOTALL)
assert _style is not None, "the page has one style"
STYLE_HASH = base64.b64encode(hashlib.sha256(_style[1].encode()).digest()).decode()
NOTICE_CSP = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
OWN_HEADERS = "rlm_server.own_headers"
"""Key of a scope: headers of its response in place of those that its path has."""
HEADERS = {"Content-Security-Policy": NOTICE_CSP, "Referrer-Policy": "same-origin"}
"""Under `no-referrer` the form would be sent with `Origin: null`."""
TITLES = {
    "token-required": "Sign in",
    "host-refused": "This address is not allowed here",
    "origin-refused": "This page may not be opened from there",
}


def is_opened(scope: Scope) -> bool:
    """Whether a browser opens an address: the response is shown to a person."""
    headers = Headers(scope=scope)
    mode = headers.get("sec-fetch-mode")
    is_navigation = mode == "navigate" if mode is not None else "text/html" in headers.get("accept", "")
    return is_navigation and scope["method"] in ("GET", "HEAD", "POST")


def refusal(problem: Problem, scope: Scope, *, can_sign_in: bool = False) -> Response:
    """The response for `problem`: a page for a person, JSON for everything else."""
    return notice(problem, scope, can_sign_in=can_sign_in) if is_opened(scope) else problem_response(problem, scope)


def notice(problem: Problem, scope: Scope, *, can_sign_in: bool = False) -> Response:
    """The page for `problem`.

    Args:
        can_sign_in: whether the server has tokens to sign in with.
    """
    record(scope, problem=problem.kind.slug)
    scope[OWN_HEADERS] = HEADERS
    has_form = can_sign_in and problem.kind.slug in ("token-required", "too-many-attempts")
    text = Template(PAGE).substitute(
        title=html.escape(TITLES.get(problem.kind.slug, problem.kind.title)),
        detail=html.escape(problem.detail),
        form=FORM if has_form and scope["path"] in ("/", "/sign-in") else "",
    )
    headers = {name: value for name, value in problem.headers.items() if name.lower() != "www-authenticate"}
    return HTMLResponse(text, status_code=problem.status, headers={"Cache-Control": "no-store", **headers})
