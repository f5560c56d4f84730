"""A message and a batch to deliver in tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, Address, parse_address
from mta.expand.context import Context, Site
from mta.message import Bytes, HeaderSection, IBody, Message, Recipient
from mta.recipient import RoutedAddress
from mta.testing import MemoryLogs
from mta.transports.base import Batch

HEADER = b"From: a@example.org\r\nSubject: x\r\n"
BODY = b"Hello\r\nFrom me\r\n"


def open_directory(case: SynchronousTestCase) -> str:
    """Return a directory that is removed after the test and open to every user."""
    directory = tempfile.mkdtemp()
    case.addCleanup(shutil.rmtree, directory)
    os.chmod(directory, 0o777)
    return directory


class Pieces:
    """A body that is not in memory, given in pieces of a chosen size."""

    inline = None

    def __init__(self, octets: bytes, size: int) -> None:
        self._octets = octets
        self._size = size

    @property
    def size(self) -> int:
        """Octets in all."""
        return len(self._octets)

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the octets in order."""
        for start in range(0, len(self._octets), self._size):
            yield self._octets[start : start + self._size]


def batch_of(
    *names: str,
    body: bytes | IBody = BODY,
    sender: Address = NULL_PATH,
    site: Site | None = None,
    **facts: Any,
) -> Batch:
    """Return a batch of a message for addresses, all with the same facts."""
    message = Message("1abcde-00000000001-0001", sender, header=HeaderSection(HEADER))
    message.body = Bytes(body) if isinstance(body, bytes) else body
    addresses = []
    for name in names or ("joe@example.com",):
        address = parse_address(name)
        recipient = Recipient(address)
        message.recipients.append(recipient)
        routed = RoutedAddress(address, recipient, **facts)
        routed.local_part, routed.domain = address
        addresses.append(routed)
    if site is None:
        site = Site(primary_hostname="mx.example", clock=lambda: 86400.0)
    site.logs = site.logs or MemoryLogs()
    context = Context(site, message=message, address=addresses[0], addresses=addresses)
    if os.geteuid() == 0 and "user" not in facts:
        for routed in addresses:
            routed.user, routed.group = 65534, 65534
    return Batch(message, addresses, context, sender)
