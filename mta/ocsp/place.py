"""Where responders and proxies are: URLs of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A URL in parts."""

    host: str
    port: int
    is_secure: bool
    path: str
    query: str

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The URL of the host, without the port that needs not be said."""
        scheme = "https" if self.is_secure else "http"
        authority = self.authority.removesuffix(f":{_PORTS[scheme]}")
        return f"{scheme}://{authority}"

    @property
    def target(self) -> str:
        """What is asked for at the host."""
        path = self.path or "/"
        return f"{path}?{self.query}" if self.query else path


def responder_place(url: str) -> Place:
    """Return where a responder is; raise ValueError unless HTTP leads to it."""
    place = _place(url)
    if place is None:
        raise ValueError("its URL is not one of HTTP")
    return place


def proxy_place(url: str) -> Place:
    """Return where an HTTP proxy is; raise ValueError where it is named otherwise."""
    place = _place(url)
    if (
        place is None
        or place.is_secure
        or place.path not in ("", "/")
        or place.query
        or "@" in url
    ):
        raise ValueError(f'"{url}" is not a proxy like http://HOST:PORT')
    return place


def _place(url: str) -> Place | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    default = _PORTS.get(parts.scheme)
    if default is None or not parts.hostname or port == 0:
        return None
    return Place(
        parts.hostname,
        port or default,
        parts.scheme == "https",
        parts.path,
        parts.query,
    )
