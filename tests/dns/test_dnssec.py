"""What the resolver calls secure, and whom it believes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
from twisted.internet import reactor

from mta.dns import Resolver
from mta.errors import TemporaryFailure
from mta.host import Outcome
from tests.dns.asking import AAAA, A, ResolverCase, answering
from tests.dns.server import SOA, NameServer, response


class TrustTests(ResolverCase):
    async def test_trust(self) -> None:
        """The AD bit counts only from servers that are trusted."""
        server = self.serve(answering(A, flags=dns.flags.AD))

        near = await self.resolver(server).query("a.example", "A")
        far = await self.resolver(server, is_trusted=lambda ip: False).query(
            "a.example", "A"
        )

        self.assertEqual((near.secure, far.secure), (True, False))

    def test_trusted_file(self) -> None:
        """``trust-ad`` is about the servers of the file, not about others."""
        path = self.mktemp()
        text = "nameserver 192.0.2.53\noptions trust-ad\n"
        Path(path).write_text(text, encoding="ascii")
        trusting = Resolver(reactor, configuration=path)
        other = Resolver(reactor, [("192.0.2.53", 53)], configuration=path)

        self.assertTrue(trusting._is_trusted("192.0.2.53"))
        self.assertFalse(other._is_trusted("192.0.2.53"))

    async def test_without_dnssec(self) -> None:
        """Who does not want DNSSEC asks for nothing of it, and believes nothing."""
        server = self.serve(answering(A, flags=dns.flags.AD))

        answer = await self.resolver(server, dnssec=False).query("a.example", "A")

        self.assertFalse(answer.secure)
        [query] = server.asked
        self.assertFalse(query.ednsflags & dns.flags.DO)
        self.assertFalse(query.flags & dns.flags.AD)


class SeveralServersTests(ResolverCase):
    """A server that verifies, beside one that does not."""

    def pair(self, *by_udp: Any) -> tuple[Resolver, NameServer, NameServer]:
        """Return a resolver, a server that it trusts, and another."""
        near = self.serve(by_udp[0])
        far = self.serve(by_udp[1], interface="127.0.0.2")

        def is_trusted(ip_address: str) -> bool:
            return ip_address == "127.0.0.1"

        return self.resolver(near, far, is_trusted=is_trusted), near, far

    async def test_forged(self) -> None:
        """What the one refuses as forged the other is not asked for."""
        resolver, near, far = self.pair(
            answering(code=dns.rcode.SERVFAIL), answering(A)
        )

        answer = await resolver.query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.AGAIN)
        self.assertEqual((len(near.asked), len(far.asked)), (1, 0))

    async def test_silent(self) -> None:
        """Where the one is silent the other is asked, and is not preferred after."""
        silence: list[bytes] = []
        resolver, near, far = self.pair(lambda query: silence, answering(A))
        first = await resolver.query("a.example", "A")
        near.by_udp = answering(
            ("b.example.", 60, "IN", "A", "192.0.2.3"), flags=dns.flags.AD
        )

        second = await resolver.query("b.example", "A")

        self.assertEqual((first.outcome, first.secure), (Outcome.FOUND, False))
        self.assertTrue(second.secure)
        self.assertEqual(len(far.asked), 1)

    async def test_refused(self) -> None:
        """A server that refuses its service says nothing of the records."""
        resolver, _near, _far = self.pair(
            answering(code=dns.rcode.REFUSED), answering(A)
        )

        answer = await resolver.query("a.example", "A")

        self.assertEqual((answer.outcome, answer.secure), (Outcome.FOUND, False))


class OwnZoneTests(ResolverCase):
    """Servers that are believed in what they say of zones that they have."""

    NS = ("example.", 60, "IN", "NS", "ns.example.")

    async def is_secure(
        self, *records: Any, own: str = "example", trusted: bool = True, **facts: Any
    ) -> bool:
        """Return whether what is answered is believed; zones are kept."""
        self.zones: list[str] = []

        async def is_own(zone: str) -> bool:
            self.zones.append(zone)
            return zone == own

        facts.setdefault("flags", dns.flags.AA)
        facts.setdefault("authority", (self.NS,))
        resolver = self.resolver(
            self.serve(answering(*records, **facts)),
            is_own_zone=is_own,
            is_trusted=lambda ip_address: trusted,
        )
        answer = await resolver.query("a.example", "A")
        self.assertIsNot(answer.outcome, Outcome.AGAIN)
        return answer.secure

    async def test_own(self) -> None:
        """The zone of the answer's authority counts, of what there is and is not."""
        self.assertTrue(await self.is_secure(A))
        self.assertEqual(["example"], self.zones)
        self.assertTrue(await self.is_secure(authority=(SOA,)))
        self.assertFalse(await self.is_secure(A, own="other.example"))

    async def test_no_authority(self) -> None:
        """Without the AA bit or the right authority the zone is not asked for."""
        other = ("b.test.", 60, "IN", "NS", "ns.example.")
        for records, facts in (
            ((A,), {"flags": 0}),
            ((A,), {"authority": ()}),
            ((A,), {"authority": (SOA,)}),
            ((), {"authority": (self.NS,)}),
            ((A,), {"authority": (other,)}),
        ):
            self.assertFalse(await self.is_secure(*records, **facts))
            self.assertEqual([], self.zones)

    async def test_stranger(self) -> None:
        """A server that is not believed says nothing of zones, either."""
        self.assertFalse(await self.is_secure(A, trusted=False))
        self.assertEqual([], self.zones)

    async def test_alias(self) -> None:
        """An alias that leads out of the zone proves nothing, one inside does."""
        alias = ("a.example.", 60, "IN", "CNAME", "b.test.")
        out = ("b.test.", 60, "IN", "A", "192.0.2.1")
        self.assertFalse(await self.is_secure(alias, out))
        alias = ("a.example.", 60, "IN", "CNAME", "b.example.")
        inside = ("b.example.", 60, "IN", "A", "192.0.2.1")
        self.assertTrue(await self.is_secure(alias, inside))

    async def test_trouble(self) -> None:
        """Where it cannot be found out whether to believe, there is no answer."""

        async def is_own(zone: str) -> bool:
            raise TemporaryFailure("not now")

        server = self.serve(answering(A, flags=dns.flags.AA, authority=(self.NS,)))
        answer = await self.resolver(server, is_own_zone=is_own).query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.AGAIN)
        self.assertIn("whom to trust", answer.text)


class SecurityTests(ResolverCase):
    async def test_secure_aliases(self) -> None:
        """The AD bit is for the aliases, too; without it nothing is secure."""
        alias = ("b.example.", 20, "IN", "CNAME", "a.example.")
        for flags, secure in ((dns.flags.AD, True), (0, False), (dns.flags.AA, False)):
            answer = await self.resolver(
                self.serve(answering(alias, A, flags=flags))
            ).query("b.example", "A")

            self.assertIs(answer.secure, secure)

    async def test_signed(self) -> None:
        """Signatures beside the records, and other records, are left out."""
        signature = (
            "a.example.", 60, "IN", "RRSIG",
            "A 13 2 60 20300101000000 20200101000000 1 example. AAAA",
        )  # fmt: skip
        other = ("c.example.", 60, "IN", "A", "192.0.2.77")

        answer = await self.resolver(
            self.serve(answering(signature, other, A, flags=dns.flags.AD))
        ).query("a.example", "A")

        self.assertEqual(set(answer.records), {"192.0.2.1", "192.0.2.2"})
        self.assertTrue(answer.secure)

    async def test_security_of_both(self) -> None:
        """Addresses are secure where those of both families are that there are."""
        secure, insecure = (A, dns.flags.AD), (AAAA, 0)
        none = (None, 0)
        for ipv4, ipv6, expected in (
            (secure, insecure, False),
            (secure, none, True),
            (none, insecure, False),
            (secure, (AAAA, dns.flags.AD), True),
        ):

            def by_udp(
                query: dns.message.Message, ipv4: Any = ipv4, ipv6: Any = ipv6
            ) -> list[bytes]:
                record, flags = ipv6 if query.question[0].rdtype == 28 else ipv4
                records = () if record is None else (record,)
                return [response(query, *records, flags=flags).to_wire()]

            answer = await self.resolver(self.serve(by_udp)).addresses("a.example")

            self.assertIs(answer.secure, expected)
