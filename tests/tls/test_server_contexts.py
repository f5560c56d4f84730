"""Tests of contexts that are made of files, kept and shared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.testing import MemoryLogs
from mta.tls import server_contexts
from mta.tls.openssl_options import DEFAULT_BITS
from mta.tls.policy import Verify
from mta.tls.server import ServerTLS
from mta.tls.server_contexts import ServerContexts
from mta.tls.server_settings import TLSSettings
from tests.tls.handshakes import client, serve
from tests.tls.lists import issue
from tests.tls.proofs import Authority, Holder

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY = Authority(now=NOW)
OTHERS = Authority("Others", now=NOW)
HOST = AUTHORITY.issue()
LATER = AUTHORITY.issue()
ANN = issue(AUTHORITY, host_name="ann.example")


class ContextTestCase(SynchronousTestCase):
    """The files of a host, and its clients."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.logs = MemoryLogs()
        self.now = NOW.timestamp()
        self.certificate = self.write("mx.pem", HOST.pem)
        self.key = self.write("mx.key", HOST.key_pem)
        self.authorities = self.write("ca.pem", AUTHORITY.holder.pem)
        self.contexts = self.make()

    def make(self, *, longest_prime: int = 2236) -> ServerContexts:
        """Return contexts of which none has been made."""
        return ServerContexts(
            host_name="mx.example",
            bits=DEFAULT_BITS,
            longest_prime=longest_prime,
            proofs=None,
            logs=self.logs,
            clock=lambda: self.now,
        )

    def write(self, name: str, octets: bytes) -> str:
        """Put a file in place at once; return its path."""
        path = self.directory / name
        temporary = self.directory / "temporary"
        temporary.write_bytes(octets)
        temporary.replace(path)
        return str(path)

    def context(self, **facts: str) -> SSL.Context:
        """Return the context for the host's files, some seconds later."""
        self.now += 6
        facts.setdefault("certificates", self.certificate)
        facts.setdefault("keys", self.key)
        return self.contexts.context(TLSSettings(**facts))

    def shown(self, **facts: str) -> object:
        """Return the certificate that a client is shown."""
        theirs = client()
        serve(ServerTLS(self.context(**facts)), theirs)
        return theirs.get_peer_certificate(as_cryptography=True)

    def verifying(self) -> SSL.Context:
        """Return the context for a client that is to have a certificate."""
        return self.context(authorities=self.authorities)

    def renew(self, holder: Holder) -> None:
        """Put another certificate in place, with its key."""
        self.write("mx.pem", holder.pem)
        self.write("mx.key", holder.key_pem)

    @property
    def panics(self) -> list[str]:
        """The lines of the panic log."""
        return [text for text, _ in self.logs.panic_lines]


class SharingTests(ContextTestCase):
    """Contexts are made once for each setting."""

    def test_shared(self) -> None:
        """The same settings have the same context, and others another."""
        self.assertIs(self.context(), self.context())
        self.assertIsNot(self.context(), self.verifying())
        self.assertIsNot(self.context(), self.context(ciphers="aECDSA"))
        self.assertIsNot(self.context(), self.context(groups="P-256"))
        self.assertIsNot(self.context(), self.context(prime="default"))

    def test_pairs(self) -> None:
        """What is served can be looked at."""
        self.context()
        self.verifying()
        self.context(certificates="", keys="")

        self.assertEqual(
            [HOST.certificate], [pair.certificate for pair in self.contexts.pairs()]
        )

    def test_self_signed(self) -> None:
        """Without files a certificate is made, and made anew before it ends."""
        first = self.shown(certificates="", keys="")
        same = self.shown(certificates="", keys="")
        self.now += 8 * 24 * 3600

        self.assertEqual(first, same)
        self.assertNotEqual(first, self.shown(certificates="", keys=""))

    def test_limit(self) -> None:
        """Not more are kept than anybody needs."""
        self.patch(server_contexts, "_REMEMBERED", 3)
        first = self.context()
        for number in range(3):
            self.context(ciphers=f"aECDSA:aRSA@SECLEVEL={number}")

        self.assertIsNot(first, self.context())


class RenewalTests(ContextTestCase):
    """Files that change while they are served."""

    def test_renewed(self) -> None:
        """A new certificate is served to all, whatever else they negotiate."""
        self.assertEqual(HOST.certificate, self.shown())
        self.verifying()
        self.renew(LATER)

        self.assertEqual(LATER.certificate, self.shown())
        self.assertEqual(LATER.certificate, self.shown(authorities=self.authorities))
        self.assertEqual([], self.logs.lines)

    def test_half_renewed(self) -> None:
        """A certificate whose key is not there yet is never served."""
        self.assertEqual(HOST.certificate, self.shown())
        self.write("mx.pem", LATER.pem)
        self.assertEqual(HOST.certificate, self.shown())
        # A context that is made now is made of what was loaded, not of files.
        self.assertEqual(HOST.certificate, self.shown(authorities=self.authorities))
        self.write("mx.key", LATER.key_pem)

        self.assertEqual(LATER.certificate, self.shown())

    def test_alarm(self) -> None:
        """Bad files raise one alarm, however many are served by the earlier ones."""
        self.context()
        self.verifying()
        self.write("mx.pem", b"nonsense")
        for _ in range(3):
            self.assertEqual(HOST.certificate, self.shown())
            self.verifying()
        self.assertEqual(1, len(self.panics))
        self.assertIn(f"cert={self.certificate} key={self.key}: ", self.panics[0])

        self.write("mx.pem", HOST.pem)
        self.shown()
        self.verifying()
        self.assertEqual(
            f"TLS: certificate {self.certificate} can be used again",
            self.logs.lines[-1],
        )
        self.assertEqual(2, len(self.logs.lines))

    def test_refused_by_openssl(self) -> None:
        """What can be read, but not used, leaves the earlier one too."""
        self.context()
        self.renew(AUTHORITY.issue(key=rsa.generate_private_key(65537, 1024)))

        self.assertEqual(HOST.certificate, self.shown())
        self.assertEqual(HOST.certificate, self.shown(authorities=self.authorities))
        self.assertIn("ee key too small; the earlier one is kept", self.panics[0])

    def test_looked_at(self) -> None:
        """Files can be looked at sooner than they would be."""
        context = self.context()
        self.renew(LATER)
        self.now -= 6
        self.assertIs(context, self.context())
        self.contexts.look_again()
        self.now -= 6

        self.assertIsNot(context, self.context())

    def test_missing(self) -> None:
        """Files that never were there are no context."""
        self.assertRaises(
            TemporaryFailure, self.context, certificates=f"{self.certificate}x"
        )


class VerificationTests(ContextTestCase):
    """Authorities and their lists, as they change."""

    def is_verified(self) -> bool:
        """Return whether Ann's certificate is good."""
        session = ServerTLS(self.verifying(), Verify.TRY)
        facts = session.facts(serve(session, client(holder=ANN)), on_connect=False)
        return facts.verified

    def test_changed(self) -> None:
        """Other authorities vouch for others."""
        self.assertTrue(self.is_verified())
        self.write("ca.pem", OTHERS.holder.pem)

        self.assertFalse(self.is_verified())

    def test_bad(self) -> None:
        """Authorities that cannot be read leave the earlier ones."""
        self.assertTrue(self.is_verified())
        self.write("ca.pem", b"nonsense")

        self.assertTrue(self.is_verified())
        self.assertIn("cannot use tls_verify_certificates", self.panics[0])
        self.write("ca.pem", OTHERS.holder.pem)
        self.assertFalse(self.is_verified())

    def test_never_good(self) -> None:
        """Without any, TLS is not available."""
        self.write("ca.pem", b"nonsense")

        self.assertRaises(TemporaryFailure, self.verifying)


class ParameterTests(ContextTestCase):
    """Ciphers, groups and primes."""

    def test_unknown(self) -> None:
        """What OpenSSL does not know is told by the option."""
        for facts, text in (
            ({"ciphers": "NONSENSE"}, "tls_require_ciphers invalid: NONSENSE"),
            ({"groups": "P-999"}, "tls_eccurve: OpenSSL knows no such group: P-999"),
            ({"prime": "ike1"}, "tls_dhparam ike1: this prime is too weak"),
        ):
            error = self.assertRaises(TemporaryFailure, self.context, **facts)

            self.assertIn(text, error.log_text)

    def test_groups(self) -> None:
        """Groups are those of a list, unless OpenSSL may choose."""
        for text, expected in (
            ("P-384", "secp384r1"),
            ("P-521 : P-384", "secp521r1 secp384r1"),
            ("<; P-384", "secp384r1"),
        ):
            group = serve(ServerTLS(self.context(groups=text)), client())
            self.assertIn(group.get_group_name(), expected.split())
        for text in ("", "auto"):
            self.assertEqual([], TLSSettings(groups=text).group_names)

    def test_longest_prime(self) -> None:
        """Primes that are too long are left out."""
        self.assertEqual(b"", self.contexts.prime("ffdhe3072"))
        self.contexts = self.make(longest_prime=3072)
        self.assertNotEqual(b"", self.contexts.prime("ffdhe3072"))
