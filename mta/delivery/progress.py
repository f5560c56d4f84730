"""How far the delivery of one message has come, and what is still owed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mta.address import Address
from mta.delivery.retry import Prospect
from mta.message import Message, Recipient
from mta.recipient import Outcome, RoutedAddress


@dataclass(slots=True)
class Delivered:
    """A delivery that was made, as its log line needs it."""

    outcome: Outcome
    return_path: Address
    first: bool
    size: int


@dataclass(slots=True)
class Waiting:
    """An address that could not be delivered now, and what comes of that."""

    outcome: Outcome
    prospect: Prospect


@dataclass(slots=True)
class Failed:
    """An address that will never be delivered; ``return_path`` gets the report."""

    outcome: Outcome
    return_path: Address
    timed_out: bool = False


@dataclass(slots=True)
class Progress:
    """What an attempt at a message has brought so far.

    ``unlogged`` are deliveries that are not yet durable, so not yet in the log.
    ``freeze`` says why the message is to be frozen, empty where it is not.
    """

    message: Message
    forced: bool = False
    queue_running: bool = False
    delivered: list[Delivered] = field(default_factory=list)
    unlogged: list[Delivered] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    discarded: list[RoutedAddress] = field(default_factory=list)
    bypassed: list[RoutedAddress] = field(default_factory=list)
    freeze: str | None = None
    _owed: Counter[int] = field(default_factory=Counter)

    def owe(self, address: RoutedAddress) -> None:
        """Note that a delivery (or a report) is owed to an address."""
        self._owed[id(address.recipient)] += 1

    def finish(self, address: RoutedAddress) -> None:
        """Note that an address is delivered, or failed and reported.

        A recipient is done when nothing more is owed to it.  The keys of its
        children are kept, so that none is delivered again while others wait.
        """
        recipient = address.recipient
        if address.parent is not None or address.unseen:
            recipient.done_children.append(address.key)
        self._owed[id(recipient)] -= 1
        self.check(recipient)

    def check(self, recipient: Recipient) -> None:
        """Mark a recipient done if nothing is owed to it."""
        if self._owed[id(recipient)] <= 0:
            recipient.done = True

    @property
    def is_complete(self) -> bool:
        """Whether nothing is owed to any recipient."""
        return all(recipient.done for recipient in self.message.recipients)

    @property
    def next_try(self) -> float | None:
        """The earliest time at which one of the waiting addresses is due."""
        return min((one.prospect.next_try for one in self.waiting), default=None)

    @property
    def retry_until(self) -> float | None:
        """The last time at which a waiting address is still tried, if known."""
        ends = [one.prospect.until for one in self.waiting if one.prospect.until]
        return max(ends, default=None)


def done_keys(message: Message) -> set[str]:
    """Return the keys of all addresses of a message that nothing is owed to."""
    keys = {key for recipient in message.recipients for key in recipient.done_children}
    keys.update(r.address.key for r in message.recipients if r.done)
    return keys
