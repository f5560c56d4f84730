"""Main options about fetching OCSP proofs for our own certificates."""

from __future__ import annotations

from typing import TypeVar

from mta.coroutines import StillWaits, at_once
from mta.errors import ConfigurationError, ExpansionError
from mta.expand.context import Context, Site
from mta.expand.option_types import ExpandedValue, ExpandedValueType
from mta.ocsp.place import proxy_place, responder_place
from mta.options import Boolean, Configurable, Option, split_list

T = TypeVar("T")


def read_responders(text: str) -> list[str]:
    """Return the URLs of a list, or the one that a text is; raise ValueError.

    Items may be empty.
    """
    text = text.strip()
    if text.startswith(("http://", "https://")) and len(text.split()) == 1:
        # A list of one, whose colons separate nothing.
        responder_place(text)
        return [text]
    urls = split_list(text)
    for url in urls:
        try:
            if url:
                responder_place(url)
        except ValueError as error:
            raise ValueError(
                f'"{url}" is not a URL of HTTP (a list of them needs another '
                "separator, as in <; http://a/ ; http://b/)"
            ) from error
    return urls


def read_proxy(text: str) -> str:
    """Return the URL of a proxy, empty for none; raise ValueError."""
    text = text.strip()
    if text:
        proxy_place(text)
    return text


class OCSPOptions(Configurable):
    """How OCSP proofs are fetched for our certificates."""

    tls_ocsp_refresh = Option(
        Boolean,
        "false",
        "Fetch OCSP responses for all our certificates and renew them in time; files "
        "of tls_ocsp_file are then written, whoever wrote them before.",
    )
    tls_ocsp_responder = Option(
        ExpandedValueType("string list", read_responders),
        None,
        "URLs to ask instead of those in certificates: one for all, or one for each "
        "certificate; expanded once at the start.",
    )
    tls_ocsp_http_proxy = Option(
        ExpandedValueType("string", read_proxy),
        None,
        "An HTTP proxy to ask responders through, as http://HOST:PORT; expanded once "
        "at the start.",
    )


def responders_of(options: OCSPOptions, site: Site) -> list[str]:
    """Return who is to be asked instead of whom certificates name.

    Raises ConfigurationError.
    """
    return _expanded(options.tls_ocsp_responder, site, "tls_ocsp_responder") or []


def proxy_of(options: OCSPOptions, site: Site) -> str:
    """Return the proxy's URL, empty for none; raise ConfigurationError."""
    return _expanded(options.tls_ocsp_http_proxy, site, "tls_ocsp_http_proxy") or ""


def _expanded(value: ExpandedValue[T] | None, site: Site, name: str) -> T | None:
    if value is None:
        return None
    try:
        return at_once(value.value(Context(site)))
    except ExpansionError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    except StillWaits as error:
        text = f"{name} cannot be expanded without waiting"
        raise ConfigurationError(text) from error
