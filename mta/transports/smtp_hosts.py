"""Hosts that an smtp transport names itself, and the keys of their retry times."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from mta.expand.context import Context
from mta.host import Answer, Host, Outcome
from mta.options import split_list
from mta.transports.smtp_problems import (
    DNS_DEFER,
    HOST_IS_LOCAL,
    UNKNOWN_HOST,
    Problem,
    Scope,
)


class Trust(Enum):
    """What DNSSEC means for the addresses of a host."""

    UNUSED = "they never count as authenticated"
    USED = "they may be"
    DEMANDED = "they must be"


@dataclass(slots=True)
class Candidates:
    """Hosts to try in order, and what is wrong with those that cannot be tried.

    ``refusal`` is set where nothing may be tried at all.
    """

    hosts: list[Host] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    refusal: Problem | None = None


async def find_hosts(
    text: str,
    context: Context,
    *,
    randomize: bool,
    by_name: bool,
    trust_in: Callable[[str, Context], Awaitable[Trust]],
    allow_local: bool,
    transport: str,
) -> Candidates:
    """Return the hosts of a list, names looked up (Exim chapter 30, "hosts").

    ``+`` parts groups that are put in random order, each for itself.
    """
    found = Candidates()
    for name, port in parse_hosts(text, randomize=randomize):
        answer = await _addresses(name, context, by_name)
        if not answer:
            again = answer.outcome is Outcome.AGAIN
            number = DNS_DEFER if again else UNKNOWN_HOST
            text = f"failed to look up IP address for {name}"
            found.problems.append(Problem(Scope.HOST, text, number, "lookup", "4.4.3"))
            continue
        trust = Trust.USED if is_ip_address(name) else await trust_in(name, context)
        if trust is Trust.DEMANDED and not answer.secure:
            text = f"host lookup for {name} done insecurely"
            found.problems.append(
                Problem(Scope.HOST, text, DNS_DEFER, "lookup", "4.7.5")
            )
            continue
        addresses = [str(record) for record in answer.records]
        if not allow_local and any(is_local(a, context) for a in addresses):
            text = f"{transport} transport found host {name} to be local"
            found.refusal = Problem(Scope.HOST, text, HOST_IS_LOCAL, "", "4.4.6")
            return found
        used = trust is not Trust.UNUSED
        host = Host(name, "", port, secure=answer.secure and used)
        host = replace(host, unasked=not used or by_name or is_ip_address(name))
        found.hosts += [replace(host, ip_address=address) for address in addresses]
    return found


async def _addresses(name: str, context: Context, by_name: bool) -> Answer:
    if is_ip_address(name):
        return Answer(Outcome.FOUND, (name,))
    resolver = context.site.resolver
    if resolver is None:
        return Answer(Outcome.AGAIN, text="no resolver")
    if by_name:
        return await resolver.system_addresses(name)
    return await resolver.addresses(name)


def is_local(ip_address: str, context: Context) -> bool:
    """Return whether an IP address is this machine."""
    if ip_address in context.site.local_addresses:
        return True
    try:
        literal = ipaddress.ip_address(ip_address)
    except ValueError:
        return False
    return literal.is_loopback or literal.is_unspecified


def parse_hosts(text: str, *, randomize: bool) -> list[tuple[str, int | None]]:
    """Return names and ports of a host list, put in random order where asked."""
    groups: list[list[tuple[str, int | None]]] = [[]]
    for item in split_list(text):
        if item == "+":
            groups.append([])
        elif item:
            groups[-1].append(parse_host(item))
    if randomize:
        for group in groups:
            random.shuffle(group)
    return [host for group in groups for host in group]


def parse_host(item: str) -> tuple[str, int | None]:
    """Return name and port of ``name``, ``name:port`` or ``[address]:port``."""
    if item.startswith("["):
        name, _, rest = item[1:].partition("]")
        port = rest.removeprefix(":")
    elif is_ip_address(item):
        return item, None
    else:
        name, _, port = item.partition(":")
    return name, int(port) if port.isascii() and port.isdigit() else None


def shuffled(hosts: Sequence[Host]) -> list[Host]:
    """Return hosts that came from no MX record in random order."""
    if any(host.preference >= 0 for host in hosts):
        return list(hosts)
    order = list(hosts)
    random.shuffle(order)
    return order


def port_number(text: str) -> int:
    """Return the number of a port or service; raise ValueError."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        number = int(text)
        if not 0 < number < 65536:
            raise ValueError(f'port "{text}" is out of range')
        return number
    try:
        return socket.getservbyname(text, "tcp")
    except OSError as error:
        raise ValueError(f'unknown port "{text}"') from error


def interface_for(ip_address: str, interfaces: Sequence[str]) -> str:
    """Return the first of our addresses that has the family of the host's."""
    for interface in interfaces:
        if (":" in interface) == (":" in ip_address):
            return interface
    return ""


def with_port(host: Host, port: int) -> Host:
    """Return the host with the port that is really used."""
    return host if host.port == port else replace(host, port=port)


def host_key(host: Host, port: int, interface: str, *, with_address: bool) -> str:
    """Return the key of a host's retry time (Exim chapter 32)."""
    key = f"T:{host.name}"
    if with_address:
        key += f":{host.ip_address}"
    if port != 25:
        key += f":{port}"
    if interface:
        key += f"/{interface}"
    return key


def ascii_name(name: str) -> str:
    """Return a host name in lower case and A-labels, as certificates have it."""
    if name.isascii():
        return name.removesuffix(".").lower()
    # Start-up time: it loads dnspython.
    from mta.dns.names import canonical_name  # noqa: PLC0415

    return canonical_name(name)


def is_ip_address(text: str) -> bool:
    """Return whether a text is an IP address and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
