"""Mail for domains with MTA-STS policies, in real handshakes."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mta.host import Answer
from mta.host import Outcome as Found
from mta.recipient import Result
from tests.smtp.fake_server import KEYWORDS
from tests.tls.policy_host import DOMAIN, answer
from tests.transports.requiring import MailHost
from tests.transports.sts_relaying import MX, STSCase

RECORD = (f"_mta-sts.{DOMAIN}", "TXT")


class EnforcedTests(STSCase):
    """mode: enforce."""

    async def test_met(self) -> None:
        """A host that fits the policy gets the message, with its name sent as SNI."""
        host = self.mail_host()

        outcome = await self.one(host, tls_verify_certificates=self.trusted)

        self.assert_delivered(outcome, host, "CV=yes")
        self.assertEqual(self.check(), ("yes!", "", ""))
        self.assertEqual(self.published(), [DOMAIN])

    async def test_no_tls(self) -> None:
        """A host without TLS gets nothing; the next one does."""
        bad, good = self.clear_host(), self.mail_host()

        outcome = await self.one(bad)
        self.assert_deferred(
            outcome,
            "a TLS session is required, but the server did not offer TLS support "
            "(MTA-STS policy of example.test)",
            bad,
        )
        self.assertEqual(outcome.error, -38)
        self.assertEqual(self.check()[0], "no!")
        self.assertEqual(self.check()[2], "starttls-not-supported")

        self.assert_delivered(await self.one(bad, good), good)

    async def test_refused_tls(self) -> None:
        """Nor does one that refuses to begin TLS."""
        host = self.mail_host()
        host.fake.replies["STARTTLS"] = b"454 not now\r\n"

        self.assert_deferred(await self.one(host), "MTA-STS policy of", host)

    async def test_certificates(self) -> None:
        """Nor does one whose certificate is for another name."""
        for certified in ("mx.other.test", "example.test", "127.0.0.1"):
            bad, good = self.mail_host(certified=certified), self.mail_host()

            outcome = await self.one(bad)
            self.assert_deferred(
                outcome, "certificate name mismatch (MTA-STS policy of", bad
            )
            self.assertEqual(outcome.error, -37)
            self.assertEqual(self.check()[0], "no!")

            self.assert_delivered(await self.one(bad, good), good)

    async def test_name_not_checked_otherwise(self) -> None:
        """That hosts need no name by our options does not matter here."""
        bad = self.mail_host(certified="mx.other.test")

        outcome = await self.one(
            bad, tls_verify_cert_hostnames="", tls_try_verify_hosts=""
        )

        self.assert_deferred(outcome, "certificate name mismatch", bad)

    async def test_stranger(self) -> None:
        """Nor does one whose certificate nobody trusted has signed."""
        host = self.mail_host()

        outcome = await self.one(host, tls_verify_certificates="system")

        self.assert_deferred(outcome, "unable to get local issuer certificate", host)

    async def test_not_among_them(self) -> None:
        """A host that the policy does not name is not connected to."""
        bad = self.mail_host("mx.other.test")
        good = self.mail_host()

        outcome = await self.one(bad)
        self.assert_deferred(outcome, "is not among the hosts of example.test's", bad)
        self.assertEqual(bad.fake.connections, 0)
        self.assertEqual(self.check()[2], "validation-failure")
        self.assertEqual(self.published(), [DOMAIN])

        self.assert_delivered(await self.one(bad, good), good)

    async def test_many_not_among_them(self) -> None:
        """Such hosts do not use up the tries."""
        bad = [self.mail_host(f"mx{number}.other.test") for number in range(4)]
        good = self.mail_host()

        outcome = await self.one(*bad, good, hosts_max_try="2")

        self.assert_delivered(outcome, good)

    async def test_avoided(self) -> None:
        """hosts_avoid_tls does not open a way in clear."""
        host = self.mail_host()

        outcome = await self.one(host, hosts_avoid_tls="*")

        self.assert_deferred(outcome, "TLS is not to be used with it", host)

    async def test_excepted(self) -> None:
        """Hosts outside hosts_mta_sts are spoken to as ever."""
        host = self.clear_host()

        self.assert_delivered(await self.one(host, hosts_mta_sts="! *.test : *"), host)

    async def test_tls_optional(self) -> None:
        """A message that says that TLS is not required goes (RFC 8689)."""
        host = self.clear_host()

        self.assert_delivered(await self.one(host, tls_optional=True), host)

    async def test_not_for_others(self) -> None:
        """A failure is no reason to keep mail of other domains from the host."""
        await self.one(self.clear_host())

        self.assertEqual(self.hints.failures, [])

    async def test_smart_host(self) -> None:
        """A next hop that is named has a policy of its own, not the recipient's."""
        host = self.clear_host(domain="")
        other = f"_mta-sts.{MX}"
        self.assert_delivered(await self.one(host), host)
        self.assertIn((other, "TXT"), self.resolver.asked)

        self.resolver.records[other, "TXT"] = self.resolver.records[RECORD]
        self.resolver.records[f"mta-sts.{MX}", "A"] = ["127.0.0.1"]
        await self.policy_host.stop()
        host.fake.messages.clear()
        outcome = await self.one(host)
        # Its policy cannot be had, which is noted for the host itself.
        self.assert_delivered(outcome, host)


class TestingTests(STSCase):
    """mode: testing: mail is delivered as ever, and it is noted what would have been."""

    def setUp(self) -> None:
        super().setUp()
        self.announce("1", "testing")

    async def test_met(self) -> None:
        """A good host is noted as such."""
        host = self.mail_host()

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(self.check(), ("yes", "", ""))

    async def test_no_tls(self) -> None:
        """Mail goes in clear, as it would without a policy."""
        host = self.clear_host()

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(
            self.check(),
            ("no", "the server did not offer TLS support", "starttls-not-supported"),
        )

    async def test_other_name(self) -> None:
        """Mail goes to a host with a certificate for another name."""
        host = self.mail_host(certified="mx.other.test")

        self.assert_delivered(await self.one(host), host, "CV=no")
        self.assertEqual(self.check()[2], "certificate-host-mismatch")

    async def test_name_not_checked_otherwise(self) -> None:
        """Where we do not check names the certificate is good but for the policy."""
        host = self.mail_host(certified="mx.other.test")

        outcome = await self.one(host, tls_verify_cert_hostnames="")

        self.assert_delivered(outcome, host, "CV=yes")
        self.assertEqual(self.check()[0], "no")

    async def test_not_among_them(self) -> None:
        """Mail goes to a host that the policy does not name."""
        host = self.clear_host(name="mx.other.test")

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(self.check()[2], "validation-failure")

    async def test_broken_handshake(self) -> None:
        """Mail goes in clear where the handshake fails, as it would without."""
        host = self.mail_host(inside=KEYWORDS)
        host.fake.replies["STARTTLS"] = [b"220 go\r\nnonsense", b"454 no\r\n"]

        outcome = await self.one(host, command_timeout="3s")

        self.assertIn(outcome.result, (Result.DELIVERED, Result.DEFERRED))


class OtherModesTests(STSCase):
    """Domains that demand nothing."""

    async def test_none(self) -> None:
        """mode: none is as no policy."""
        self.announce("1", "none")
        host = self.clear_host()

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(self.check(), ("unasked", "", ""))
        self.assertEqual(self.published(), [])

    async def test_no_record(self) -> None:
        """Without a record no policy host is asked."""
        self.resolver.records[RECORD] = Found.NO_DOMAIN
        host = self.clear_host()

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(self.policy_host.connections, 0)

    async def test_policy_host_down(self) -> None:
        """A policy that cannot be fetched is as none, and the log says so."""
        await self.policy_host.stop()
        host = self.clear_host()

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(self.check()[2], "sts-policy-fetch-error")
        self.assertIn(
            "MTA-STS policy of example.test cannot be had", self.logs.lines[0]
        )

    async def test_policy_host_untrusted(self) -> None:
        """So is one from a host whose certificate is not good."""
        host = self.clear_host()

        outcome = await self.one(host, mta_sts_certificates="system")

        self.assert_delivered(outcome, host)
        self.assertEqual(self.check()[2], "sts-webpki-invalid")

    async def test_invalid(self) -> None:
        """So is a file that is no policy."""
        self.policy_host.said = answer(b"version: STSv1\rmode: enforce\r")
        host = self.clear_host()

        self.assert_delivered(await self.one(host), host)
        self.assertEqual(self.check()[2], "sts-policy-invalid")


class DANETests(STSCase):
    """A host with TLSA records, and an enforced policy of the domain."""

    def dane_host(self, *, matches: bool) -> MailHost:
        """Let a host listen whose certificate, or another, is published."""
        issued = []
        issue = self.authority.issue_cert

        def keep(*names: str) -> trustme.LeafCert:
            issued.append(issue(*names))
            return issued[-1]

        self.patch(self.authority, "issue_cert", keep)
        host = self.mail_host(secure=True)
        leaf = x509.load_pem_x509_certificate(issued[-1].cert_chain_pems[0].bytes())
        octets = leaf.public_bytes(Encoding.DER) if matches else b"another"
        record = (3, 0, 1, sha256(octets).digest())
        found = Answer(Found.FOUND, (record,), secure=True)
        self.resolver.records[f"_{host.host.port}._tcp.{MX}", "TLSA"] = found
        self.resolver.records[MX, "A"] = Answer(
            Found.FOUND, ("127.0.0.1",), secure=True
        )
        return host

    async def test_met(self) -> None:
        """What DANE vouches for need not fit the policy."""
        self.announce("1", "enforce", "mx.other.test")
        host = self.dane_host(matches=True)

        self.assert_delivered(await self.one(host), host, "CV=dane")
        self.assertNotIn(RECORD, self.resolver.asked)

    async def test_not_met(self) -> None:
        """What fails DANE gets nothing, however well it fits the policy."""
        host = self.dane_host(matches=False)

        outcome = await self.one(host, tls_verify_certificates=self.trusted)

        self.assertIs(outcome.result, Result.DEFERRED, outcome.text)
        self.assert_unsent(host)


class SeveralDomainsTests(STSCase):
    """One message for domains whose hosts are the same."""

    async def test_apart(self) -> None:
        """Each domain's own policy applies: one waits, the other has its mail."""
        host = self.clear_host()
        names = ("ann@free.test", f"joe@{DOMAIN}", "bob@free.test")
        hosts_of = {
            domain: [replace(host.host, mail_domain=domain)]
            for domain in ("free.test", DOMAIN)
        }

        outcomes = await self.send(host, names=names, hosts_of=hosts_of)

        results = {str(o.address.address): o.result for o in outcomes}
        self.assertEqual(
            results,
            {
                "ann@free.test": Result.DELIVERED,
                "bob@free.test": Result.DELIVERED,
                f"joe@{DOMAIN}": Result.DEFERRED,
            },
        )
        said = [line for line in host.fake.commands if line.startswith("RCPT")]
        self.assertEqual(len(said), 2)
        self.assertEqual(len(host.fake.messages), 1)

    async def test_together(self) -> None:
        """Without policies they go together."""
        host = self.clear_host()
        hosts_of = {
            domain: [replace(host.host, mail_domain=domain)]
            for domain in ("free.test", "other.test")
        }

        await self.send(
            host, names=("ann@free.test", "bob@other.test"), hosts_of=hosts_of
        )

        self.assertEqual(len(host.fake.messages), 1)

    async def test_connection_shared(self) -> None:
        """Domains with equal demands share a connection, each with its own policy."""
        host = self.mail_host()
        other = "other.test"
        self.resolver.records[f"_mta-sts.{other}", "TXT"] = self.resolver.records[
            RECORD
        ]
        self.resolver.records[f"mta-sts.{other}", "A"] = ["127.0.0.1"]
        names = [f"mta-sts.{DOMAIN}", f"mta-sts.{other}"]
        await self.policy_host.stop()
        self.serve_policies(*names)
        driver = self.transport()

        await self.one(host, driver=driver)
        host.host = replace(host.host, mail_domain=other)
        await self.one(host, driver=driver, names=(f"ann@{other}",))
        await driver.close()

        self.assertEqual(host.fake.connections, 1)
        self.assertEqual(self.published(), [DOMAIN])
        self.assertEqual(self.published(other), [other])


class KeptTests(STSCase):
    """Policies outlive their host and our process."""

    async def test_restart(self) -> None:
        """Another process enforces a policy that it cannot fetch."""
        self.kept = self.new_hints()
        host = self.mail_host()
        await self.one(host)
        await self.policy_host.stop()
        self.resolver.records[RECORD] = Found.NO_DOMAIN
        bad = self.clear_host()

        outcome = await self.one(bad)

        self.assert_deferred(outcome, "MTA-STS policy of example.test", bad)

    async def test_withdrawn(self) -> None:
        """The domain frees its mail with a new policy, at the next attempt."""
        self.kept = self.new_hints()
        bad = self.clear_host()
        self.assert_deferred(await self.one(bad), "MTA-STS policy", bad)
        self.announce("2", "none")

        self.assert_delivered(await self.one(bad), bad)
