"""What ``verify`` asks of a client itself: its names and its certificate."""

from __future__ import annotations

import ipaddress

from mta.acl.run import ACLError, ACLRun
from mta.acl.verify_syntax import Options, Verifying
from mta.errors import TemporaryFailure
from mta.host import Outcome
from mta.lists.host_names import (
    forward_addresses,
    look_up_host_name,
    plain_address,
)


async def verify_helo(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where the name in EHLO or HELO belongs to the client."""
    connection = run.subject.connection
    if connection.helo_verified or not connection.peer_address:
        return True
    name = connection.helo_name.lower().rstrip(".")
    if not name:
        return False
    if name.startswith("["):
        literal = name.strip("[]").removeprefix("ipv6:")
        connection.helo_verified = _same_address(literal, connection.peer_address)
        return connection.helo_verified
    resolver = run.context.site.resolver
    if resolver is None:
        raise ACLError("there is no resolver to verify a name with")
    await look_up_host_name(connection, resolver)
    names = (connection.host_name or "", *connection.host_aliases)
    if name in (known.lower() for known in names):
        is_first = name == names[0].lower()
        connection.helo_dnssec = connection.host_dnssec and is_first
        connection.helo_verified = True
        return True
    forward = await forward_addresses(name, resolver)
    connection.helo_verified = any(
        _same_address(connection.peer_address, found) for found in forward.records
    )
    connection.helo_dnssec = connection.helo_verified and forward.secure
    if not connection.helo_verified and forward.outcome is Outcome.AGAIN:
        raise TemporaryFailure("could not look up the name in HELO")
    return connection.helo_verified


def _same_address(one: str, other: str) -> bool:
    try:
        first = ipaddress.ip_address(plain_address(one))
        return first == ipaddress.ip_address(plain_address(other))
    except ValueError:
        return False


async def verify_reverse_host_lookup(
    run: ACLRun, value: Verifying, options: Options
) -> bool:
    """True where the client's address has a name that has the address."""
    connection = run.subject.connection
    if not connection.peer_address:
        return True
    resolver = run.context.site.resolver
    if resolver is None:
        raise ACLError("there is no resolver to look a host name up with")
    if await look_up_host_name(connection, resolver):
        return True
    if connection.host_lookup_deferred:
        log_text = "host lookup deferred for reverse lookup check"
        raise TemporaryFailure("", log_text=log_text)
    run.explain(
        "",
        "host lookup failed for reverse lookup check "
        f"(no host name found for IP address {connection.peer_address})",
    )
    return False


async def verify_certificate(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where the client has shown a certificate that was verified."""
    tls = run.subject.connection.tls
    if tls is not None and tls.verified:
        return True
    run.explain("no verified certificate")
    return False
