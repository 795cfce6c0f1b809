"""Provider file: further providers, aliases, limits of the page's runs, from the TOML file of `RLM_CONFIG`.

In: the path of the file. Out: one checked `ProviderFile`, or a `ValueError` that names each field and never quotes a
value. Files that it names (keys, certificates) are read here too, relative to it. Nothing here opens a connection.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import NoDecode

from rlm_core.errors import ConfigError
from rlm_core.limits import LIMITS, Limits

from .setting_kinds import HEADER_NAME, Dollars, Key, ModelName, Seconds, check_upstream_url

RESERVED = frozenset({"openai", "anthropic", "openrouter", "gemini", "ollama", "builtin"})
"""Names of the providers that variables configure."""
PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OWN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection", "accept"})
"""Headers that each request sets by itself."""
MODEL_FIELD = "{model}"
"""Stands in a base URL for the name of the model, as in the URLs of Azure's deployments."""
MILLION = 1_000_000
STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Price(BaseModel):
    """USD for a million tokens; cached input costs as other input unless `cached` is set."""

    model_config = STRICT
    input: Dollars
    output: Dollars
    cached: Dollars | None = None

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int) -> float:
        """USD for these tokens; the cached ones are a part of the input.

        >>> Price(input=2, output=8, cached=1).cost(1_000_000, 500_000, 400_000)
        5.6
        """
        cached = self.input if self.cached is None else self.cached
        of_input = (input_tokens - cached_tokens) * self.input + cached_tokens * cached
        return (of_input + output_tokens * self.output) / MILLION


class ProviderEntry(BaseModel):
    """One provider.

    Attributes:
        dialect: `azure` is OpenAI's, with the key in the header `api-key`.
        base_url: URL up to the paths of the dialect; `{model}` in it stands for the model's name.
        insecure_http: permits `http://` to a private address or a name of the local network.
        query: parameters of each request, such as `api-version`.
        key: the key; or `key_file`, a file that holds it.
        key_header: header that the key is sent in as it is, in place of the dialect's own.
        headers: further headers of each request.
        ca_file: certificates that are trusted besides the usual ones.
        proxy: HTTP proxy on the way, `http://host:port`.
        models: models on offer; without it the provider's list is asked for.
        images: whether its models take images; without it their names and its list tell.
        users: users who may use it; without it everyone.
        prices: model -> its price; `*` for those that are not named.
    """

    model_config = STRICT
    dialect: Literal["openai", "azure", "anthropic", "ollama"] = "openai"
    base_url: str
    insecure_http: bool = False
    query: dict[str, str] = Field({}, repr=False)
    key: Key = None
    key_file: Path | None = None
    key_header: str = ""
    headers: dict[str, str] = Field({}, repr=False)
    ca_file: Path | None = None
    proxy: str = Field("", repr=False)
    connect_seconds: Seconds | None = None
    first_byte_seconds: Seconds | None = None
    total_seconds: Seconds | None = None
    models: tuple[str, ...] = ()
    images: bool | None = None
    users: tuple[str, ...] | None = None
    prices: dict[str, Price] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> ProviderEntry:
        check_upstream_url(self.base_url, is_near=self.insecure_http and _is_near(self.base_url))
        if MODEL_FIELD in self.base_url and not self.models:
            raise ValueError("base_url holds {model}, so `models` must name the models")
        for name, value in [(self.key_header or "api-key", ""), *self.headers.items()]:
            if not HEADER_NAME.fullmatch(name) or name.lower() in OWN_HEADERS or not _is_plain(value):
                raise ValueError("headers must have plain names and printable values, and none that each request sets")
        proxy = urlsplit(self.proxy)
        if self.proxy and (proxy.scheme not in ("http", "https") or not proxy.hostname or proxy.path not in ("", "/")):
            raise ValueError("proxy must be http://host:port")
        return self

    def seconds(self) -> dict[str, float]:
        """The time-outs that differ from those of the settings."""
        names = ("connect_seconds", "first_byte_seconds", "total_seconds")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class ProviderFile(BaseModel):
    """The file.

    Attributes:
        page_defaults: limits of a run on the page that are left empty, by the names and units of `Limits`.
        ceilings: most that a limit may be set to on the page.
    """

    model_config = STRICT
    providers: dict[str, ProviderEntry] = {}
    aliases: dict[str, ModelName] = {}
    page_defaults: dict[str, int | float] = {}
    ceilings: dict[str, int | float] = {}

    @model_validator(mode="after")
    def _has_usable_limits(self) -> ProviderFile:
        for table, values in (("page_defaults", self.page_defaults), ("ceilings", self.ceilings)):
            for name, value in values.items():
                _check_limit(table, name, value)
        for name, most in self.ceilings.items():
            if self.page_defaults.get(name, most) > most:
                raise ValueError(f"page_defaults.{name} is {self.page_defaults[name]}, above its ceiling of {most}")
        return self

    @model_validator(mode="after")
    def _has_usable_names(self) -> ProviderFile:
        for name in self.providers:
            if name in RESERVED or not PROVIDER_NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot name a provider: small letters, digits, hyphens; {_reserved()} are taken"
                )
        for name, model in self.aliases.items():
            if not ALIAS.fullmatch(name) or not model:
                raise ValueError(f"{name!r} is no alias: letters, digits, . _ and - without a colon, for provider:name")
        return self

    def price(self, provider: str, model: str) -> Price | None:
        """The price of a model; `None` where the file has none."""
        entry = self.providers.get(provider)
        return None if entry is None else entry.prices.get(model, entry.prices.get("*"))

    def permits(self, provider: str, user: str) -> bool:
        """Whether `user` may use `provider`."""
        entry = self.providers.get(provider)
        return entry is None or entry.users is None or user in entry.users


def read_provider_file(value: object) -> object:
    """The checked content of the file at the path `value`.

    Raises:
        ValueError: it cannot be read, or a field is unknown or impossible.
    """
    if not isinstance(value, str | Path):
        return value
    import tomllib  # most starts have no file

    try:
        content = tomllib.loads(_text(Path(value), str(value)))
        providers = content.get("providers")
        for name, entry in providers.items() if isinstance(providers, dict) else ():
            _read_files(name, entry, Path(value).parent)
        return ProviderFile.model_validate(content)
    except tomllib.TOMLDecodeError as fault:
        raise ValueError(f"{value} is not TOML: {fault}") from None
    except ValidationError as fault:
        errors = fault.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"{_field(error['loc'])}{error['msg'].removeprefix('Value error, ')}" for error in errors]
        raise ValueError(f"{value}: {'; '.join(lines)}") from None


def _read_files(name: str, entry: Any, folder: Path) -> None:
    """Put the key of `key_file` into `entry`, and see that `ca_file` holds certificates."""
    if not isinstance(entry, dict):
        return
    if isinstance(path := entry.get("key_file"), str):
        if "key" in entry:
            raise ValueError(f"providers.{name}: key and key_file are both set: keep one")
        entry["key"] = _text(folder / path, f"providers.{name}.key_file").strip()
    if isinstance(path := entry.get("ca_file"), str):
        import ssl

        entry["ca_file"] = folder / path
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(folder / path)
        except OSError:  # an error of TLS is one too
            raise ValueError(f"providers.{name}.ca_file: no certificates can be read from it") from None


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as fault:
        raise ValueError(f"{name}: the file cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: the file is not text") from None


def _check_limit(table: str, name: str, value: float) -> None:
    facts = next((facts for facts in LIMITS if facts.name == name), None)
    if facts is None:
        raise ValueError(f"{table}.{name} is no limit: {', '.join(facts.name for facts in LIMITS)}")
    if table == "ceilings" and facts.off:
        raise ValueError(f"ceilings.{name} cannot be: it is no amount that is used up")
    try:
        Limits(**{name: value})  # type: ignore[arg-type]
    except ConfigError as fault:
        raise ValueError(f"{table}.{fault}") from None


def _field(location: tuple[int | str, ...]) -> str:
    return "".join(f"{part}." for part in location)[:-1] + ": " if location else ""


def _is_plain(value: str) -> bool:
    return value.isascii() and (not value or value.isprintable())


def _is_near(url: str) -> bool:
    """Whether the host is a private address, or a name that only a local network knows."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".internal", ".local", ".lan", ".home.arpa"))


def _reserved() -> str:
    return ", ".join(sorted(RESERVED))


Config = Annotated[ProviderFile | None, NoDecode, BeforeValidator(read_provider_file)]
