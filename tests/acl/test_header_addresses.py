"""Addresses in header sections."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.acl.header_addresses import (
    blind_recipient,
    parse_address_list,
    syntax_fault,
)
from mta.address import AddressError, parse_address
from mta.message import HeaderSection, Message, Recipient


class AddressListTests(SynchronousTestCase):
    """The value of To: and its kin."""

    def test_forms(self) -> None:
        """All forms of RFC 5322 give their addresses."""
        for text, wanted in {
            "a@b.c": ["a@b.c"],
            "A B <a@b.c>, d@e.f": ["a@b.c", "d@e.f"],
            '"B, A" <a@b.c>': ["a@b.c"],
            '"<x>" <a@b.c>': ["a@b.c"],
            "a@b.c (a, comment (nested) \\) here), d@e.f": ["a@b.c", "d@e.f"],
            "friends: a@b.c, D <d@e.f>;, g@h.i": ["a@b.c", "d@e.f", "g@h.i"],
            "nobody:;": [],
            '"a b"@c.d': ['"a b"@c.d'],
            "a @ b . c": ["a@b.c"],
            "a@[192.0.2.1]": ["a@[192.0.2.1]"],
            "a@[IPv6:2001:db8::1]": ["a@[IPv6:2001:db8::1]"],
            "<@x.y,@z.a:a@b.c>": ["a@b.c"],
            "": [],
            ",,": [],
        }.items():
            found = [address.text for address in parse_address_list(text)]

            self.assertEqual(wanted, found, text)

    def test_faults(self) -> None:
        """What is no address is an error."""
        for text in ("a b@c.d", "A <a@b.c", "<a@b.c> x", "a@", "<>", 'a"b@c.d'):
            self.assertRaises(AddressError, parse_address_list, text)

    def test_any_text(self) -> None:
        """Whatever is written, only AddressError is raised."""

        @given(st.text(alphabet='a@b.c"\\()<>,;: []', max_size=40))
        def check(text: str) -> None:
            try:
                parse_address_list(text)
            except AddressError:
                pass

        check()


class SyntaxFaultTests(SynchronousTestCase):
    """The first malformed address of a header section."""

    def test_good(self) -> None:
        """Well-formed addresses, other fields and empty ones are no fault."""
        section = HeaderSection(b"From: a@b.c\r\nTo:\r\n x <d@e.f>\r\nBcc:\r\nX: <\r\n")

        self.assertEqual("", syntax_fault(section))

    def test_bad(self) -> None:
        """The fault names field and address."""
        section = HeaderSection(b"From: a@b.c\r\nCc: d@e.f, x y@z\r\n")

        fault = syntax_fault(section)

        self.assertIn('failing address in "Cc:" header is: x y@z', fault)

    def test_unqualified(self) -> None:
        """An address needs a domain."""
        self.assertIn("unqualified", syntax_fault(HeaderSection(b"To: bob\r\n")))


class BlindRecipientTests(SynchronousTestCase):
    """A recipient that the header section does not name."""

    def message(self, header: bytes, *recipients: str) -> Message:
        """Return a message."""
        return Message(
            header=HeaderSection(header),
            recipients=[Recipient(parse_address(text)) for text in recipients],
        )

    def test_all_named(self) -> None:
        """To: and Cc: count together."""
        message = self.message(b"To: a@b.c\r\nCc: X <d@E.f>\r\n", "d@e.f", "a@b.c")

        self.assertIsNone(blind_recipient(message, ignore_case=False))

    def test_one_missing(self) -> None:
        """Bcc: does not count, nor does a malformed address."""
        message = self.message(b"To: a@b.c, <\r\nBcc: d@e.f\r\n", "a@b.c", "d@e.f")

        found = blind_recipient(message, ignore_case=False)

        self.assertEqual("d@e.f", found and found.address.text)

    def test_case(self) -> None:
        """The case of local parts counts unless it is to be ignored."""
        message = self.message(b"To: A@b.c\r\n", "a@b.c")

        self.assertIsNotNone(blind_recipient(message, ignore_case=False))
        self.assertIsNone(blind_recipient(message, ignore_case=True))
