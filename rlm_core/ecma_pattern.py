"""ECMA pattern: the regular expressions of JSON Schema, in Python's spelling.

In: a pattern of ECMA-262. Out: the same for `re`: `$` is the very end, `\\d`, `\\w`, `\\b` are of ASCII, `\\s` is all
white space, groups are named `(?<name>...)`. What `re` does not have, such as `\\p{L}`, raises `re.error`.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES = {
    "d": "0-9",
    "w": "a-zA-Z0-9_",
    "s": "\\t-\\r \\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff",
}
_TOKEN = re.compile(
    r"\\(?P<code>.)|(?P<open>\[\^?)|(?P<close>\])|(?P<name>\(\?<(?![=!]))|(?P<end>\$)|(?P<any>\.)", re.DOTALL
)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of ECMA-262, as JSON Schema has them, in Python's spelling: `$` is the very end, `\\d` is 0 to 9.

    >>> compiled("^\\\\d$").search("1\\n"), bool(compiled("^\\\\d$").search("1"))
    (None, True)
    """
    is_class = False

    def in_python(token: re.Match[str]) -> str:
        nonlocal is_class
        code = token["code"]
        if code is not None:
            letters = _CLASSES.get(code.lower())
            if letters is None or (code.isupper() and is_class):
                return token[0]
            return letters if is_class else f"[{'^' * code.isupper()}{letters}]"
        if token["open"] and not is_class:
            is_class = True
        elif token["close"]:
            is_class = False
        elif not is_class and (token["name"] or token["end"] or token["any"]):
            return "(?P<" if token["name"] else r"\Z" if token["end"] else r"[^\n\r\u2028\u2029]"
        return token[0]

    return re.compile(_TOKEN.sub(in_python, pattern), re.ASCII)
