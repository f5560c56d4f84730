"""The address by which an inner protocol knows its client."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from mta.proxy.result import ProxyResult


@implementer(IAddress)
@dataclass(slots=True, unsafe_hash=True)
class ClientAddress:
    """Like Twisted's addresses, and says what came of the PROXY header.

    It goes through layers between, such as TLS, by ``getPeer``.
    """

    type: str
    host: str
    port: int
    proxy: ProxyResult = field(compare=False, repr=False)


def called_address(peer: ClientAddress) -> ClientAddress:
    """Return the address that a client connected to, as far as a header told it."""
    result = peer.proxy
    return ClientAddress("TCP", *(result.external or result.received), result)
