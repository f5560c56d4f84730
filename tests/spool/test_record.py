"""Tests of the record of a message."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, Address, from_wire
from mta.connection import Connection, TLSFacts
from mta.message import Message, Recipient
from mta.spool.record import RecordError, decode, encode, read_envelope
from mta.taint import Tainted, is_tainted


def full_message() -> Message:
    """Return a message in which nothing has its standard value."""
    return Message(
        message_id="1r31fw-000000000Ju-264a",
        sender=Address(Tainted("ann"), Tainted("example.com")),
        recipients=[
            Recipient(
                Address(Tainted("bob"), Tainted("example.org")), reason="no route"
            ),
            Recipient(
                Address(Tainted("cid"), Tainted("example.org")),
                notify=("SUCCESS", "DELAY"),
                original=Tainted("rfc822;cid"),
                errors_to="list-owner@example.org",
                done=True,
                done_children=["x@example.org", Tainted("y@example.org")],
            ),
        ],
        connection=Connection(
            peer_address="192.0.2.1",
            peer_port=4000,
            host_name="client.example",
            helo_name=Tainted("client"),
            esmtp=True,
            tls=TLSFacts("TLS1.3", "TLS1.3:AES:256", sni=Tainted("mx"), ocsp=4),
            acl_variables={"c0": "plain", "c1": Tainted("theirs")},
        ),
        received_at=1_700_000_000.125,
        body_type="8BITMIME",
        smtputf8=True,
        envelope_id=Tainted("id+1"),
        acl_variables={"m_x": Tainted("mine")},
        frozen=True,
        warnings=2,
        line_count=7,
        requiretls=True,
    )


class RecordTests(SynchronousTestCase):
    """Writing a record and reading it again."""

    def test_all_fields(self) -> None:
        """What is read is what was written."""
        message = full_message()

        found = decode(encode(message))

        message.header = found.header
        self.assertEqual(found, message)

    def test_standard_message(self) -> None:
        """A message of which little is known comes back the same."""
        found = decode(encode(Message(message_id="x")))

        self.assertEqual(found.message_id, "x")
        self.assertIs(found.sender, NULL_PATH)
        self.assertIsNone(found.connection.host_name)

    def test_taint(self) -> None:
        """What came from the network is still known for it, the rest still trusted."""
        found = decode(encode(full_message()))

        tainted = [
            *found.sender,
            *found.recipients[0].address,
            found.recipients[1].original,
            found.recipients[1].done_children[1],
            found.connection.helo_name,
            found.connection.acl_variables["c1"],
            found.acl_variables["m_x"],
            found.envelope_id,
        ]
        trusted = [
            found.message_id,
            found.connection.peer_address,
            found.connection.acl_variables["c0"],
            found.recipients[1].done_children[0],
        ]
        self.assertTrue(all(is_tainted(text) for text in tainted))
        self.assertFalse(any(is_tainted(text) for text in trusted))

    def test_octets_that_are_no_text(self) -> None:
        """Octets of the wire that are no UTF-8 survive."""
        message = Message(connection=Connection(helo_name=from_wire(b"a\xff\xfeb")))

        found = decode(encode(message)).connection.helo_name

        self.assertEqual(found.encode("utf-8", "surrogateescape"), b"a\xff\xfeb")

    @settings(max_examples=50, deadline=None)
    @given(st.text(), st.text(), st.booleans())
    def test_any_texts(self, local_part: str, domain: str, done: bool) -> None:
        """Any text may be in an address."""
        address = Address(Tainted(local_part), Tainted(domain))
        message = Message(recipients=[Recipient(address, done=done)])

        found = decode(encode(message)).recipients[0]

        self.assertEqual((found.address, found.done), (address, done))

    def test_envelope_alone(self) -> None:
        """A listing needs sender and recipients, and who of them is done."""
        sender, recipients, reasons = read_envelope(encode(full_message()))

        self.assertEqual(sender, "ann@example.com")
        self.assertEqual(
            recipients, [("bob@example.org", False), ("cid@example.org", True)]
        )
        self.assertEqual("no route", reasons["bob@example.org"])


class BrokenRecordTests(SynchronousTestCase):
    """Records that were damaged."""

    def test_cut_off(self) -> None:
        """A record cut at any octet is refused as such, with no other error."""
        octets = encode(full_message())
        for end in range(len(octets)):
            with self.assertRaises(RecordError):
                decode(octets[:end])
            with self.assertRaises(RecordError):
                read_envelope(octets[:end])

    def test_wrong_content(self) -> None:
        """A record in which a value has another shape is refused."""
        record = json.loads(encode(full_message()))
        for name, value in (
            ("version", 99),
            ("sender", 5),
            ("sender", [1, 2]),
            ("recipients", {"a": 1}),
            ("recipients", [["only"]]),
            ("message", ["x"] * 19),
            ("message", [0] * 19),
            ("message", ["x"] + [0] * 200),
            ("connection", None),
        ):
            with self.assertRaises(RecordError, msg=f"{name}={value}"):
                decode(json.dumps({**record, name: value}).encode())

    def test_fewer_values(self) -> None:
        """A record of a version that knew fewer attributes is read."""
        record = json.loads(encode(full_message()))
        record["message"] = record["message"][:3]

        found = decode(json.dumps(record).encode())

        self.assertEqual(found.message_id, "1r31fw-000000000Ju-264a")
        self.assertFalse(found.frozen)
        self.assertFalse(found.requiretls)
