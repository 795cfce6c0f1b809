"""File providers: those of the file of `RLM_CONFIG`, each with its own client.

In: an entry of the file. Out: its upstream, and the client that knows its certificates, proxy and time-outs. The
dialects, and what happens with a reply, are those of the other providers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from ..provider_file import ProviderEntry
from ..settings import Settings
from .anthropic_messages import VERSION_HEADERS, AnthropicMessages
from .chat import ChatProvider
from .connections import Client, Connections, Proxied, trusted
from .exchange import Address, Exchange
from .ollama_chat import OllamaChat
from .openai_chat import OpenAIChat
from .upstream import Upstream

if TYPE_CHECKING:
    from .chat import Dialect

KEY_HEADERS = {"azure": "api-key", "anthropic": "x-api-key"}
"""Dialects whose key goes into its own header, as it is."""


def timeout_of(settings: Settings) -> httpx2.Timeout:
    """The time-outs of a client."""
    return httpx2.Timeout(
        connect=settings.connect_seconds, read=settings.first_byte_seconds, write=60.0, pool=settings.total_seconds
    )


def client_of(entry: ProviderEntry, settings: Settings) -> Client:
    """The client of a provider."""
    certificates = trusted()
    if entry.ca_file is not None:
        certificates = httpx2.create_ssl_context(trust_env=False)
        certificates.load_verify_locations(entry.ca_file)
    timeout = timeout_of(settings)
    return Proxied(entry.proxy, certificates, timeout) if entry.proxy else Connections(certificates, timeout)


def upstream_of(name: str, entry: ProviderEntry, client: Client, settings: Settings) -> Upstream:
    """The provider `name`."""
    dialects: dict[str, type[Dialect]] = {"anthropic": AnthropicMessages, "ollama": OllamaChat}
    dialect = dialects.get(entry.dialect, OpenAIChat)()
    return ChatProvider(Exchange(client, file_address(name, entry), settings), dialect, entry.models)


def file_address(name: str, entry: ProviderEntry) -> Address:
    """Where a provider is, and how it is sent its key."""
    header = entry.key_header or KEY_HEADERS.get(entry.dialect, "")
    url = entry.base_url.rstrip("/")
    versions = VERSION_HEADERS if entry.dialect == "anthropic" else {}
    return Address(
        name,
        url.removesuffix("/v1") if entry.dialect in ("anthropic", "ollama") else url,
        entry.key,
        key_header=header or "Authorization",
        key_prefix="" if header else "Bearer ",
        headers={**versions, **entry.headers},
        key_variable=f"the key of providers.{name} in RLM_CONFIG",
        query=tuple(entry.query.items()),
        url_variable=f"base_url of providers.{name} in RLM_CONFIG" if entry.dialect == "openai" else "",
    )
