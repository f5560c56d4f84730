"""Messages that ask something of TLS themselves (RFC 8689), in real handshakes."""

from __future__ import annotations

from dataclasses import replace
from errno import ECONNREFUSED

from mta.address import NULL_PATH
from mta.recipient import Result
from mta.tls.server import ServerTLS, server_context
from tests.smtp.fake_server import KEYWORDS
from tests.transports.requiring import INSIDE, MailHost, RequireTLSCase


class RequiredTests(RequireTLSCase):
    """REQUIRETLS."""

    async def test_passed_on(self) -> None:
        """A host that proves its name and offers REQUIRETLS is asked for it."""
        host = self.serve(MailHost("mx.example"))

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("CV=yes", outcome.log_fields)
        self.assertTrue(host.mail_command.endswith(" REQUIRETLS"), host.mail_command)
        self.assertEqual(1, len(host.fake.messages))

    async def test_only_where_wanted(self) -> None:
        """Other messages do not ask for it."""
        host = self.serve(MailHost("mx.example"))

        await self.deliver(host, requiretls=False)

        self.assertNotIn("REQUIRETLS", host.mail_command)

    async def test_not_offered(self) -> None:
        """Where no host offers it the message fails, unsent."""
        host = self.serve(MailHost("mx.example", inside=KEYWORDS))

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.30", "it does not offer REQUIRETLS")
        self.assertIn("mx.example [127.0.0.1]", outcome.text)
        self.assert_unsent(host)
        self.assertEqual([], self.hints.failures)

    async def test_offered_in_clear(self) -> None:
        """What a host offered before TLS counts for nothing."""
        clear = ("STARTTLS", "REQUIRETLS", *KEYWORDS)
        host = self.serve(MailHost("mx.example", clear=clear, inside=KEYWORDS))

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.30", "it does not offer REQUIRETLS")
        self.assert_unsent(host)

    async def test_no_tls(self) -> None:
        """A host without TLS gets nothing, whatever else it offers."""
        host = self.serve(MailHost("mx.example", clear=INSIDE))

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.10", "did not offer TLS")
        self.assert_unsent(host)
        self.assertEqual([], self.hints.failures)

    async def test_tls_refused(self) -> None:
        """So does one that refuses TLS when it is asked."""
        host = self.serve(MailHost("mx.example"))
        host.fake.replies["STARTTLS"] = b"554 no\r\n"

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.10", "an attempt to start TLS failed")
        self.assert_unsent(host)

    async def test_tls_not_now(self) -> None:
        """One that has no TLS for the moment is asked again later."""
        host = self.serve(MailHost("mx.example"))
        host.fake.replies["STARTTLS"] = b"454 not now\r\n"

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assertEqual("454 not now", outcome.reply)
        self.assert_unsent(host)
        [(key, _)] = self.hints.failures
        self.assertTrue(key.endswith(":1abcde-00000000001-0001"), key)

    async def test_unverified(self) -> None:
        """So does one whose certificate is for another name, or of strangers."""
        other = self.serve(MailHost("mx.example", certified="other.example"))

        outcome = await self.deliver(other, tls_verify_cert_hostnames="! *")
        self.assert_failed(outcome, "5.7.10", "certificate name mismatch")
        self.assert_unsent(other)

        host = self.serve(MailHost("mx.example"))
        outcome = await self.deliver(host, tls_verify_certificates="system")
        self.assert_failed(outcome, "5.7.10", "certificate verification failed")
        self.assert_unsent(host)
        self.assertEqual([], self.hints.failures)

    async def test_nobody_looks(self) -> None:
        """Options that take no interest in certificates change nothing."""
        host = self.serve(MailHost("mx.example", certified="other.example"))

        outcome = await self.deliver(
            host, tls_verify_hosts="! *", tls_try_verify_hosts="! *"
        )

        self.assert_failed(outcome, "5.7.10", "certificate name mismatch")
        self.assert_unsent(host)

    async def test_tls_avoided(self) -> None:
        """Where options forbid TLS the message fails; it does not go in clear."""
        host = self.serve(MailHost("mx.example"))

        outcome = await self.deliver(host, hosts_avoid_tls="*")

        self.assert_failed(outcome, "5.7.10", "TLS is not to be used with it")
        self.assertEqual(0, host.fake.connections)

    async def test_unproved_name(self) -> None:
        """The name in an MX record that nothing proves may be anybody's."""
        host = self.serve(MailHost("mx.example", secure=False))

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.30", "nothing proves that its MX record")
        self.assertEqual(0, host.fake.connections)

    async def test_proved_name(self) -> None:
        """DNSSEC need vouch for the MX record alone, not for the host's address."""
        host = self.serve(MailHost("mx.example", secure=False, mx_secure=True))

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("REQUIRETLS", host.mail_command)

    async def test_proof_of_another_domain(self) -> None:
        """What proves the name for one domain says nothing of others."""
        proved = self.serve(MailHost("mx.example", secure=False, mx_secure=True))
        driver = self.transport()
        await self.deliver(proved, driver=driver)
        proved.host = replace(proved.host, mail_domain="b.example", mx_secure=False)

        outcome = await self.deliver(proved, driver=driver)

        self.assert_failed(outcome, "5.7.30", "nothing proves that its MX record")
        await driver.close()

    async def test_many_hosts(self) -> None:
        """All hosts of a domain are looked at, however many."""
        poor = [
            self.serve(MailHost(f"{letter}.example", inside=KEYWORDS))
            for letter in "abc"
        ]
        good = self.serve(MailHost("d.example", preference=20))

        outcome = await self.deliver(*poor, good, hosts_max_try="2")
        self.assertIs(outcome.result, Result.DELIVERED, outcome)

        outcome = await self.deliver(*poor, hosts_max_try="2")
        self.assert_failed(outcome, "5.7.30", "it does not offer REQUIRETLS")

    async def test_own_name(self) -> None:
        """Without an MX record the name is the domain's, or our configuration's."""
        host = self.serve(MailHost("mx.example", secure=False, preference=-1))

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertIn("REQUIRETLS", host.mail_command)

    async def test_next_host(self) -> None:
        """Each host is looked at; one that is good enough gets the message."""
        poor = self.serve(MailHost("a.example", inside=KEYWORDS))
        good = self.serve(MailHost("b.example", preference=20))

        outcome = await self.deliver(poor, good)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assert_unsent(poor)
        self.assertIn("REQUIRETLS", good.mail_command)
        [line] = self.logs.lines
        self.assertIn("H=a.example [127.0.0.1]", line)
        self.assertIn("it does not offer REQUIRETLS", line)

    async def test_another_try_may_help(self) -> None:
        """While a host cannot be asked the message waits; none of it goes in clear."""
        poor = self.serve(MailHost("a.example", clear=KEYWORDS))
        down = MailHost("b.example", preference=20)

        outcome = await self.deliver(poor, down)

        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assertEqual(ECONNREFUSED, outcome.error)
        self.assert_unsent(poor)

        outcome = await self.deliver(down, poor)

        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assertEqual("4.7.10", outcome.status)
        self.assertTrue(outcome.retry_key)
        self.assertEqual(
            {f"T:b.example:127.0.0.1:{down.host.port}"},
            {key for key, _ in self.hints.failures},
        )
        self.assertIn("did not offer TLS", outcome.text)

    async def test_handshake_breaks_off(self) -> None:
        """A handshake that breaks off says nothing for good: it is tried again."""
        host = self.serve(MailHost("mx.example"))
        context = server_context()
        host.tls = ServerTLS(context)

        outcome = await self.deliver(host)

        self.assertIs(outcome.result, Result.DEFERRED, outcome)
        self.assertEqual(-37, outcome.error)
        self.assert_unsent(host)
        [(key, _)] = self.hints.failures
        self.assertTrue(key.endswith(":1abcde-00000000001-0001"), key)

    async def test_refused_by_host(self) -> None:
        """A host that refuses the parameter has its own say."""
        host = self.serve(MailHost("mx.example"))
        host.fake.replies["MAIL"] = b"550 5.7.30 no\r\n"

        outcome = await self.deliver(host)

        self.assert_failed(outcome, "5.7.30", "550 5.7.30 no")

    async def test_connection_apart(self) -> None:
        """A connection on which less was demanded carries no such message."""
        driver = self.transport()
        host = self.serve(MailHost("mx.example", certified="other.example"))

        plain = await self.deliver(host, driver=driver, requiretls=False)
        secret = await self.deliver(host, driver=driver)

        self.assertIs(plain.result, Result.DELIVERED)
        self.assert_failed(secret, "5.7.10", "certificate name mismatch")
        self.assertEqual(2, host.fake.connections)
        self.assertEqual(1, len(host.fake.messages))
        await driver.close()

    async def test_connection_shared(self) -> None:
        """Messages that all demand it share one."""
        driver = self.transport()
        host = self.serve(MailHost("mx.example"))

        for _ in range(2):
            outcome = await self.deliver(host, driver=driver)
            self.assertIs(outcome.result, Result.DELIVERED, outcome)

        self.assertEqual(1, host.fake.connections)
        self.assertEqual(2, len(host.fake.messages))
        await driver.close()

    async def test_report(self) -> None:
        """A report goes to a host without REQUIRETLS, inside verified TLS alone."""
        host = self.serve(MailHost("mx.example", inside=KEYWORDS))
        outcome = await self.deliver(host, sender=NULL_PATH)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertNotIn("REQUIRETLS", host.mail_command)

        clear = self.serve(MailHost("mx.example", clear=KEYWORDS))
        outcome = await self.deliver(clear, sender=NULL_PATH)

        self.assert_failed(outcome, "5.7.10", "did not offer TLS")
        self.assert_unsent(clear)

    async def test_report_asks(self) -> None:
        """Where REQUIRETLS is offered a report asks for it too."""
        host = self.serve(MailHost("mx.example"))

        await self.deliver(host, sender=NULL_PATH)

        self.assertEqual("MAIL FROM:<> ", host.mail_command[:13])
        self.assertIn("REQUIRETLS", host.mail_command)

    async def test_final_delivery(self) -> None:
        """LMTP is the end of the way: it is as options have it."""
        host = self.serve(MailHost("mx.example", clear=KEYWORDS))
        host.fake.lmtp = True

        outcome = await self.deliver(host, protocol="lmtp")

        self.assertIs(outcome.result, Result.DELIVERED, outcome)

    async def test_final_delivery_passed_on(self) -> None:
        """An LMTP server that offers REQUIRETLS is asked for it inside TLS alone."""
        for clear, is_asked in ((INSIDE, False), (("STARTTLS", *INSIDE), True)):
            host = self.serve(MailHost("mx.example", clear=clear))
            host.fake.lmtp = True

            outcome = await self.deliver(
                host, protocol="lmtp", tls_verify_cert_hostnames="*"
            )

            self.assertIs(outcome.result, Result.DELIVERED, outcome)
            self.assertIs(is_asked, "REQUIRETLS" in host.mail_command)

    async def test_verdict(self) -> None:
        """The log can show whether it was met."""
        self.logs.selectors |= {"tls_verdict"}
        host = self.serve(MailHost("mx.example"))
        outcome = await self.deliver(host)
        self.assertIn("requiretls=yes!", " ".join(outcome.log_fields))

        poor = self.serve(MailHost("mx.example", inside=KEYWORDS))
        outcome = await self.deliver(poor)
        self.assertIn("requiretls=no!", " ".join(outcome.log_fields))
