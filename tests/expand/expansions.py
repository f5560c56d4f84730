"""What the tests of expansions share."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address, parse_address
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.message import Bytes, HeaderSection, Message, Recipient
from mta.options import Source
from mta.recipient import RoutedAddress
from mta.taint import Tainted, is_tainted
from mta.testing import result_of

LANGUAGE = Language.load()


def site(**facts: Any) -> Site:
    """Return a site that has the expansion language."""
    return Site(language=LANGUAGE, **facts)


def tainted_address(text: str) -> Address:
    """Return an address as it comes from a client."""
    return parse_address(Tainted(text))


def routed(text: str, **facts: Any) -> RoutedAddress:
    """Return an address that is being routed."""
    address = tainted_address(text)
    return RoutedAddress(
        address,
        Recipient(address),
        local_part=address.local_part.lower(),
        domain=address.domain.lower(),
        **facts,
    )


def message(header: bytes = b"", body: bytes = b"", **facts: Any) -> Message:
    """Return a message of a header section and a body."""
    return Message(header=HeaderSection(header), body=Bytes(body), **facts)


class ExpansionTestCase(SynchronousTestCase):
    """A test case that expands strings."""

    def setUp(self) -> None:
        """Begin with a context that knows nothing."""
        self.context = Context(site())

    def expand(self, text: str) -> str:
        """Return the expansion of a string of the configuration."""
        template = LANGUAGE.template(text, Source("mta.conf", 7, "option"))
        return result_of(template.expand(self.context))

    def check(self, *pairs: tuple[str, str]) -> None:
        """Assert what strings expand to."""
        for text, expected in pairs:
            self.assertEqual((text, self.expand(text)), (text, expected))

    def check_errors(self, error: type[Exception], *texts: str) -> None:
        """Assert that strings fail."""
        for text in texts:
            try:
                result = self.expand(text)
            except error as raised:
                self.assertIs(type(raised), error, text)
            else:
                self.fail(f"{text} gave {result!r}")

    def assert_tainted(self, text: str) -> None:
        """Assert that the expansion of a string is tainted."""
        self.assertTrue(is_tainted(self.expand(text)), text)

    def assert_trusted(self, text: str) -> None:
        """Assert that the expansion of a string is not tainted."""
        self.assertFalse(is_tainted(self.expand(text)), text)
