"""Generic transport options; the outcome per recipient (Exim chapter 24)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.address import NULL_PATH, Address
from mta.expand.context import Context
from mta.interfaces import IRetryHints, ITransport
from mta.message import Message
from mta.options import Configurable
from mta.plugins import extension
from mta.recipient import Outcome, RoutedAddress

transport = extension(ITransport)


@dataclass(slots=True)
class Batch:
    """Addresses of one message that one transport delivers together.

    All have the same transport, hosts, return path and header changes.  ``context``
    is for expansions; its ``address`` is the first one, ``addresses`` all of them.
    """

    message: Message
    addresses: list[RoutedAddress]
    context: Context
    return_path: Address = NULL_PATH
    hints: IRetryHints | None = None
    options: dict[str, str] = field(default_factory=dict)


class Transport(Configurable):
    """A transport instance; drivers add their options and ``deliver``."""

    is_remote = False

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Deliver and return an outcome for every address of the batch.

        Expected failures are outcomes; an exception means a defect, and the caller
        defers the addresses.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """End what is kept between deliveries, such as idle connections."""
