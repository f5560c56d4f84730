"""The iplsearch look-up: lines whose keys are IP addresses and networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from mta.errors import ExpansionError
from mta.interfaces import IResolver
from mta.lists.files import FileCache
from mta.lookups.base import Lookup, Style, absolute, lookup, unreadable
from mta.lookups.linear import entries

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(content: bytes) -> list[tuple[_Network | str, str, str]]:
    found: list[tuple[_Network | str, str, str]] = []
    for key, text in entries(content):
        try:
            found.append((ipaddress.ip_network(key, strict=False), key, text))
        except ValueError:
            # The default key of "iplsearch*" is the only other text of use here.
            if key == "*":
                found.append((key, key, text))
    return found


@lookup("iplsearch", style=Style.SINGLE_KEY, options=frozenset(("ret",)))
class NetworkSearch(Lookup):
    """Finds the first line with a network that the address is in."""

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._files = FileCache(_networks)

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return the data behind the network, or with ``ret=full`` the line."""
        full = options.get("ret") == "full"
        if not full and options.get("ret", "key") != "key":
            raise ExpansionError(f'unknown value "{options["ret"]}" of option "ret"')
        try:
            networks = self._files.get(absolute(source, "iplsearch"))
        except OSError as error:
            raise unreadable(source, "linear search", error) from error
        try:
            address = None if key == "*" else ipaddress.ip_address(key)
        except ValueError:
            return None
        for network, text, data in networks:
            if isinstance(network, str):
                matches = address is None
            else:
                matches = address is not None and address in network
            if matches:
                return f"{text} {data}" if full else data
        return None
