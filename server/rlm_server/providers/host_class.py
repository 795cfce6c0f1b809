"""Host class: whose machine answers for a provider, as far as its URL tells. Never the address itself.

In: the URL of an upstream. Out: the vendor's name, `on this machine`, `on the local network`; "" where it is not known.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

HERE = "on this machine"
NEAR = "on the local network"
VENDORS = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "google",
}


def host_class(url: str) -> str:
    """The class of the host in `url`.

    >>> [host_class(url) for url in ("https://api.openai.com/v1", "http://localhost:11434/v1", "https://a.example")]
    ['openai', 'on this machine', '']
    """
    host = (urlsplit(url).hostname or "").lower()
    if host in VENDORS:
        return VENDORS[host]
    if host == "localhost" or host.endswith(".localhost"):
        return HERE
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return HERE if address.is_loopback else NEAR if address.is_private else ""
