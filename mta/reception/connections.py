"""How many clients are connected, in all and from each address."""

from __future__ import annotations


class Connections:
    """Counts the connections of all listeners of a process."""

    def __init__(self) -> None:
        self.count = 0
        self._by_address: dict[str, int] = {}

    def enter(self, ip_address: str) -> None:
        """Count a connection that has begun."""
        self.count += 1
        self._by_address[ip_address] = self._by_address.get(ip_address, 0) + 1

    def leave(self, ip_address: str) -> None:
        """Count a connection that has ended."""
        self.count -= 1
        rest = self._by_address[ip_address] - 1
        if rest:
            self._by_address[ip_address] = rest
        else:
            del self._by_address[ip_address]

    def of(self, ip_address: str) -> int:
        """Return how many connections there are from one address."""
        return self._by_address.get(ip_address, 0)
