"""TLSA records as they are on the wire, good or not."""

from __future__ import annotations

import os
import struct
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from mta.dns.associations import association, with_opaque_associations
from mta.host import Answer, Outcome
from tests.dns.asking import ResolverCase
from tests.dns.server import SOA, response

NAME = "_25._tcp.a.example"
DIGEST = bytes(range(32))
GOOD = b"\3\1\1" + DIGEST
TLSA, CNAME, RRSIG = 52, 5, 46


def record(content: bytes, number: int = TLSA) -> bytes:
    """Return a record of the name that is asked for, as it is on the wire."""
    return struct.pack("!HHHIH", 0xC00C, number, 1, 60, len(content)) + content


def message(query: dns.message.Message, *records: bytes, flags: int = 0x8180) -> bytes:
    """Return an answer with such records."""
    question = query.question[0].name.to_wire() + struct.pack("!HH", TLSA, 1)
    head = struct.pack("!HHHHHH", query.id, flags, 1, len(records), 0, 0)
    return head + question + b"".join(records)


class AssociationTests(ResolverCase):
    async def ask(self, *records: bytes, by_stream: bool = False) -> Answer:
        """Return what the resolver says of an answer with these records."""

        def whole(query: dns.message.Message) -> list[bytes]:
            return [message(query, *records, flags=0x81A0)]

        def cut(query: dns.message.Message) -> list[bytes]:
            return [response(query, flags=dns.flags.TC).to_wire()]

        server = self.serve(cut, whole) if by_stream else self.serve(whole)
        return await self.resolver(server).query(NAME, "TLSA")

    async def test_good(self) -> None:
        """A record is four values, and the answer is secure."""
        answer = await self.ask(record(GOOD))

        self.assertEqual(answer.records, ((3, 1, 1, DIGEST),))
        self.assertTrue(answer.secure)

    async def test_odd(self) -> None:
        """Records that are odd are given as they are, beside the good ones."""
        for content, expected in (
            (b"", (-1, -1, -1, b"")),
            (b"\3", (3, -1, -1, b"")),
            (b"\3\1\1", (3, 1, 1, b"")),
            (b"\3\1\1x", (3, 1, 1, b"x")),
            (b"\3\1\2" + DIGEST, (3, 1, 2, DIGEST)),
            (b"\xff\xff\xff\0", (255, 255, 255, b"\0")),
        ):
            answer = await self.ask(record(content), record(GOOD))

            self.assertEqual(set(answer.records), {expected, (3, 1, 1, DIGEST)})
            self.assertTrue(answer.secure)

    async def test_large(self) -> None:
        """A hundred records, or one of all the octets that there can be."""
        many = [record(b"\3\1\1" + bytes([n]) * 32) for n in range(100)]
        huge = b"\3\1\0" + os.urandom(65000)

        self.assertEqual(len((await self.ask(*many, by_stream=True)).records), 100)
        self.assertEqual(
            (await self.ask(record(huge), by_stream=True)).records,
            ((3, 1, 0, huge[3:]),),
        )

    async def test_alias(self) -> None:
        """An alias of the name is followed."""
        for end in (b"\4tlsa\0", b"\4tlsa\xc0\x15"):
            alias = record(end, CNAME)

            def by_udp(
                query: dns.message.Message, alias: bytes = alias, end: bytes = end
            ) -> list[bytes]:
                other = record(GOOD).replace(b"\xc0\x0c", end, 1)
                return [message(query, alias, other, flags=0x81A0)]

            answer = await self.resolver(self.serve(by_udp)).query(NAME, "TLSA")

            self.assertEqual(answer.records, ((3, 1, 1, DIGEST),))
            self.assertTrue(answer.name.startswith("tlsa"))

    async def test_none(self) -> None:
        """No records and no such name are what they are."""
        for code, outcome in (
            (dns.rcode.NOERROR, Outcome.NO_DATA),
            (dns.rcode.NXDOMAIN, Outcome.NO_DOMAIN),
        ):

            def by_udp(query: dns.message.Message, code: Any = code) -> list[bytes]:
                return [response(query, code=code, authority=(SOA,)).to_wire()]

            answer = await self.resolver(self.serve(by_udp)).query(NAME, "TLSA")

            self.assertIs(answer.outcome, outcome)

    async def test_cut(self) -> None:
        """An answer that ends anywhere is none."""

        def by_udp(query: dns.message.Message) -> list[bytes]:
            whole = message(query, record(GOOD))
            return [whole[:end] for end in range(len(whole))]

        answer = await self.resolver(self.serve(by_udp)).query(NAME, "TLSA")

        self.assertIs(answer.outcome, Outcome.AGAIN)

    async def test_private_number(self) -> None:
        """Records that really have the private number are not TLSA records."""
        answer = await self.ask(record(GOOD, 65280))

        self.assertNotEqual(answer.records, ((3, 1, 1, DIGEST),))


class OpaqueTests(ResolverCase):
    def test_others(self) -> None:
        """Records of other kinds, and questions, keep their numbers."""
        query = dns.message.make_query("a.example.", "TLSA")
        whole = response(
            query,
            ("a.example.", 60, "IN", "A", "192.0.2.1"),
            ("a.example.", 60, "IN", "TLSA", "3 1 1 " + "00" * 32),
            authority=(SOA,),
        ).to_wire()

        changed = dns.message.from_wire(with_opaque_associations(whole))

        self.assertEqual(changed.question[0].rdtype, dns.rdatatype.TLSA)
        kinds = [rrset.rdtype for rrset in changed.answer + changed.authority]
        self.assertEqual(kinds, [1, 65280, 6])

    def test_noise(self) -> None:
        """Noise and messages that are cut are left alone, and in bounded time."""
        query = dns.message.make_query("a.example.", "TLSA")
        whole = response(
            query, ("a.example.", 60, "IN", "TLSA", "3 1 1 " + "00" * 32)
        ).to_wire()
        for end in range(len(whole)):
            self.assertEqual(
                with_opaque_associations(whole[:end])[:12], whole[:12][:end]
            )
        for _ in range(200):
            noise = os.urandom(200)
            self.assertEqual(len(with_opaque_associations(noise)), 200)

    def test_association(self) -> None:
        """What is missing of a record is -1, which nobody can publish."""
        self.assertEqual(association(GOOD), (3, 1, 1, DIGEST))
        self.assertEqual(association(b"\3\1"), (3, 1, -1, b""))
