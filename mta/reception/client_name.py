"""Whether the name that a client gave in HELO or EHLO is its own."""

from __future__ import annotations

from ipaddress import ip_address

from mta.expand.context import Context
from mta.host import Outcome
from mta.lists.host_names import forward_addresses, look_up_host_name


async def verify_helo(context: Context) -> Outcome:
    """Say whether the name in HELO is the client's own (``helo_verify_hosts``).

    FOUND where it is its address as a literal, its looked-up name, or a name that
    has its address; AGAIN where that could not be found out.
    """
    connection, resolver = context.connection, context.site.resolver
    connection.helo_dnssec = False
    helo = str(connection.helo_name).lower().rstrip(".")
    peer = _plain(connection.peer_address)
    if helo.startswith("["):
        return _found(_plain(helo.strip("[]").removeprefix("ipv6:")) == peer)
    if resolver is None:
        return Outcome.AGAIN
    await look_up_host_name(connection, resolver)
    names = (connection.host_name or "", *connection.host_aliases)
    if helo in (name.lower() for name in names):
        connection.helo_dnssec = connection.host_dnssec and helo == names[0].lower()
        return Outcome.FOUND
    forward = await forward_addresses(helo, resolver)
    if peer in map(_plain, forward.records):
        connection.helo_dnssec = forward.secure
        return Outcome.FOUND
    if forward.outcome is Outcome.AGAIN or connection.host_lookup_deferred:
        return Outcome.AGAIN
    return Outcome.NO_DATA


def _found(same: bool) -> Outcome:
    return Outcome.FOUND if same else Outcome.NO_DATA


def _plain(address: str) -> str:
    """Return an address in its one canonical form; empty where it is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)
