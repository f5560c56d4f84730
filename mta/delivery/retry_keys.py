"""The keys under which failures of addresses are remembered (Exim chapter 32)."""

from __future__ import annotations

from mta.address import Address
from mta.recipient import RoutedAddress
from mta.transports.base import Transport


def own_key(address: RoutedAddress, transport: Transport, sender: Address) -> str:
    """Return the key of a failure that concerns an address, not its hosts."""
    if not transport.is_remote:
        by_address = transport.retry_use_local_part is not False
        return f"T:{address.address.key if by_address else address.domain}"
    key = f"T:{address.address.key}"
    if getattr(transport, "address_retry_include_sender", True):
        return f"{key}:{sender.text}"
    return key


def own_keys(
    address: RoutedAddress, transport: Transport, sender: Address
) -> tuple[str, ...]:
    """Return every key that may tell of an address: for remote ones two."""
    if not transport.is_remote:
        return (own_key(address, transport, sender),)
    key = f"T:{address.address.key}"
    return key, f"{key}:{sender.text}"
