"""The verified reverse name of a client (Exim chapter 10, "Host lists")."""

from __future__ import annotations

import ipaddress
from typing import Any

from mta.connection import Connection
from mta.host import Answer, Outcome
from mta.interfaces import IResolver
from mta.taint import Tainted

_NAMES_LIMIT = 10


async def forward_addresses(name: str, resolver: IResolver) -> Answer:
    """Return the IP addresses of a name from the DNS, else from the system."""
    answer = await resolver.addresses(name)
    if answer:
        return answer
    system_answer = await resolver.system_addresses(name)
    if system_answer or answer.outcome is not Outcome.AGAIN:
        return system_answer
    return answer


async def look_up_host_name(connection: Connection, resolver: IResolver) -> str:
    """Return the client's name, which is kept in the connection; empty for none.

    A name is believed only if the client's address is one of the name's own.  The
    connection then says whether the look-up failed or should be tried again.
    """
    if connection.host_name is not None:
        return connection.host_name
    ip_address = connection.peer_address
    answer = await resolver.reverse(ip_address)
    names: list[str] = []
    is_secure = False
    is_deferred = answer.outcome is Outcome.AGAIN
    for name in answer.records[:_NAMES_LIMIT]:
        forward = await forward_addresses(str(name), resolver)
        if forward.outcome is Outcome.AGAIN:
            is_deferred = True
        if any(_same_address(ip_address, found) for found in forward.records):
            if not names:
                is_secure = answer.secure and forward.secure
            names.append(Tainted(str(name)))
    if connection.peer_address != ip_address:
        # A PROXY header came meanwhile: what was found concerns somebody else.
        return await look_up_host_name(connection, resolver)
    connection.host_name = names[0] if names else ""
    connection.host_aliases = tuple(names[1:])
    connection.host_dnssec = is_secure
    connection.host_lookup_failed = not names
    connection.host_lookup_deferred = not names and is_deferred
    return connection.host_name


def plain_address(ip_address: str) -> str:
    """Return an IP address as Exim compares it: ``::ffff:1.2.3.4`` is IPv4."""
    if ip_address[:7].lower() == "::ffff:" and "." in ip_address:
        return ip_address[7:]
    return ip_address


def _same_address(one: str, other: Any) -> bool:
    if one == other:
        return True
    try:
        first = ipaddress.ip_address(plain_address(one))
        return first == ipaddress.ip_address(plain_address(str(other)))
    except ValueError:
        return False
