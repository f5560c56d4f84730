"""What a PROXY header said, or why there was none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from mta.proxy.tlvs import NO_TLVS, TLVs

SPOOFED = "header from a peer that is not in hosts_proxy"
_MAPPED = "::ffff:"


class ProxyStatus(Enum):
    """What came of waiting for a header."""

    NONE = "none"
    PROXIED = "proxied"
    LOCAL = "local"
    UNKNOWN = "unknown"
    TIMEOUT = "timeout"
    INVALID = "invalid"


class Endpoint(NamedTuple):
    """One end of a connection."""

    ip_address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip_address}]:{self.port}"


def plain(ip_address: str) -> str:
    """Return an IP address as lists compare it: ``::ffff:1.2.3.4`` is IPv4."""
    if ip_address.startswith(_MAPPED) and "." in ip_address:
        return ip_address[len(_MAPPED) :]
    return ip_address


@dataclass(slots=True)
class ProxyResult:
    """What is known of a connection that had to begin with a header.

    ``proxy`` is who connected, ``received`` the socket of ours that it connected
    to.  ``client`` and ``external`` are the header's source and destination, None
    where it named none.  ``reason`` says what was wrong, for the log.
    """

    status: ProxyStatus
    proxy: Endpoint
    received: Endpoint
    version: int = 0
    client: Endpoint | None = None
    external: Endpoint | None = None
    tlvs: TLVs = NO_TLVS
    reason: str = ""

    @property
    def is_local(self) -> bool:
        """True where the proxy spoke for itself: a health check.

        Version 1 has no word for that; there it names its own end of the connection.
        """
        return self.status is ProxyStatus.LOCAL or self.client == self.proxy

    @property
    def has_failed(self) -> bool:
        """True where a header was due and no good one came."""
        return self.status in (ProxyStatus.TIMEOUT, ProxyStatus.INVALID)
