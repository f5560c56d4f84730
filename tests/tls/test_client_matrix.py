"""Every staple, asked for or not, required or not, in both versions of TLS."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.connection import TLSFacts
from mta.tls.client import ClientTLS, ClientTLSSession
from mta.tls.policy import ClientTLSPolicy, Staple, Verify
from tests.tls.plain_speaking import VERSIONS, PlainServer, load
from tests.tls.proofs import DAY, HOUR, Authority, Holder
from tests.tls.staple_cases import Case, World, cases, worlds

NUMBERS = {"good": 4, "none": 1}
WORLDS = worlds()
NOW = WORLDS[0].now


def negotiate(session: ClientTLSSession, server: PlainServer) -> TLSFacts | None:
    """Return what a handshake shows; None where it fails, as the session then knows."""
    connection = session.clientConnectionForTLS(None)
    connection.set_connect_state()
    try:
        for _ in range(10):
            with contextlib.suppress(SSL.WantReadError):
                connection.do_handshake()
            octets = b""
            with contextlib.suppress(SSL.WantReadError):
                octets = connection.bio_read(1 << 16)
            answer = server.turn(octets)
            if answer:
                connection.bio_write(answer)
    except SSL.Error as error:
        session.failed("(SSL_connect): failed", error)
        return None
    finally:
        server.close()
    return session.facts(connection)


class MatrixCase(SynchronousTestCase):
    """Handshakes with a server that staples whatever it is told to."""

    def setUp(self) -> None:
        if load() is None:
            self.skipTest("there is no OpenSSL 3 to serve with")

    def trust(self, world: World) -> str:
        """Return a file with the authority of a world."""
        descriptor, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        with open(descriptor, "wb") as file:
            file.write(world.authority.holder.pem)
        return path

    def shake_hands(
        self, tls: ClientTLS, case: Case, version: str, **facts: Any
    ) -> tuple[ClientTLSSession, TLSFacts | None]:
        """Return a session after its handshake, and what it shows."""
        session = tls.session(ClientTLSPolicy(name="mx.example", **facts))
        server = PlainServer(case.host, case.staple, version)
        return session, negotiate(session, server)


class StapleMatrixTests(MatrixCase):
    def each(self, staple: Staple, check: Any, verify: Verify = Verify.TRY) -> None:
        """Check every case in each version of TLS."""
        count = 0
        for world in WORLDS:
            trusted = self.trust(world)
            tls = ClientTLS(world.now.timestamp)
            for case in cases(world):
                for version in VERSIONS:
                    count += 1
                    session, facts = self.shake_hands(
                        tls, case, version, certificates=trusted, staple=staple,
                        verify=verify,
                    )  # fmt: skip
                    try:
                        check(case, session, facts)
                    except Exception as error:
                        raise AssertionError(f"{case.name}, {version}") from error
        self.assertGreaterEqual(count, 2 * 60)

    def test_off(self) -> None:
        """Where no staple is asked for none is looked at, whatever it says."""

        def check(case: Case, session: ClientTLSSession, facts: TLSFacts) -> None:
            self.assertEqual((facts.ocsp, facts.staple), (0, ""))
            self.assertTrue(facts.verified)
            self.assertFalse(session.is_refused)

        self.each(Staple.UNWANTED, check)

    def test_requested(self) -> None:
        """Requested: the verdict is told; only a revoked certificate is not verified."""

        def check(
            case: Case, session: ClientTLSSession, facts: TLSFacts | None
        ) -> None:
            self.assertEqual(session.staple.word, case.word)
            self.assertEqual(session.staple.number, NUMBERS.get(case.word, 3))
            self.assertEqual(session.may_try_without_staple, not case.is_readable)
            if facts is None:
                self.assertFalse(case.is_readable)
                return
            self.assertEqual(facts.verified, case.word != "revoked")
            self.assertEqual(facts.ocsp, session.staple.number)
            self.assertFalse(session.is_refused)

        self.each(Staple.REQUEST, check)

    def test_requested_and_verified(self) -> None:
        """Where the certificate must be verified, a revoked one ends the session."""

        def check(
            case: Case, session: ClientTLSSession, facts: TLSFacts | None
        ) -> None:
            self.assertEqual(session.is_refused, case.word == "revoked")
            if case.word == "revoked":
                self.assertIsNone(facts)
                self.assertIn("Server certificate revoked", session.refusal_text)

        self.each(Staple.REQUEST, check, Verify.REQUIRE)

    def test_required(self) -> None:
        """Required: only a good one lets the session go on, the others say why."""

        def check(
            case: Case, session: ClientTLSSession, facts: TLSFacts | None
        ) -> None:
            self.assertEqual(session.staple.word, case.word)
            self.assertEqual(facts is None, case.word != "good")
            self.assertFalse(session.may_try_without_staple)
            if case.word == "good":
                self.assertEqual(session.refusal_text, "")
                self.assertTrue(session.verdict.ocsp.met)
                return
            self.assertTrue(session.is_refused)
            self.assertEqual(
                session.refusal_text, f"(SSL_connect) {session.staple.failure_text}"
            )
            self.assertTrue(session.verdict.ocsp.is_violated)

        self.each(Staple.REQUIRE, check)


class ChainMatrixTests(MatrixCase):
    """Good staples beside chains of every kind."""

    def found(
        self, server: tuple[Holder, bytes, Sequence[Holder]], **facts: Any
    ) -> list[tuple[ClientTLSSession, TLSFacts | None]]:
        """Return sessions with a server in both versions, and what they show."""
        tls = ClientTLS()
        facts.setdefault("name", "mx.example")
        results = []
        for version in VERSIONS:
            session = tls.session(ClientTLSPolicy(**facts))
            host, staple, issuers = server
            shown = negotiate(session, PlainServer(host, staple, version, issuers))
            results.append((session, shown))
        return results

    def trusted(self, *holders: Holder) -> str:
        """Return a file with certificates to trust."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"".join(holder.pem for holder in holders))
        return path

    def test_untrusted(self) -> None:
        """A staple of a stranger proves nothing: 2, or the end of the session."""
        stranger = Authority("Stranger", now=NOW)
        ours = self.trusted(WORLDS[1].authority.holder)
        host = stranger.issue()
        server = (host, stranger.respond(host.certificate), [stranger.holder])

        for verify in (Verify.TRY, Verify.NEVER):
            for session, facts in self.found(
                server, certificates=ours, staple=Staple.REQUEST, verify=verify
            ):
                assert facts is not None
                self.assertEqual((facts.ocsp, facts.staple), (2, "untrusted"))
                self.assertFalse(facts.verified or session.is_refused)
            for session, facts in self.found(
                server, certificates=ours, staple=Staple.REQUIRE, verify=verify
            ):
                self.assertIsNone(facts)
                self.assertEqual(
                    session.refusal_text,
                    "(SSL_connect) Received TLS cert status response, itself "
                    "unverifiable: self-signed certificate in certificate chain",
                )

    def test_expired_certificate(self) -> None:
        """A good staple does not lengthen a certificate's life."""
        authority = Authority(now=NOW)
        host = authority.issue(end=NOW - HOUR)
        server = (host, authority.respond(host.certificate), [])
        trusted = self.trusted(authority.holder)

        for _session, facts in self.found(
            server, certificates=trusted, staple=Staple.REQUEST
        ):
            assert facts is not None
            self.assertEqual((facts.staple, facts.verified), ("untrusted", False))
        for session, facts in self.found(
            server, certificates=trusted, staple=Staple.REQUIRE
        ):
            self.assertIsNone(facts)
            self.assertIn("certificate has expired", session.refusal_text)

    def test_unverified_by_wish(self) -> None:
        """Without verification a required staple must still lead to the authority."""
        authority = Authority(now=NOW)
        host = authority.issue("other.example")
        server = (host, authority.respond(host.certificate), [])

        for session, facts in self.found(
            server,
            certificates=self.trusted(authority.holder),
            staple=Staple.REQUIRE,
            verify=Verify.NEVER,
        ):
            assert facts is not None
            self.assertEqual((facts.ocsp, facts.verified), (4, False))
            self.assertFalse(session.is_refused)

    def test_other_name(self) -> None:
        """A good staple of another host's certificate does not make it this one's."""
        authority = Authority(now=NOW)
        host = authority.issue("other.example")
        server = (host, authority.respond(host.certificate), [])
        trusted = self.trusted(authority.holder)

        for verify, refused in ((Verify.TRY, False), (Verify.REQUIRE, True)):
            for session, facts in self.found(
                server, certificates=trusted, staple=Staple.REQUIRE, verify=verify
            ):
                assert facts is not None
                self.assertEqual((facts.ocsp, facts.verified), (4, False))
                self.assertIs(session.is_refused, refused)

    def test_intermediate(self) -> None:
        """The issuer answers, be it one between; nobody above it does."""
        root = Authority("Root", now=NOW)
        between = root.authority("Between")
        host = between.issue()
        trusted = self.trusted(root.holder)
        by_issuer = between.respond(host.certificate)
        by_root = between.respond(host.certificate, signer=root.holder)

        for issuers, staple, word in (
            ([between.holder], by_issuer, "good"),
            ([between.holder, root.holder], by_issuer, "good"),
            ([between.holder], by_root, "unverifiable"),
            ([], by_issuer, "untrusted"),
        ):
            for session, _facts in self.found(
                (host, staple, issuers), certificates=trusted, staple=Staple.REQUEST
            ):
                self.assertEqual(session.staple.word, word)

    def test_own_issuer(self) -> None:
        """A trusted certificate that signed itself answers for itself."""
        authority = Authority("mx.example", now=NOW)
        # Without the usages that keep an authority from being a server.
        authority.holder.certificate = authority._certificate(
            authority.subject,
            authority.key.public_key(),
            NOW + DAY,
            [(x509.BasicConstraints(ca=True, path_length=None), True)],
        )
        staple = authority.respond(authority.certificate)

        for _session, facts in self.found(
            (authority.holder, staple, []),
            certificates=self.trusted(authority.holder),
            staple=Staple.REQUIRE,
            name="",
        ):
            assert facts is not None
            self.assertEqual(facts.staple, "good")

    def test_refused_chain(self) -> None:
        """A chain that must be verified ends the session before the staple."""
        stranger = Authority("Stranger", now=NOW)
        host = stranger.issue()

        for session, facts in self.found(
            (host, stranger.respond(host.certificate), []),
            certificates=self.trusted(WORLDS[1].authority.holder),
            staple=Staple.REQUIRE,
            verify=Verify.REQUIRE,
        ):
            self.assertIsNone(facts)
            self.assertEqual(
                session.refusal_text,
                "(SSL_connect): certificate verification failed: "
                "unable to get local issuer certificate",
            )


class EndTests(MatrixCase):
    """How long what was proved holds."""

    def test_good_until(self) -> None:
        """A required staple holds to its end, one that was requested for ever."""
        world = WORLDS[1]
        end = NOW + DAY
        case = world.case("good", world.respond(end=end), "good")
        tls = ClientTLS(NOW.timestamp)
        for staple, until in (
            (Staple.REQUIRE, end.timestamp() + 300),
            (Staple.REQUEST, math.inf),
        ):
            session, _ = self.shake_hands(
                tls, case, "TLS1.3", staple=staple, certificates=self.trust(world)
            )
            self.assertEqual(session.good_until, until)


class SecondOpinionTests(SynchronousTestCase):
    """What OpenSSL's own tool says of the same responses."""

    def setUp(self) -> None:
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed")
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def opinion(self, case: Case) -> bool:
        """Return whether the tool calls a response good."""
        for name, octets in (
            ("response", case.staple or b""),
            ("ca.pem", case.authority.holder.pem),
            ("host.pem", case.host.pem),
        ):
            (self.directory / name).write_bytes(octets)
        done = subprocess.run(
            [
                "openssl", "ocsp", f"-{case.identifier}", "-respin", "response",
                "-CAfile", "ca.pem", "-issuer", "ca.pem", "-cert", "host.pem",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False,
            cwd=self.directory,
        )  # fmt: skip
        text = done.stdout.decode()
        return (
            "Response verify OK" in text
            and ": good" in text
            and "Status times invalid" not in text
        )

    def test_all(self) -> None:
        """The tool agrees wherever it can judge."""
        judged = 0
        # Made now: the tool goes by the clock, and other tests may have taken minutes.
        for world in worlds():
            for case in cases(world):
                if case.opinion is not None:
                    judged += 1
                    self.assertEqual(self.opinion(case), case.opinion, case.name)
        self.assertGreaterEqual(judged, 60)
