"""Settings: everything that can be set about the server, from the environment or a `.env` file.

In: environment variables (`RLM_PORT=9000`, `OPENAI_API_KEY=...`). Out: one checked `Settings`.
Keys are held as `SecretStr`; no error, log or `repr` of this module shows one. Nothing here opens a connection.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from rlm_core.errors import ConfigError

from .provider_file import Config
from .setting_kinds import (
    Count,
    CspSources,
    Dollars,
    HeaderName,
    Key,
    ModelName,
    Models,
    Names,
    Networks,
    Origins,
    Prefix,
    PublicUrl,
    Seconds,
    Tokens,
    Url,
)

MIB = 1024 * 1024
PREFIX = "RLM_"
FILE = "_FILE"
SECRETS = {"token", "tokens", "openai_api_key", "anthropic_api_key", "openrouter_api_key", "gemini_api_key"}
"""Fields whose variable may be replaced by one with the ending `_FILE`, which names a file that holds the secret."""
OF_TOOLS = {"RLM_CLI"}
"""Variables that are no settings: `RLM_CLI` names this command for scripts that start it."""


class Settings(BaseSettings):
    """The server's limits, addresses and keys.

    Each field is read from the variable `RLM_<FIELD>`; those with a vendor's name are read from the vendor's own
    variable (`OPENAI_API_KEY`), without the prefix. The environment wins over `.env`.

    Attributes:
        host: address to listen on. Anything but loopback needs `token`, `tokens` or `user_header`.
        port: port to listen on; 0 takes a free one.
        token: shared secret. Where it is set every request needs it, also on loopback, where a proxy may pass on
            requests of others (`Authorization: Bearer ...`; people type it into the sign-in page). It also lets
            programs without an `Origin` header call the API.
        tokens: the same with a name for each, `ann:...,bo:...`: the user in the log.
        user_header: header in which a proxy names the user that it has let in (`X-Forwarded-User`); believed from
            `trusted_proxies` only.
        trusted_proxies: addresses and networks of the proxies in front, comma separated: `X-Forwarded-For`,
            `X-Forwarded-Proto` and `X-Request-Id` are believed from them alone.
        public_url: address that people open, `https://host/prefix`: its host, origin, scheme and prefix are ours. A
            proxy may pass the prefix on or strip it.
        root_path: prefix alone, `/ask`, where `public_url` is not set: that of the proxy's path which leads here.
        drain_seconds: time for the calls under way once the server is to stop; those that are left end with a problem.
        allowed_hosts: further exact values of the `Host` header that are ours (`rlm.example.org`), comma separated.
        allowed_origins: exact origins of other sites whose pages may call the API, comma separated.
        frame_ancestors: CSP sources that may put the page in a frame, separated by spaces.
        config: TOML file of further providers and of aliases; see [providers](providers.md#a-file-of-providers).
        models: models that may be used, `provider:name`, comma separated; empty permits every model of the configured
            providers, and their lists are offered.
        default_model: model for requests that name none; empty chooses one.
        stand_in: whether the built-in stand-in is offered; `false` leaves the configured providers alone.
        max_body_bytes: largest request body.
        head_seconds: longest time that the head of a request may take to arrive.
        body_seconds: longest time that a request body may take to arrive.
        concurrency: calls of one batch that are upstream at the same time.
        max_upstream_bytes: largest reply that is read from an upstream, after decompression.
        max_output_tokens: longest reply asked for where the dialect demands a number (Anthropic).
        connect_seconds: longest wait for a connection to an upstream.
        first_byte_seconds: idle timeout of an upstream, before its first byte and between two.
        total_seconds: longest time of one call, retries included.
        models_seconds: longest wait for a provider's list of models.
        models_cache_seconds: how long such a list is kept.
        retries: most retries of a call whose failure may pass; at most 3. A call with an idempotency key is not
            retried here: its client repeats it.
        retry_wait_seconds: wait before the first retry; doubles each time, with jitter.
        max_retry_after_seconds: longest `Retry-After` that is waited for; a longer one ends the call.
        max_run_calls, max_run_tokens, max_run_cost: budget of one run in calls, tokens and USD; unset: no limit.
        max_start_calls, max_start_tokens, max_start_cost: the same for all runs since the server's start.
        max_day_calls, max_day_tokens, max_day_cost: the same for each user and day (UTC), kept over restarts in the
            file of `store_path`; requests without a user's name share one.
        store_path: file for replies that are kept for a repeated request; unset keeps them in memory.
        store_bytes: most that is kept; 0 keeps nothing.
        store_seconds: how long a reply is kept.
        metrics_open: whether `/metrics` needs no token, and answers under any Host.
        metrics_by_user: whether `/metrics` counts calls, tokens and cost by user as well.
        audit_log: file for a line for each call: who, when, which model, how many characters; `stderr` puts
            the lines into the log.
        audit_log_bytes: size at which that file is rotated; 0 never does.
        audit_log_files: rotated files that are kept besides.
        packages_path: folder of the packages that `pyodide-rlm packages` adds; unset: one of the user's own.
        openai_api_key, openai_base_url: OpenAI, or any server of its chat dialect (vLLM, LM Studio, llama.cpp).
        anthropic_api_key, anthropic_base_url: Anthropic.
        openrouter_api_key: OpenRouter.
        gemini_api_key: Gemini, by its OpenAI-compatible endpoint.
        ollama_base_url: where to look for Ollama, with or without `/v1`; `none` does not look.
        ollama_num_ctx: largest window that Ollama is asked for, in tokens; unset: that of the model.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    token: Key = None
    tokens: Tokens = ()
    user_header: HeaderName = ""
    trusted_proxies: Networks = ()
    public_url: PublicUrl = ""
    root_path: Prefix = ""
    drain_seconds: Annotated[int, Field(ge=0, le=3600)] = 9
    allowed_hosts: Names = ()
    allowed_origins: Origins = ()
    frame_ancestors: CspSources = "'none'"

    config: Config = None
    models: Models = ()
    default_model: ModelName = ""
    stand_in: bool = True

    max_body_bytes: Annotated[int, Field(ge=1024)] = 64 * MIB
    head_seconds: Seconds = 10.0
    body_seconds: Seconds = 30.0
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 64
    max_upstream_bytes: Annotated[int, Field(ge=1024)] = 16 * MIB
    max_output_tokens: Annotated[int, Field(ge=1)] = 8192

    connect_seconds: Seconds = 5.0
    first_byte_seconds: Seconds = 300.0
    total_seconds: Seconds = 600.0
    models_seconds: Seconds = 3.0
    models_cache_seconds: Seconds = 300.0
    retries: Annotated[int, Field(ge=0, le=3)] = 3
    retry_wait_seconds: Annotated[float, Field(ge=0)] = 0.5
    max_retry_after_seconds: Seconds = 60.0

    max_run_calls: Count | None = None
    max_run_tokens: Count | None = None
    max_run_cost: Dollars | None = None
    max_start_calls: Count | None = None
    max_start_tokens: Count | None = None
    max_start_cost: Dollars | None = None
    max_day_calls: Count | None = None
    max_day_tokens: Count | None = None
    max_day_cost: Dollars | None = None

    store_path: Path | None = None
    store_bytes: Count = 64 * MIB
    store_seconds: Seconds = 86_400.0

    metrics_open: bool = False
    metrics_by_user: bool = False
    audit_log: str = ""
    audit_log_bytes: Count = 64 * MIB
    audit_log_files: Annotated[int, Field(ge=1, le=1000)] = 10

    packages_path: Path | None = None

    openai_api_key: Key = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: Url = Field(default="https://api.openai.com/v1", validation_alias="OPENAI_BASE_URL")
    anthropic_api_key: Key = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: Url = Field(default="https://api.anthropic.com", validation_alias="ANTHROPIC_BASE_URL")
    openrouter_api_key: Key = Field(default=None, validation_alias="OPENROUTER_API_KEY")
    gemini_api_key: Key = Field(default=None, validation_alias="GEMINI_API_KEY")
    ollama_base_url: Url = Field(default="http://127.0.0.1:11434/v1", validation_alias="OLLAMA_BASE_URL")
    ollama_num_ctx: Annotated[int, Field(ge=512)] | None = None

    def configured_providers(self) -> list[str]:
        """Names of the configured providers, the built-in one last; Ollama needs no configuration and is left out."""
        configured = {
            "openai": self.openai_api_key or not self.is_vendors_own("openai"),
            "anthropic": self.anthropic_api_key,
            "openrouter": self.openrouter_api_key,
            "gemini": self.gemini_api_key,
        }
        of_file = () if self.config is None else self.config.providers
        return [*(name for name, there in configured.items() if there), *of_file, "builtin"]

    def is_vendors_own(self, provider: str) -> bool:
        """Whether `provider` has its vendor's address, and not one that was set here."""
        field = f"{provider}_base_url"
        fields = type(self).model_fields
        return field not in fields or getattr(self, field) == fields[field].default

    def is_guarded(self) -> bool:
        """Whether a request needs to say whose it is."""
        return self.token is not None or bool(self.tokens) or bool(self.user_header)

    def prefix(self) -> str:
        """The path that people open, without a final slash; empty where it is the root."""
        return self.root_path or urlsplit(self.public_url).path

    def unguarded(self) -> Settings:
        """These settings for a server on a free port of loopback, for one page of this process alone."""
        nobody = {
            "token": None,
            "tokens": (),
            "user_header": "",
            "trusted_proxies": (),
            "public_url": "",
            "root_path": "",
        }
        return self.model_copy(update=nobody)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` (by field name, but for `None`) win over the environment.

    Raises:
        ConfigError: a value is impossible, or a variable `RLM_...` is no setting; the message names each and never
            quotes a value.
    """
    present = _present()
    unusable = [f"{name} is no setting{_nearest(name)}" for name in _unknown_variables(present)]
    secrets = {}
    for field, variable in variables_of_files().items():
        try:
            if variable in present:
                secrets[field] = _secret_in_file(field, present)
        except ConfigError as fault:
            unusable.append(str(fault))
    chosen = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**{**secrets, **chosen})  # type: ignore[arg-type]
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_context=False, include_input=False)
    else:
        if not unusable:
            return settings
        faults = []
    lines = [f"{_variable(error['loc'])}: {error['msg'].removeprefix('Value error, ')}" for error in faults]
    raise ConfigError("Settings cannot be used. " + "; ".join([*unusable, *lines]) + ".")


def variables() -> dict[str, str]:
    """Each field's environment variable.

    >>> variables()["port"], variables()["openai_api_key"]
    ('RLM_PORT', 'OPENAI_API_KEY')
    """
    fields = Settings.model_fields.items()
    return {name: str(field.validation_alias or f"{PREFIX}{name.upper()}") for name, field in fields}


def variables_of_files() -> dict[str, str]:
    """For each field that is a secret the variable that names a file with it.

    >>> variables_of_files()["token"], variables_of_files()["gemini_api_key"]
    ('RLM_TOKEN_FILE', 'GEMINI_API_KEY_FILE')
    """
    names = variables()
    return {field: f"{names[field]}{FILE}" for field in names if field in SECRETS}


def _present() -> dict[str, str]:
    """The variables of the environment and of `.env`, by upper-case name; blank ones are left out."""
    variables = {**DotEnvSettingsSource(Settings).env_vars, **EnvSettingsSource(Settings).env_vars}
    return {name.upper(): value for name, value in variables.items() if value}


def _secret_in_file(field: str, present: Mapping[str, str]) -> str:
    """The secret in the file that a variable names, without the end of its line."""
    variable, file_variable = variables()[field], variables_of_files()[field]
    if variable in present:
        raise ConfigError(f"{variable} and {file_variable} are both set: keep one")
    try:
        return Path(present[file_variable]).read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise ConfigError(f"{file_variable}: the file cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file_variable}: the file is not text") from None


def _unknown_variables(present: Mapping[str, str]) -> Iterator[str]:
    """Variables with our prefix that no field is read from."""
    known = {*variables().values(), *variables_of_files().values()}
    return (name for name in sorted(present) if name.startswith(PREFIX) and name not in known | OF_TOOLS)


def _nearest(name: str) -> str:
    names = difflib.get_close_matches(name, [*variables().values(), *variables_of_files().values()], n=1)
    return f" (nearest: {names[0]})" if names else ""


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return variables().get(name, name)
