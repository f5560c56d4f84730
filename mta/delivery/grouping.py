"""Which addresses of a message go together in one delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mta.address import NULL_PATH, Address, AddressError, parse_address
from mta.message import Message
from mta.recipient import RoutedAddress
from mta.transports.base import Transport


@dataclass(slots=True, eq=False)
class Group:
    """Addresses with one transport, the same hosts, return path and changes."""

    transport: Transport
    return_path: Address
    addresses: list[RoutedAddress] = field(default_factory=list)


def errors_path(message: Message, address: RoutedAddress) -> Address:
    """Return where reports about an address go, which is its return path too.

    ``errors_to`` of a router or of the recipient takes the sender's place.
    """
    text = address.errors_to
    if text is None:
        text = address.recipient.errors_to
    if text is None:
        return message.sender
    text = text.strip().removeprefix("<").removesuffix(">")
    if not text:
        return NULL_PATH
    try:
        return parse_address(text)
    except AddressError:
        return message.sender


def group(
    message: Message,
    addresses: Iterable[RoutedAddress],
    transports: Mapping[str, Transport],
) -> list[Group]:
    """Return the deliveries to make, local ones first (Exim chapter 3).

    Remote addresses with equal hosts go together, as many as ``max_rcpt`` lets and
    domains mixed where ``multi_domain`` lets them, so that a transport's options may
    depend on what all have; local ones one by one, unless ``batch_max`` lets several.
    """
    groups: list[Group] = []
    open_groups: dict[tuple[Any, ...], Group] = {}
    for address in addresses:
        transport = transports[address.transport]
        path = errors_path(message, address)
        limit = _limit(transport, address)
        key = _key(address, path, transport) if limit != 1 else ()
        found = open_groups.get(key) if key else None
        if found is None:
            found = Group(transport, path)
            groups.append(found)
            if key:
                open_groups[key] = found
        found.addresses.append(address)
        if limit and len(found.addresses) >= limit:
            open_groups.pop(key, None)
    groups.sort(key=lambda one: one.transport.is_remote)
    return groups


def _limit(transport: Transport, address: RoutedAddress) -> int:
    """Return how many addresses go together; 0 stands for any number."""
    if transport.is_remote:
        max_rcpt = getattr(transport, "max_rcpt", None)
        # One that is not constant limits the transactions, but not the deliveries.
        constant: int | None = None if max_rcpt is None else max_rcpt.constant
        return constant or 0
    if address.pipe_command or address.file_name or address.reply_text is not None:
        return 1
    batch_max: int = getattr(transport, "batch_max", 1)
    if batch_max != 1 and _depends_on_local_part(transport):
        return 1
    return batch_max


def _depends_on_local_part(transport: Transport) -> bool:
    """Return whether an option's text is another one for each local part."""
    return any(
        "local_part" in setting.text
        for settings in transport.settings.values()
        for setting in settings
    )


def _has_many_domains(transport: Transport) -> bool:
    """Return whether one delivery may be for several domains, whatever they are."""
    multi_domain = getattr(transport, "multi_domain", None)
    return multi_domain is None or multi_domain.constant is True


def _key(
    address: RoutedAddress, path: Address, transport: Transport
) -> tuple[Any, ...]:
    is_mixed = address.hosts and _has_many_domains(transport)
    return (
        address.transport,
        tuple(address.hosts),
        path,
        tuple(address.headers_add),
        tuple(address.headers_remove),
        address.fallback_hosts,
        address.user,
        address.group,
        address.home,
        address.current_directory,
        None if is_mixed else address.domain,
    )
