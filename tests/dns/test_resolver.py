"""The stub resolver against name servers on the loopback."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.rcode
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mta.dns import Resolver
from mta.host import Answer, Outcome
from tests.dns.asking import AAAA, A, ResolverCase, answering
from tests.dns.server import SOA, response


class OutcomeTests(ResolverCase):
    async def ask(
        self, by_udp: Any, kind: str = "A", name: str = "a.example"
    ) -> Answer:
        """Return what a resolver says of what one server says."""
        self.server = self.serve(by_udp)
        return await self.resolver(self.server).query(name, kind)

    async def test_found(self) -> None:
        """Records are plain values."""
        answer = await self.ask(answering(A))

        self.assertIs(answer.outcome, Outcome.FOUND)
        self.assertEqual(set(answer.records), {"192.0.2.1", "192.0.2.2"})
        self.assertEqual(answer.ttl, 60)

    async def test_kinds(self) -> None:
        """Every kind has its form."""
        for kind, text, value in (
            ("MX", "10 mx.example.", (10, "mx.example")),
            ("MX", "0 .", (0, "")),
            ("TXT", '"v=spf1 " "-all"', b"v=spf1 -all"),
            ("SRV", "1 2 25 mx.example.", (1, 2, 25, "mx.example")),
            ("TLSA", "3 1 1 " + "00ff" * 16, (3, 1, 1, b"\x00\xff" * 16)),
            ("CNAME", "b.example.", "b.example"),
            ("NS", "b.example.", "b.example"),
        ):
            answer = await self.ask(
                answering(("a.example.", 60, "IN", kind, text)), kind
            )
            self.assertEqual(answer.records, (value,))

    async def test_no_data(self) -> None:
        """A name without such records is no missing name."""
        answer = await self.ask(answering(authority=(SOA,)))

        self.assertIs(answer.outcome, Outcome.NO_DATA)
        self.assertEqual(answer.ttl, 60)

    async def test_no_domain(self) -> None:
        """A name that does not exist."""
        code = dns.rcode.NXDOMAIN

        answer = await self.ask(answering(authority=(SOA,), code=code))

        self.assertIs(answer.outcome, Outcome.NO_DOMAIN)

    async def test_server_failure(self) -> None:
        """SERVFAIL and REFUSED say nothing of the name."""
        for code in (dns.rcode.SERVFAIL, dns.rcode.REFUSED):
            answer = await self.ask(answering(code=code))

            self.assertIs(answer.outcome, Outcome.AGAIN)
            self.assertIn(dns.rcode.to_text(code), answer.text)

    async def test_silence(self) -> None:
        """No answer is AGAIN."""
        answer = await self.ask(lambda query: [])

        self.assertIs(answer.outcome, Outcome.AGAIN)
        self.assertIn("no answer in time", answer.text)

    async def test_aliases(self) -> None:
        """CNAMEs in the answer are followed."""
        answer = await self.ask(
            answering(("b.example.", 20, "IN", "CNAME", "a.example."), A),
            name="b.example",
        )

        self.assertEqual(set(answer.records), {"192.0.2.1", "192.0.2.2"})
        self.assertEqual((answer.ttl, answer.name), (20, "a.example"))

    async def test_alias_of_nothing(self) -> None:
        """An alias whose end has no such records has none."""
        alias = ("b.example.", 20, "IN", "CNAME", "a.example.")

        answer = await self.ask(answering(alias, authority=(SOA,)), name="b.example")

        self.assertIs(answer.outcome, Outcome.NO_DATA)

    async def test_no_alias(self) -> None:
        """A name that has the records itself stands for no other."""
        answer = await self.ask(answering(A))

        self.assertEqual(answer.name, "")

    async def test_endless_aliases(self) -> None:
        """A loop of CNAMEs is no answer."""
        answer = await self.ask(
            answering(("a.example.", 20, "IN", "CNAME", "a.example."))
        )

        self.assertIs(answer.outcome, Outcome.AGAIN)

    async def test_names_that_are_none(self) -> None:
        """What is no domain name is not asked for."""
        resolver = self.resolver(self.serve(answering(A)))
        for name in ("", "a..example", "x" * 64 + ".example", "a\\b.example"):
            answer = await resolver.query(name, "A")
            self.assertIs(answer.outcome, Outcome.NO_DOMAIN, name)

    async def test_international(self) -> None:
        """A name in other scripts is asked for in A-labels, those of services as well."""
        for name, asked in (
            ("bücher.example", "xn--bcher-kva.example."),
            ("Bücher。example", "xn--bcher-kva.example."),
            ("_25._tcp.bücher.example", "_25._tcp.xn--bcher-kva.example."),
        ):
            await self.ask(answering(), name=name)

            question = self.server.asked[0].question[0]
            self.assertEqual(question.name.to_text(), asked)

    async def test_every_cut(self) -> None:
        """An answer cut anywhere is never taken for one."""

        def cut(query: dns.message.Message) -> list[bytes]:
            wire = response(query, A).to_wire()
            return [wire[:end] for end in range(len(wire))]

        answer = await self.ask(cut)

        self.assertIs(answer.outcome, Outcome.AGAIN)


class QuestionTests(ResolverCase):
    async def test_question(self) -> None:
        """A question asks for EDNS, DNSSEC data and the AD bit."""
        server = self.serve(answering(A))

        await self.resolver(server).query("a.example", "A")

        [query] = server.asked
        self.assertEqual((query.edns, query.payload), (0, 1232))
        self.assertTrue(query.ednsflags & dns.flags.DO)
        self.assertTrue(query.flags & dns.flags.AD)
        self.assertTrue(query.flags & dns.flags.RD)

    async def test_ports_and_ids(self) -> None:
        """Every question has a port and an id of its own."""
        server = self.serve(answering(code=dns.rcode.SERVFAIL))
        resolver = self.resolver(server)

        for _ in range(8):
            await resolver.query("a.example", "A")

        self.assertGreater(len(set(server.ports)), 4)
        self.assertGreater(len({query.id for query in server.asked}), 4)

    async def test_foreign_answers(self) -> None:
        """Garbage, other ids and other questions are ignored until the answer."""

        def by_udp(query: dns.message.Message) -> list[bytes]:
            other_id = response(query, code=dns.rcode.NXDOMAIN)
            other_id.id = query.id ^ 1
            other = dns.message.make_query("b.example", "A", id=query.id)
            return [
                b"",
                b"garbage",
                query.id.to_bytes(2, "big") + b"\x81\x80" + b"\xff" * 20,
                other_id.to_wire(),
                response(other, code=dns.rcode.NXDOMAIN).to_wire(),
                response(query, A).to_wire(),
            ]

        answer = await self.resolver(self.serve(by_udp)).query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.FOUND)

    async def test_truncated(self) -> None:
        """A truncated answer is asked for again by TCP."""
        server = self.serve(answering(flags=dns.flags.TC), answering(A))

        answer = await self.resolver(server).query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.FOUND)
        self.assertEqual(server.by_stream, 1)

    async def test_truncated_and_closed(self) -> None:
        """Where TCP gives nothing, the answer is AGAIN, not what was cut."""
        server = self.serve(answering(A, flags=dns.flags.TC), lambda query: [b""])

        answer = await self.resolver(server).query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.AGAIN)

    async def test_without_edns(self) -> None:
        """A server that does not know EDNS is asked without."""

        def by_udp(query: dns.message.Message) -> list[bytes]:
            if query.edns >= 0:
                return [response(query, code=dns.rcode.FORMERR).to_wire()]
            return [response(query, A).to_wire()]

        answer = await self.resolver(self.serve(by_udp)).query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.FOUND)


class ServerTests(ResolverCase):
    async def test_next(self) -> None:
        """A server that fails or is silent leads to the next."""
        for first in (answering(code=dns.rcode.SERVFAIL), lambda query: []):
            good = self.serve(answering(A))
            resolver = self.resolver(self.serve(first), good)

            answer = await resolver.query("a.example", "A")

            self.assertIs(answer.outcome, Outcome.FOUND)

    async def test_silent_one_is_avoided(self) -> None:
        """A silent server is not the first to be asked the next time."""
        silent, good = self.serve(lambda query: []), self.serve(answering(A))
        resolver = self.resolver(silent, good)
        await resolver.query("a.example", "A")

        await resolver.query("b.example", "A")

        self.assertEqual((len(silent.asked), len(good.asked)), (1, 2))

    async def test_unreachable(self) -> None:
        """A server that cannot be reached at all is no exception."""
        good = self.serve(answering(A))
        resolver = Resolver(
            reactor,
            [("255.255.255.255", 53), ("127.0.0.1", 1), good.address],
            timeout=0.2,
            attempts=1,
        )

        answer = await resolver.query("a.example", "A")

        self.assertIs(answer.outcome, Outcome.FOUND)


class CacheTests(ResolverCase):
    async def test_kept(self) -> None:
        """Answers are kept, those that say no as well, in any case of letters."""
        for facts in ({}, {"code": dns.rcode.NXDOMAIN, "authority": (SOA,)}):
            records = () if facts else (A,)
            server = self.serve(answering(*records, **facts))
            resolver = self.resolver(server)

            first = await resolver.query("a.example", "A")
            second = await resolver.query("A.Example.", "a")

            self.assertEqual(first, second)
            self.assertEqual(len(server.asked), 1)

    async def test_failures_are_not_kept(self) -> None:
        """What was AGAIN is asked for again."""
        server = self.serve(answering(code=dns.rcode.SERVFAIL))
        resolver = self.resolver(server)

        await resolver.query("a.example", "A")
        await resolver.query("a.example", "A")

        self.assertEqual(len(server.asked), 2)

    async def test_no_time_to_live(self) -> None:
        """What may not be kept is not kept."""
        server = self.serve(answering(("a.example.", 0, "IN", "A", "192.0.2.1")))
        resolver = self.resolver(server)

        await resolver.query("a.example", "A")
        await resolver.query("a.example", "A")

        self.assertEqual(len(server.asked), 2)

    async def test_at_once(self) -> None:
        """Equal questions at one time are one question."""
        server = self.serve(answering(A))
        resolver = self.resolver(server)
        asked = [
            Deferred.fromCoroutine(resolver.query("a.example", "A")) for _ in range(5)
        ]

        answers = [await one for one in asked]

        self.assertEqual({answer.outcome for answer in answers}, {Outcome.FOUND})
        self.assertEqual(len(server.asked), 1)


class AddressTests(ResolverCase):
    def answer(self, **outcomes: Any) -> Any:
        """Return what answers for A and AAAA apart."""

        def by_udp(query: dns.message.Message) -> list[bytes]:
            kind = "AAAA" if query.question[0].rdtype == 28 else "A"
            given = outcomes[kind]
            if isinstance(given, int):
                return [response(query, code=given).to_wire()]
            return [response(query, *given).to_wire()]

        return by_udp

    async def test_both(self) -> None:
        """IPv6 comes first."""
        resolver = self.resolver(self.serve(self.answer(A=[A], AAAA=[AAAA])))

        answer = await resolver.addresses("a.example")

        self.assertEqual(answer.records[0], "2001:db8::1")
        self.assertEqual(set(answer.records[1:]), {"192.0.2.1", "192.0.2.2"})
        self.assertEqual(answer.ttl, 30)
        only = await resolver.addresses("a.example", ipv6=False)
        self.assertEqual(set(only.records), {"192.0.2.1", "192.0.2.2"})

    async def test_alias_of_both(self) -> None:
        """The name behind an alias is told where both families have the same."""
        alias = ("b.example.", 20, "IN", "CNAME", "a.example.")
        resolver = self.resolver(self.serve(self.answer(A=[alias, A], AAAA=[alias])))

        answer = await resolver.addresses("b.example")

        self.assertEqual(answer.name, "a.example")

    async def test_one_family_fails(self) -> None:
        """One family is enough; without any, a failure is not "none"."""
        failure = dns.rcode.SERVFAIL
        some = self.resolver(self.serve(self.answer(A=[A], AAAA=failure)))
        none = self.resolver(self.serve(self.answer(A=[], AAAA=failure)))

        self.assertIs((await some.addresses("a.example")).outcome, Outcome.FOUND)
        self.assertIs((await none.addresses("a.example")).outcome, Outcome.AGAIN)

    async def test_without_asking(self) -> None:
        """Literals and localhost are known."""
        server = self.serve(answering(A))
        resolver = self.resolver(server)

        literal = await resolver.addresses("2001:DB8::1")
        local = await resolver.addresses("localhost")

        self.assertEqual(literal.records, ("2001:db8::1",))
        self.assertEqual(local.records, ("::1", "127.0.0.1"))
        self.assertEqual(server.asked, [])

    async def test_reverse(self) -> None:
        """The names of an IP address."""
        record = ("1.2.0.192.in-addr.arpa.", 60, "IN", "PTR", "mx.example.")
        server = self.serve(answering(record))
        resolver = self.resolver(server)

        self.assertEqual((await resolver.reverse("192.0.2.1")).records, ("mx.example",))
        self.assertEqual((await resolver.reverse("127.0.0.1")).records, ("localhost",))
        self.assertIs((await resolver.reverse("x")).outcome, Outcome.NO_DOMAIN)

    async def test_system(self) -> None:
        """What the operating system says."""
        resolver = self.resolver(self.serve(answering()))

        found = await resolver.system_addresses("localhost")
        literal = await resolver.system_addresses("192.0.2.9")

        self.assertIn("127.0.0.1", found.records)
        self.assertEqual(literal.records, ("192.0.2.9",))
