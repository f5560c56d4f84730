"""Handshakes with servers that TLSA records vouch for, or do not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.connection import TLSFacts
from mta.tls.client import ClientTLS, ClientTLSSession
from mta.tls.client_dane import dane_check
from mta.tls.dane import NO_MATCH, OTHER_NAME, DANEVerdict
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify
from mta.tls.tlsa import TLSA, usable_records
from mta.tls.verdict import UNASKED
from tests.tls.chains import Certified, Family, certify
from tests.tls.proofs import DAY, NOW, REVOKED, Authority
from tests.tls.test_client import shake_hands

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)
PAST = {"begin": NOW - 60 * DAY, "end": NOW - DAY}


def server_end(
    chain: Sequence[Certified], version: int, staple: bytes = b""
) -> SSL.Connection:
    """Return a server's end that sends a chain, its own certificate first."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    own, *others = chain
    context.use_certificate(own.certificate)
    context.use_privatekey(own.key)
    for other in others:
        context.add_extra_chain_cert(other.certificate)
    if staple:
        context.set_ocsp_server_callback(lambda _connection, _facts: staple)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


@dataclass(frozen=True)
class Situation:
    """What a server sends, which certificate is published, and what comes of it."""

    chain: list[Certified]
    published: dict[int, Certified]
    problems: dict[int, str]


def situations() -> Iterator[tuple[str, Situation]]:
    """Give servers, by usage: whose certificate is published, and the problem."""
    good, strange = Family(), Family()
    expired = Family(**PAST)
    renamed = Family(names=["other.example"])
    alone = certify("mx.example", names=["mx.example"])
    strangers = {3: strange.host, 2: strange.middle}
    for name, family, problem in (
        ("match", good, ""),
        ("expired", expired, "expired"),
        ("wrong name", renamed, OTHER_NAME),
    ):
        chain = [family.host, family.middle]
        published = {3: family.host, 2: family.middle}
        yield name, Situation(chain, published, {3: "", 2: problem})
    both = {3: NO_MATCH, 2: NO_MATCH}
    yield "mismatch", Situation([good.host, good.middle], strangers, both)
    own = {3: alone, 2: alone}
    yield "self-signed", Situation([alone], own, {3: "", 2: NO_MATCH})


class DANECase(SynchronousTestCase):
    def setUp(self) -> None:
        self.tls = ClientTLS(NOW.timestamp)

    def session(self, *records: TLSA, **facts: Any) -> ClientTLSSession:
        """Return a session for a host with such records."""
        facts.setdefault("dane_names", ("mx.example",))
        policy = ClientTLSPolicy(
            Start.REQUIRED,
            Verify.NEVER,
            server_name="mx.example",
            dane=usable_records(records),
            **facts,
        )
        return self.tls.session(policy)

    def negotiate(
        self,
        session: ClientTLSSession,
        chain: Sequence[Certified],
        version: int = SSL.TLS1_3_VERSION,
        staple: bytes = b"",
    ) -> TLSFacts:
        """Return what a handshake with a server shows."""
        connection = session.clientConnectionForTLS(None)
        shake_hands(connection, server_end(chain, version, staple))
        return session.facts(connection)


class MatrixTests(DANECase):
    """Usage, selector, matching type, server and version of TLS."""

    def check(self, version: int) -> int:
        """Shake hands in every case with one version; return how many there are."""
        count = 0
        for (name, situation), usage, selector, matching in itertools.product(
            situations(), (2, 3), (0, 1), (0, 1, 2)
        ):
            record = situation.published[usage].record(usage, selector, matching)
            problem = situation.problems[usage]
            if (name, usage, selector, matching) == ("self-signed", 2, 1, 0):
                # Its key is published whole, and did sign the certificate.
                problem = ""
            if (name, usage, matching) == ("mismatch", 2, 0) and selector == 0:
                # The other authority is trusted, and did not sign the certificate.
                problem = "certificate verification failed"
            session = self.session(record)

            facts = self.negotiate(session, situation.chain, version)

            case = f"{name} {usage} {selector} {matching}: {session.problem}"
            self.assertEqual(facts.verified, not problem, case)
            self.assertEqual(facts.dane, not problem, case)
            self.assertEqual(session.is_refused, bool(problem), case)
            self.assertIn(problem, session.refusal_text, case)
            self.assertEqual(facts.tlsa_usage, 1 << usage)
            count += 1
        return count

    def test_older(self) -> None:
        """All cases with TLS 1.2."""
        self.assertEqual(self.check(SSL.TLS1_2_VERSION), 60)

    def test_newer(self) -> None:
        """All cases with TLS 1.3."""
        self.assertEqual(self.check(SSL.TLS1_3_VERSION), 60)


class PolicyTests(DANECase):
    def test_demands(self) -> None:
        """With TLSA records nothing goes in clear, or to somebody unknown."""
        records = usable_records([Family().host.record(3)])
        for start in (Start.OFFERED, Start.REQUIRED, Start.ON_CONNECT):
            policy = ClientTLSPolicy(start, Verify.NEVER, dane=records)

            self.assertTrue(policy.demands_certificate)
            self.assertFalse(policy.allows_clear_text)

    def test_not_looked_at(self) -> None:
        """Before the handshake nothing is verified."""
        session = self.session(Family().host.record(3))

        self.assertNotEqual(session.problem, "")

    def test_without_records(self) -> None:
        """Sessions without records know nothing of DANE."""
        family = Family()
        session = self.tls.session(ClientTLSPolicy(verify=Verify.NEVER))

        facts = self.negotiate(session, [family.host])

        self.assertEqual((facts.dane, facts.tlsa_usage), (False, 0))
        self.assertEqual(session.verdict.dane, UNASKED)
        self.assertEqual(session.verdict.policies, ())

    def test_verdict(self) -> None:
        """The verdict says which records there were, and whose, and what came of it."""
        family = Family()
        record = family.host.record(3)
        strange = Family().middle.record(2, 1, 2)
        for records, names, result_type in (
            ([record], ("mx.example",), ""),
            ([strange], ("mx.example",), "validation-failure"),
            (
                [family.middle.record(2)],
                ("x.example", "y.example"),
                "certificate-host-mismatch",
            ),
        ):
            session = self.session(*records, dane_names=names)
            self.negotiate(session, [family.host, family.middle])

            check = session.verdict.dane
            self.assertEqual((check.required, check.met), (True, not result_type))
            self.assertEqual(check.result_type, result_type)
            [policy] = session.verdict.policies
            self.assertEqual((policy.kind, policy.domain), ("tlsa", names[0]))
            [text] = policy.strings
            usage, selector, matching, octets = text.split()
            self.assertEqual(
                TLSA(int(usage), int(selector), int(matching), bytes.fromhex(octets)),
                records[0],
            )

    def test_handshake_fails(self) -> None:
        """A handshake that fails leaves the records in the verdict, unmet."""
        session = self.session(Family().host.record(3))
        session.clientConnectionForTLS(None)

        session.failed("wrong version number", None)

        self.assertEqual(len(session.verdict.policies), 1)
        self.assertFalse(session.verdict.tls.met)
        self.assertTrue(session.is_refused)

    def test_check(self) -> None:
        """A check without a verdict of its own is required and not met."""
        policy = ClientTLSPolicy(dane=usable_records([Family().host.record(3)]))

        self.assertTrue(dane_check(None, policy).is_violated)
        self.assertTrue(dane_check(DANEVerdict(None, "no"), policy).is_violated)
        self.assertIs(dane_check(None, ClientTLSPolicy()), UNASKED)


class StapleTests(DANECase):
    """OCSP responses where TLSA records take the place of trusted authorities."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        holder = self.authority.issue("mx.example")
        self.host = Certified(holder.certificate, holder.key)
        self.issuer = Certified(self.authority.certificate, self.authority.key)
        self.good = self.authority.respond(self.host.certificate)
        self.revoked = self.authority.respond(self.host.certificate, REVOKED)

    def staple(
        self, *records: TLSA, staple: bytes, wanted: Staple, version: int
    ) -> tuple[ClientTLSSession, int]:
        """Return a session and the number of what came of the staple."""
        session = self.session(*records, staple=wanted)
        facts = self.negotiate(session, [self.host, self.issuer], version, staple)
        return session, facts.ocsp

    def test_good(self) -> None:
        """A good one is good for either usage: its signer signed the certificate."""
        for version, usage in itertools.product(VERSIONS, (2, 3)):
            published = self.issuer if usage == 2 else self.host

            session, number = self.staple(
                published.record(usage),
                staple=self.good,
                wanted=Staple.REQUIRE,
                version=version,
            )

            self.assertEqual((number, session.is_refused), (4, False))

    def test_missing(self) -> None:
        """Without one a session ends that requires it, and no other."""
        for version, wanted in itertools.product(
            VERSIONS, (Staple.REQUEST, Staple.REQUIRE)
        ):
            session = self.session(self.issuer.record(2), staple=wanted)
            try:
                self.negotiate(session, [self.host, self.issuer], version)
            except SSL.Error as error:
                self.assertIs(wanted, Staple.REQUIRE)
                session.failed("status", error)

            self.assertEqual(session.is_refused, wanted is Staple.REQUIRE)

    def test_revoked(self) -> None:
        """A revoked certificate is not verified, however well it is published."""
        for version, usage, wanted in itertools.product(
            VERSIONS, (2, 3), (Staple.REQUEST, Staple.REQUIRE)
        ):
            published = self.issuer if usage == 2 else self.host
            session = self.session(published.record(usage), staple=wanted)
            with self.assertRaises(SSL.Error) as caught:
                self.negotiate(session, [self.host, self.issuer], version, self.revoked)
            session.failed("status", caught.exception)

            self.assertTrue(session.is_refused)
            self.assertIn("revoked", session.refusal_text)

    def test_strange_signer(self) -> None:
        """One by another authority of the same name proves nothing."""
        other = Authority().respond(self.host.certificate)
        for version in VERSIONS:
            session = self.session(self.issuer.record(2), staple=Staple.REQUIRE)

            with self.assertRaises(SSL.Error):
                self.negotiate(session, [self.host, self.issuer], version, other)

            self.assertFalse(session.staple.is_good)

    def test_not_vouched_for(self) -> None:
        """Where no record matches, a good staple does not help."""
        for version in VERSIONS:
            session, number = self.staple(
                Family().host.record(3),
                staple=self.good,
                wanted=Staple.REQUEST,
                version=version,
            )

            self.assertEqual(number, 2)
            self.assertTrue(session.is_refused)

    def test_issuer_not_sent(self) -> None:
        """A staple is worth nothing where nobody knows who may sign it."""
        session = self.session(self.host.record(3), staple=Staple.REQUEST)

        facts = self.negotiate(session, [self.host], staple=self.good)

        self.assertEqual(facts.ocsp, 2)
        self.assertFalse(session.is_refused)
