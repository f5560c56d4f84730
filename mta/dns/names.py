"""Names and IP addresses that are asked for."""

from __future__ import annotations

import ipaddress
import re

import dns.rdatatype

from mta.host import Answer, Outcome

_LOCALHOST = {"A": ("127.0.0.1",), "AAAA": ("::1",)}


def canonical_name(name: str) -> str:
    """Return a name in lower case and A-labels, without the final dot."""
    name = str(name).removesuffix(".").lower()
    if name.isascii():
        return name
    import idna  # noqa: PLC0415 - start-up time; few names need it

    labels = re.split("[.\u3002\uff0e\uff61]", name)
    try:
        # By label: names of services have labels that IDNA would not let through.
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode("ascii")
            for label in labels
        )
    except (idna.IDNAError, UnicodeError):
        return name


def known_without_asking(name: str, kind: str) -> Answer | None:
    """Return the answer that no server need be asked for, if there is one."""
    if not name or not name.isascii() or "\\" in name or kind not in _KINDS:
        return Answer(Outcome.NO_DOMAIN, text="not a domain name")
    if name == "localhost" or name.endswith(".localhost"):
        # RFC 6761, section 6.3.
        records = _LOCALHOST.get(kind, ())
        return Answer(Outcome.FOUND if records else Outcome.NO_DATA, records)
    literal = ip_address_of(name)
    if literal is None:
        return None
    if kind == ("A" if literal.version == 4 else "AAAA"):
        return Answer(Outcome.FOUND, (str(literal),))
    return Answer(Outcome.NO_DOMAIN if kind not in _LOCALHOST else Outcome.NO_DATA)


_KINDS = frozenset(dns.rdatatype.RdataType.__members__)


def ip_address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a text is, or None."""
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        return None


def is_loopback(ip_address: str) -> bool:
    """Return whether an IP address is this machine's own loopback."""
    literal = ip_address_of(ip_address)
    return literal is not None and literal.is_loopback


def everybody(_ip_address: str) -> bool:
    """Say yes to every server."""
    return True


def nobody(_ip_address: str) -> bool:
    """Say no to every server."""
    return False
