"""Registry: which providers are configured, which models they offer, and who answers for a model's name.

In: `Settings`. Out: for `"provider:name"` the upstream that answers, and the catalogue that `/api/models` shows.
Permission is `RLM_MODELS` alone; without it any well-formed name is asked of its provider. A list is for choosing.
`builtin:extractive` is always there, and the default when nothing is configured. Lists of models are fetched when
they are first needed and kept for a while; a list that cannot be had is reported in the notes and stops nothing else.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from rlm_core.types import Json, ModelUsage

from ..http.problems import Problem
from ..provider_file import ProviderFile
from ..providers.anthropic_messages import VERSION_HEADERS, AnthropicMessages
from ..providers.chat import ChatProvider
from ..providers.connections import Client, Connections, trusted
from ..providers.exchange import Address, Exchange
from ..providers.file_providers import client_of, file_address, timeout_of, upstream_of
from ..providers.host_class import HERE, host_class
from ..providers.images import takes_images
from ..providers.ollama_chat import OllamaChat
from ..providers.openai_chat import OpenAIChat
from ..providers.prices import load_prices
from ..providers.stand_in.extractive import Extractive
from ..providers.upstream import Upstream, UpstreamError
from ..providers.vendor_tools import uses_vendor_tools
from ..settings import Settings

BUILTIN = "builtin:extractive"
BUILTIN_PROVIDER = "builtin"
BUILTIN_LABEL = "Built-in extractive stand-in"
BUILTIN_NOTE = "Not a language model: it finds sentences by their words. It needs no key and no network."
OPENROUTER_URL = "https://openrouter.ai/api/v1"
GEMINI_URL = "https://generativelanguage.googleapis.com/v1beta/openai"
KEY_VARIABLES = {
    "openai": "OPENAI_API_KEY (or OPENAI_BASE_URL for a server of your own)",
    "anthropic": "ANTHROPIC_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
TITLES = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "openrouter": "OpenRouter",
    "gemini": "Gemini",
    "ollama": "Ollama",
}
PREFERRED = ("gpt-5-mini", "gpt-4.1-mini", "claude-sonnet", "openrouter/auto", "gemini-2.5-flash")
"""Beginnings of names that make a fitting default, where the user chose none."""
NOT_FOR_TEXT = re.compile(r"embed|whisper|tts|dall-e|moderation|image|audio|realtime|transcribe|sora|imagen|veo")
FAILURE_CACHE_SECONDS = 15.0
REPORTS_COST = {"openrouter"}
"""Providers that report the cost of each reply themselves."""
FREE = {"input": 0.0, "output": 0.0}
MAX_MODELS = 1000
MODEL_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
ANY_NAME = "Any other model can be used by its name, as provider:name."


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of `/api/models`. `window_tokens` is the model's window where its provider reports it."""

    id: str
    label: str
    provider: str
    note: str = ""
    host: str = ""
    """Class of the machine that answers; see `host_class.py`."""
    window_tokens: int | None = None
    priced: bool | None = False
    """Whether a price is known; `None` where each reply reports its cost."""
    vendor_tools: bool = False
    """Whether it searches or browses at its vendor: model code may call it only where the user names it for that."""
    images: bool | None = None
    """Whether it takes images; `None` where that is not known."""
    price: Mapping[str, float] | None = None
    """US dollars per million tokens, `input` and `output`; `None` where they are not known beforehand."""

    def to_json(self) -> dict[str, Json]:
        """The line as it goes over the wire."""
        return {
            "id": self.id,
            "label": self.label,
            "provider": self.provider,
            "note": self.note,
            "host": self.host,
            "window_tokens": self.window_tokens,
            "priced": self.priced,
            "vendor_tools": self.vendor_tools,
            "images": self.images,
            "price": None if self.price is None else dict(self.price),
        }


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models to choose from; `notes` reports defects of the providers' lists."""

    models: tuple[ModelInfo, ...]
    default: str
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Listing:
    """The models that one provider listed, valid until `expires` (monotonic seconds); `shown` are those for text.

    One that `is_missing` could never be had.
    """

    windows: Mapping[str, int | None]
    shown: tuple[str, ...]
    note: str
    expires: float
    is_missing: bool = False
    images: Mapping[str, bool | None] = field(default_factory=dict)


class Registry:
    """The configured upstreams by name."""

    def __init__(self, upstreams: Sequence[Upstream], settings: Settings) -> None:
        self.prices = load_prices(settings)
        self.upstreams = {upstream.name: upstream for upstream in upstreams}
        self.settings = settings
        self.file = settings.config or ProviderFile()
        self._hosts = hosts_of(settings)
        self._listings: dict[str, _Listing] = {}
        self._locks = {name: asyncio.Lock() for name in self.upstreams}

    async def find(self, model: str | None, user: str = "") -> tuple[Upstream, str]:
        """The upstream of `model` for `user`, and the model's name there. No list is consulted: a named one is asked.

        Raises:
            Problem: the model is not permitted, its name is malformed, or its provider is not configured.
        """
        named = model or self._chosen_default(user) or (await self.catalogue(user)).default
        wanted = self.file.aliases.get(named, named)
        if not wanted:
            raise self._no_default()
        provider, _, name = wanted.partition(":")
        upstream = self.upstreams.get(provider)
        if upstream is None:
            raise _no_provider(provider)
        if not self._permits(wanted, user):
            raise Problem("unknown-model", f"The provider {provider} is not open to you. Choose one from /api/models.")
        permitted = (
            *self.file.aliases.values(),
            *([BUILTIN] if BUILTIN_PROVIDER in self.upstreams else []),
            self.settings.default_model,
            *self.settings.models,
        )
        if self.settings.models and wanted not in permitted:
            nearest = _nearest(provider, name, (listed.partition(":")[2] for listed in permitted if listed))
            detail = f"{_shown(wanted)} is not permitted here: RLM_MODELS names the models that may be used. {nearest}"
            raise Problem("unknown-model", f"{detail}Choose one from /api/models, or add it to RLM_MODELS.")
        if upstream.name == "builtin" and wanted != BUILTIN:
            raise Problem("unknown-model", f"There is no model {_shown(wanted)}. The built-in one is {BUILTIN}.")
        if not MODEL_NAME.fullmatch(name):
            raise Problem(
                "unknown-model", f"{_shown(wanted)} is not a name of a model. Write provider:name, no spaces."
            )
        return upstream, name

    async def explained(self, fault: UpstreamError, name: str) -> UpstreamError:
        """`fault`, with the nearest names of the provider's list where the upstream does not know the model `name`."""
        upstream = self.upstreams.get(fault.upstream or "")
        if fault.kind != "model-unknown" or upstream is None or upstream.name == "builtin":
            return fault
        listing = await self._listing(upstream)
        nearest = _nearest(upstream.name, name, listing.windows)
        fault.args = (" ".join(filter(None, (str(fault), nearest.strip() or listing.note))),)
        return fault

    async def fault_of_default(self) -> str:
        """Reason why the default model that was set cannot answer; empty if it can, or where no list says so."""
        model = self.settings.default_model
        provider, _, name = model.partition(":")
        upstream = self.upstreams.get(provider)
        if not model or model == BUILTIN:
            return ""
        if upstream is None:
            return f"RLM_DEFAULT_MODEL is {_shown(model)}. {_no_provider(provider).detail}"
        names = () if upstream.name == "builtin" else tuple((await self._listing(upstream)).windows)
        if name in names or (not names and upstream.name != "builtin"):
            return ""
        nearest = _nearest(provider, name, names)
        return f"RLM_DEFAULT_MODEL is {_shown(model)}, which its provider does not list. {nearest}See /api/models."

    async def catalogue(self, user: str = "") -> Catalogue:
        """Everything on offer to `user`, the built-in stand-in first, aliases last."""
        all_names = self.settings.models or await self._discovered_names()
        names = [name for name in all_names if self._permits(name, user)]
        default = self._chosen_default(user) or self._fitting_default(names)
        offered = [*([BUILTIN] if BUILTIN_PROVIDER in self.upstreams else []), default, *names]
        listed = dict.fromkeys(name for name in offered if name and self._permits(name, user))
        aliases = [self._alias(name, model) for name, model in self.file.aliases.items() if self._permits(model, user)]
        notes = {name: note for name, note in self._notes().items() if self._permits(f"{name}:", user)}
        return Catalogue((*(self._info(name) for name in listed), *aliases), default, notes)

    def _chosen_default(self, user: str) -> str:
        """The default model that was set, where it is open to `user`."""
        model = self.settings.default_model
        return model if self._permits(model, user) else ""

    def _permits(self, model: str, user: str) -> bool:
        """Whether the provider of `model` is open to `user`; where no users are known it is open to all."""
        return not self.settings.is_guarded() or self.file.permits(model.partition(":")[0], user)

    def _alias(self, name: str, model: str) -> ModelInfo:
        return replace(self._info(model), id=name, label=f"{name} ({model})")

    def _fitting_default(self, names: Sequence[str]) -> str:
        """A fitting one of `names`; never the stand-in for a provider whose list is missing."""
        has_stand_in = BUILTIN_PROVIDER in self.upstreams
        fitting = _fitting([name for name in names if not (has_stand_in and name.startswith("ollama:"))])
        is_missing = any(listing.is_missing for name, listing in self._listings.items() if name != "ollama")
        return fitting or (BUILTIN if has_stand_in and not is_missing else "")

    def _no_default(self) -> Problem:
        notes = " ".join(f"{provider}: {note}" for provider, note in self._notes().items())
        detail = (
            f"No list of models can be had, so there is no default. Name a model, or set RLM_DEFAULT_MODEL. {notes}"
        )
        return Problem("upstream-unreachable", detail.strip())

    async def _discovered_names(self) -> list[str]:
        listing_upstreams = [upstream for upstream in self.upstreams.values() if upstream.name != "builtin"]
        listings = await asyncio.gather(*(self._listing(upstream) for upstream in listing_upstreams))
        return [
            f"{up.name}:{name}"
            for up, listing in zip(listing_upstreams, listings, strict=True)
            for name in listing.shown
        ]

    async def _listing(self, upstream: Upstream) -> _Listing:
        """The models of `upstream`: from the cache, or fetched once for all who wait."""
        async with self._locks[upstream.name]:
            listing = self._listings.get(upstream.name)
            if listing is None or listing.expires <= time.monotonic():
                listing = await self._fetched_listing(upstream)
                self._listings[upstream.name] = listing
            return listing

    async def _fetched_listing(self, upstream: Upstream) -> _Listing:
        try:
            offer = await upstream.models()
        except UpstreamError as fault:
            if (last := self._listings.get(upstream.name)) is not None and last.windows:
                note = f"The list of models is an earlier one: {fault}"
                expires = time.monotonic() + FAILURE_CACHE_SECONDS
                return replace(last, note=note, expires=expires)
            is_absent = upstream.name == "ollama" and fault.kind == "unreachable"
            note = "" if is_absent else f"The list of models cannot be had: {fault} {ANY_NAME}"
            return _Listing({}, (), note, time.monotonic() + FAILURE_CACHE_SECONDS, is_missing=True)
        windows = {model.name: model.window_tokens for model in offer.models}
        for_text = sorted(name for name in windows if not NOT_FOR_TEXT.search(name))
        shown = tuple(for_text[:MAX_MODELS])
        notes = [offer.note]
        if not windows:
            notes.append("Its list of models is empty.")
        if len(shown) < len(for_text):
            notes.append(f"It lists {len(for_text):,} models, of which {len(shown):,} are shown.")
        note = " ".join(filter(None, notes))
        seconds = self.settings.models_cache_seconds if windows else FAILURE_CACHE_SECONDS
        images = {model.name: model.images for model in offer.models}
        told = f"{note} {ANY_NAME}" if note else ""
        return _Listing(windows, shown, told, time.monotonic() + seconds, images=images)

    def _info(self, model: str) -> ModelInfo:
        provider, _, name = model.partition(":")
        if model == BUILTIN:
            return ModelInfo(model, BUILTIN_LABEL, provider, BUILTIN_NOTE, HERE, priced=True, images=False, price=FREE)
        label = f"{name} ({TITLES.get(provider, provider)})"
        if provider not in self.upstreams:
            return ModelInfo(model, label, provider, _no_provider(provider).detail)
        listing, images = self._listings.get(provider), self.takes_images(provider, name)
        host = self._hosts.get(provider, "")
        price = self._price(provider, name)
        priced = None if provider in REPORTS_COST else price is not None
        tools = host != HERE and uses_vendor_tools(name)
        if listing is None:
            return ModelInfo(
                model, label, provider, host=host, priced=priced, vendor_tools=tools, images=images, price=price
            )
        window = listing.windows.get(name)
        return ModelInfo(model, label, provider, listing.note, host, window, priced, tools, images, price)

    def takes_images(self, provider: str, name: str) -> bool | None:
        """Whether a model takes images, by its provider's list or by its name; `None` where that is not known."""
        entry, listing = self.file.providers.get(provider), self._listings.get(provider)
        if entry is not None and entry.images is not None:
            return entry.images
        listed = None if listing is None else listing.images.get(name)
        return takes_images(name) if listed is None else listed

    def _price(self, provider: str, name: str) -> Mapping[str, float] | None:
        """Prices of a small call, per million tokens: a vendor may ask more for a long one."""
        usages = {"input": ModelUsage(calls=1, input_tokens=1_000), "output": ModelUsage(calls=1, output_tokens=1_000)}
        costs = {part: self.prices.cost(provider, name, usage) for part, usage in usages.items()}
        known = {part: round(cost * 1_000, 6) for part, cost in costs.items() if cost is not None}
        return known if len(known) == len(costs) else None

    def _notes(self) -> dict[str, str]:
        return {name: listing.note for name, listing in self._listings.items() if listing.note}


@asynccontextmanager
async def open_registry(settings: Settings, providers: Sequence[Upstream] = ()) -> AsyncIterator[Registry]:
    """A registry over one pooled HTTP client, which is closed at the end of the block.

    Args:
        providers: of this process, beside the configured ones.
    """
    _quiet_libraries()
    client = Connections(trusted(), timeout_of(settings))
    async with AsyncExitStack() as clients:
        clients.push_async_callback(client.aclose)
        upstreams = [*_upstreams(client, settings), *providers]
        for name, entry in settings.config.providers.items() if settings.config else ():
            own = settings.model_copy(update=entry.seconds())
            own_client = client_of(entry, own)
            clients.push_async_callback(own_client.aclose)
            upstreams.append(upstream_of(name, entry, own_client, own))
        yield Registry(upstreams, settings)


def openai_addresses(settings: Settings) -> list[Address]:
    """The configured providers of OpenAI's dialect, in the order in which their models are offered."""
    configured = settings.configured_providers()
    addresses = [
        Address(
            "openai",
            settings.openai_base_url,
            settings.openai_api_key,
            key_variable="OPENAI_API_KEY",
            url_variable="" if settings.is_vendors_own("openai") else "OPENAI_BASE_URL",
        ),
        Address("openrouter", OPENROUTER_URL, settings.openrouter_api_key, key_variable="OPENROUTER_API_KEY"),
        Address("gemini", GEMINI_URL, settings.gemini_api_key, key_variable="GEMINI_API_KEY"),
    ]
    return [address for address in addresses if address.name in configured]


def hosts_of(settings: Settings) -> dict[str, str]:
    """Provider -> class of the machine that answers for it."""
    of_file = [file_address(*item) for item in settings.config.providers.items()] if settings.config else []
    addresses = [anthropic_address(settings), *openai_addresses(settings), ollama_address(settings), *of_file]
    return {address.name: host_class(address.url) for address in addresses}


def ollama_address(settings: Settings) -> Address:
    """Where Ollama is; its URL may or may not end with the version of its OpenAI path."""
    return Address("ollama", settings.ollama_base_url.removesuffix("/v1"))


def anthropic_address(settings: Settings) -> Address:
    """Where Anthropic's dialect is spoken; a base URL may or may not end with its version."""
    return Address(
        "anthropic",
        settings.anthropic_base_url.removesuffix("/v1"),
        settings.anthropic_api_key,
        key_header="x-api-key",
        key_prefix="",
        headers=VERSION_HEADERS,
        key_variable="ANTHROPIC_API_KEY",
    )


def _upstreams(client: Client, settings: Settings) -> Iterator[Upstream]:
    if settings.stand_in:
        yield Extractive()
    if "anthropic" in settings.configured_providers():
        yield ChatProvider(Exchange(client, anthropic_address(settings), settings), AnthropicMessages())
    for address in openai_addresses(settings):
        yield ChatProvider(Exchange(client, address, settings), OpenAIChat())
    if settings.ollama_base_url:
        yield ChatProvider(Exchange(client, ollama_address(settings), settings), OllamaChat())


def _quiet_libraries() -> None:
    """Below WARNING httpcore2 quotes the headers of upstreams."""
    logging.getLogger("httpcore2").setLevel(logging.WARNING)


def _fitting(names: Sequence[str]) -> str:
    """The model for who names none: a preferred one, else the first; empty where there is none."""
    plain = [name for name in names if not uses_vendor_tools(name.partition(":")[2])]
    for beginning in PREFERRED:
        matching = [name for name in plain if name.partition(":")[2].startswith(beginning)]
        if matching:
            return min(matching, key=len)
    return (plain or [*names, ""])[0]


def _no_provider(provider: str) -> Problem:
    if provider == BUILTIN_PROVIDER:
        return Problem(
            "unknown-model", "The stand-in is switched off here (RLM_STAND_IN). Choose one from /api/models."
        )
    if provider in KEY_VARIABLES:
        detail = f"{TITLES[provider]} has no key here. Set {KEY_VARIABLES[provider]}, and start the server again."
        return Problem("provider-not-configured", detail)
    return Problem(
        "unknown-model", f"There is no provider {_shown(provider)}. Models are written provider:name; see /api/models."
    )


def _nearest(provider: str, name: str, names: Iterable[str]) -> str:
    """A sentence with the names that are closest to `name`, or nothing."""
    listed = list(names)
    near = [other for other in listed if other.startswith((f"{name}-", f"{name}:"))][:3]
    near = near or difflib.get_close_matches(name, listed, n=3)
    if not near:
        return ""
    return f"The nearest names are {', '.join(f'{provider}:{other}' for other in near)}. "


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:80] + "...")
