"""Setting kinds: the checks of the values that settings hold, by kind of value.

In: the text of a variable. Out: the checked value, or a `ValueError` that says what it must be. Nothing here reads the
environment; see `settings.py`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from .loopback import is_loopback


def _names(value: object) -> object:
    """Split `"a, b"` into `("a", "b")`; anything else is left to the field's own check."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _blank_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _usable_key(key: SecretStr | None) -> SecretStr | None:
    """A key goes into a header: an impossible character would come back in an error that quotes the key."""
    if key is None:
        return None
    text = key.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key must be printable ASCII without spaces; check how it was pasted")
    return SecretStr(text)


def _upstream_url(url: str) -> str:
    """An upstream is reached by https, or on loopback by http; its URL holds no user name, query or fragment."""
    if url in ("", "none"):
        return ""
    check_upstream_url(url)
    return url.rstrip("/").removesuffix("/chat/completions").removesuffix("/messages")


def check_upstream_url(url: str, *, is_near: bool = False) -> None:
    """Accept the URL of an upstream.

    Args:
        is_near: whether http is permitted beyond loopback too.

    Raises:
        ValueError: keys would travel in clear, or it holds more than scheme, host and path.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and (is_near or is_loopback(host))):
        raise ValueError("must begin with https://, or with http:// and a loopback address: keys never travel in clear")
    if not host or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be scheme, host and path only: no user name, query or fragment")


def _origin(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is not an origin: write scheme://host[:port], without a path")
    return origins


def _model_names(models: tuple[str, ...]) -> tuple[str, ...]:
    for model in models:
        provider, _, name = model.partition(":")
        if not provider or not name:
            raise ValueError(f"{model!r} is not a model: write provider:name, such as openai:gpt-5-mini")
    return models


def _model_name(model: str) -> str:
    return _model_names((model,))[0] if model else model


def _header_text(sources: str) -> str:
    if not sources.isascii() or not sources.isprintable() or ";" in sources or "," in sources:
        raise ValueError("must be CSP sources separated by spaces, such as: 'self' https://example.org")
    return sources


def _named_tokens(value: object) -> object:
    """Split `"ann:secret, bo:other"` into pairs of name and secret; the secrets are never quoted."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition(":") for part in value.split(",") if part.strip()]
    for name, _, secret in pairs:
        if not (USER_NAME.fullmatch(name) and secret):
            raise ValueError("must be name:secret pairs, comma separated, such as ann:...,bo:...")
    names, secrets = {name for name, _, _ in pairs}, {secret for _, _, secret in pairs}
    if len(names) < len(pairs) or len(secrets) < len(pairs):
        raise ValueError("must have each name and each secret once")
    return tuple((name, SecretStr(secret)) for name, _, secret in pairs)


def _usable_tokens(tokens: tuple[tuple[str, SecretStr], ...]) -> tuple[tuple[str, SecretStr], ...]:
    for _, secret in tokens:
        _usable_key(secret)
    return tokens


def _public_url(url: str) -> str:
    """`scheme://host[:port][/prefix]`, without a final slash or the scheme's own port."""
    if not url:
        return ""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is none") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise ValueError("must be scheme://host, perhaps with :port and /prefix, and nothing else")
    if not PREFIX_FORM.fullmatch(parts.path.rstrip("/")):
        raise ValueError("has a prefix of other characters than letters, digits, - . _ ~ and /")
    name = f"[{host}]" if ":" in host else host
    netloc = name if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{name}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def check_prefix(prefix: str) -> str:
    """`/prefix`, without a final slash; empty where there is none.

    Raises:
        ValueError: it is no path.
    """
    prefix = prefix.rstrip("/")
    if not PREFIX_FORM.fullmatch(prefix):
        raise ValueError("must be a path such as /ask: a slash, then letters, digits, - . _ ~ and /")
    return prefix


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ValueError(f"{network!r} is no address or network: write 127.0.0.1 or 10.0.0.0/8") from None
    return networks


def _header_name(name: str) -> str:
    if name and not HEADER_NAME.fullmatch(name):
        raise ValueError("must be the name of one header, such as X-Forwarded-User")
    return name.lower()


USER_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
"""A user's name, as it stands in logs and cookies."""
PREFIX_FORM = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*")
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names), AfterValidator(_origin)]
Models = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names), AfterValidator(_model_names)]
Key = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset), AfterValidator(_usable_key)]
Url = Annotated[str, AfterValidator(_upstream_url)]
Tokens = Annotated[
    tuple[tuple[str, SecretStr], ...], NoDecode, BeforeValidator(_named_tokens), AfterValidator(_usable_tokens)
]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
Prefix = Annotated[str, AfterValidator(check_prefix)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names), AfterValidator(_networks)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
CspSources = Annotated[str, AfterValidator(_header_text)]
ModelName = Annotated[str, AfterValidator(_model_name)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
