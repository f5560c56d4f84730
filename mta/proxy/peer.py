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
