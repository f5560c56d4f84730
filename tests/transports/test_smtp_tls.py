"""How the options of an smtp transport become a policy for a host."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.host import Host
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify
from mta.transports.smtp import SMTPTransport
from mta.transports.smtp_tls import tls_policy
from tests.tls.proofs import Authority
from tests.transports.relaying import HOST_A, HOST_B

LANGUAGE = Language.load()


def transport(**options: str) -> SMTPTransport:
    """Return a transport with options."""
    return SMTPTransport.with_texts(options, language=LANGUAGE, name="out")


class PolicyTests(SynchronousTestCase):
    def result(self, host: Host = HOST_A, **options: str) -> Deferred[ClientTLSPolicy]:
        """Return the policy for a host, or the failure to make one."""
        context = Context(Site(primary_hostname="me.example"))
        context.host = host
        found = tls_policy(transport(**options), host, context)
        return Deferred.fromCoroutine(found)

    def policy(self, host: Host = HOST_A, **options: str) -> ClientTLSPolicy:
        """Return the policy for a host."""
        return self.successResultOf(self.result(host, **options))

    def test_defaults(self) -> None:
        """TLS where offered, certificate and staple asked for without consequence."""
        policy = self.policy()

        self.assertEqual(
            policy,
            ClientTLSPolicy(
                Start.OFFERED, Verify.TRY, "a.example", staple=Staple.REQUEST
            ),
        )
        self.assertTrue(policy.allows_clear_text)

    def test_staple(self) -> None:
        """The lists say of whom a staple is required, requested, or not wanted."""
        lists = {"hosts_require_ocsp": "192.0.2.1", "hosts_request_ocsp": "192.0.2.2"}

        self.assertIs(self.policy(HOST_A, **lists).staple, Staple.REQUIRE)
        self.assertIs(self.policy(HOST_B, **lists).staple, Staple.REQUEST)
        self.assertIs(self.policy(hosts_request_ocsp="").staple, Staple.UNWANTED)

    def test_required_staple_requires_tls(self) -> None:
        """Without TLS there is no staple, so nothing goes out in clear."""
        for others in ({}, {"hosts_avoid_tls": "*"}):
            policy = self.policy(hosts_require_ocsp="*", **others)

            self.assertIs(policy.start, Start.REQUIRED)
            self.assertFalse(policy.allows_clear_text)

    def test_demands_and_clear_text(self) -> None:
        """Whatever is demanded of TLS, clear text is no way around it."""
        for demand in (
            {"hosts_require_tls": "*"},
            {"hosts_require_ocsp": "*"},
            {"tls_verify_hosts": "*"},
            {"hosts_require_alpn": "*"},
            {"protocol": "smtps"},
        ):
            self.assertFalse(self.policy(**demand).allows_clear_text, demand)

    def test_verification(self) -> None:
        """Which of the lists a host is in decides about its certificate."""
        for must, may, verify in (
            ("192.0.2.1", "*", Verify.REQUIRE),
            ("192.0.2.9", "*", Verify.TRY),
            ("192.0.2.9", "192.0.2.9", Verify.NEVER),
            ("", "", Verify.REQUIRE),
        ):
            policy = self.policy(tls_verify_hosts=must, tls_try_verify_hosts=may)
            self.assertIs(policy.verify, verify)

    def test_texts(self) -> None:
        """Every text is expanded and handed on."""
        policy = self.policy(
            tls_certificate="/tls/${lc:CERT}",
            tls_privatekey="/tls/key",
            tls_crl="/tls/crl",
            tls_sni="$host",
            tls_require_ciphers="HIGH",
            tls_alpn="smtp : other",
            hosts_require_alpn="*",
            tls_verify_certificates="/tls/ca",
        )

        self.assertEqual(policy.certificate, "/tls/cert")
        self.assertEqual(policy.private_key, "/tls/key")
        self.assertEqual((policy.crl, policy.certificates), ("/tls/crl", "/tls/ca"))
        self.assertEqual(policy.server_name, "a.example")
        self.assertEqual(policy.ciphers, "HIGH")
        self.assertEqual(policy.protocols, ("smtp", "other"))
        self.assertTrue(policy.protocol_is_required)

    def test_names(self) -> None:
        """Names go out, and are compared, as certificates have them."""
        host = Host("MX.b\xfccher.example.", "192.0.2.1")

        policy = self.policy(host, tls_sni="$host")

        self.assertEqual(policy.name, "mx.xn--bcher-kva.example")
        self.assertEqual(policy.server_name, "mx.xn--bcher-kva.example")

    def test_addresses_are_no_names(self) -> None:
        """An IP address is never sent as a server's name."""
        for text in ("192.0.2.1", "2001:db8::1"):
            self.assertEqual(self.policy(tls_sni=text).server_name, "")

    def test_forced_failures(self) -> None:
        """A forced failure is as if the option were not set."""
        failing = "${if eq{a}{b}{x}fail}"
        policy = self.policy(
            tls_certificate=failing,
            tls_crl=failing,
            tls_require_ciphers=failing,
            tls_alpn=failing,
            tls_verify_certificates=failing,
        )

        self.assertEqual(policy, self.policy())

    def test_bad_protocol(self) -> None:
        """A name that ALPN cannot carry is a fault of the configuration."""
        for name in ("\xe9", "x" * 256):
            failure = self.failureResultOf(self.result(tls_alpn=name), TemporaryFailure)
            self.assertIn("tls_alpn", failure.value.log_text)


class WarningsTests(SynchronousTestCase):
    def warnings(self, **options: str) -> list[str]:
        """Return what is said of a transport."""
        return list(transport(**options).warnings())

    def authorities(self, authority: Any) -> str:
        """Return a file with the certificates of an authority."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(authority)
        return path

    def test_nothing_demanded(self) -> None:
        """Who demands no staple needs no advice."""
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.warnings(hosts_require_ocsp=""), [])

    def test_alone(self) -> None:
        """hosts_require_ocsp alone leaves TLS and the name open."""
        tls, names = self.warnings(hosts_require_ocsp="*")

        self.assertIn("transport out: hosts_require_ocsp is set", tls)
        self.assertIn("hosts_require_tls is not", tls)
        self.assertIn("tls_verify_hosts is not", names)

    def test_complete(self) -> None:
        """With all three there is nothing to say."""
        lists = dict.fromkeys(
            ("hosts_require_ocsp", "hosts_require_tls", "tls_verify_hosts"), "*"
        )

        self.assertEqual(self.warnings(**lists), [])

    def test_silent_authority(self) -> None:
        """Authorities of which none names a responder are worth a word."""
        lists = dict.fromkeys(
            ("hosts_require_ocsp", "hosts_require_tls", "tls_verify_hosts"), "*"
        )
        authority = Authority()
        silent = self.authorities(authority.holder.pem)
        speaking = authority.issue(responder="http://ocsp.example/").pem
        found = self.authorities(authority.holder.pem + speaking)

        [warning] = self.warnings(**lists, tls_verify_certificates=silent)

        self.assertIn(f"no certificate in {silent} names an OCSP responder", warning)
        self.assertEqual(self.warnings(**lists, tls_verify_certificates=found), [])

    def test_unreadable_authorities(self) -> None:
        """A file that is not there, or is something else, is not judged."""
        lists = dict.fromkeys(
            ("hosts_require_ocsp", "hosts_require_tls", "tls_verify_hosts"), "*"
        )
        for path in ("/nonexistent", self.authorities(b"text")):
            found = self.warnings(**lists, tls_verify_certificates=path)
            self.assertEqual(found, [])
