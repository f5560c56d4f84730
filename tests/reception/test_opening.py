"""How a session opens: host names, the greeting, HELO and what EHLO offers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.host import Answer, Outcome
from tests.reception.serving import Client, Server


class OpeningCase(SynchronousTestCase):
    """A client at 192.0.2.7."""

    def serve(self, options: str = "", acls: str = "", **records: object) -> Client:
        """Return a client; records stand for ``name_KIND``."""
        self.server = Server(options, acls)
        for key, value in records.items():
            name, _, kind = key.rpartition("_")
            name = {"client": "192.0.2.7"}.get(name, name.replace("_", "."))
            self.server.resolver.records[name, kind] = value  # type: ignore[assignment]
        return self.server.connect()

    def hello(self, client: Client, name: str = "host.client.example") -> str:
        """Say HELO; return the reply."""
        return client.replies(f"HELO {name}")[0]


class GreetingTests(OpeningCase):
    """The greeting."""

    def test_banner(self) -> None:
        """Its text is expanded, and may have several lines."""
        client = self.serve(
            "smtp_banner = $smtp_active_hostname\\n$sender_host_address"
        )

        self.assertEqual(
            b"220-mx.example\r\n220 192.0.2.7\r\n", client.transport.take()
        )

    def test_too_early(self) -> None:
        """A client that talks before the greeting is sent away."""
        client = self.serve("acl_smtp_connect = slow", "slow:\n  accept delay = 5s")

        client.send(b"EHLO spam.example\r\n")
        self.server.clock.advance(5)

        self.assertEqual(b"554 SMTP synchronization error\r\n", client.transport.take())
        self.assertTrue(client.transport.is_closed)
        self.assertIn(
            "SMTP protocol synchronization error (input sent without waiting for "
            "greeting): rejected connection from H=[192.0.2.7] "
            'input="EHLO spam.example\r\n"',
            self.server.logs.lines,
        )

    def test_too_early_allowed(self) -> None:
        """Unless smtp_enforce_sync is off, or an ACL switched it off."""
        for options, acl in (
            ("smtp_enforce_sync = false\n", "slow:\n  accept delay = 5s"),
            ("", "slow:\n  accept delay = 5s\n  control = no_enforce_sync"),
        ):
            client = self.serve(options + "acl_smtp_connect = slow", acl)

            client.send(b"NOOP\r\n")
            self.server.clock.advance(5)

            self.assertTrue(client.transport.take().endswith(b"\r\n250 OK\r\n"))


class HostNameTests(OpeningCase):
    """host_lookup."""

    def test_found(self) -> None:
        """A name that leads back to the client's address is its own."""
        client = self.serve(
            "host_lookup = *",
            client_PTR=["host.client.example"],
            host_client_example_A=["192.0.2.7"],
        )
        client.transport.take()

        self.assertEqual(
            "250 mx.example Hello host.client.example [192.0.2.7]",
            self.hello(client, "other.example"),
        )
        client.replies("MAIL FROM:<>", "RCPT TO:<refused@mx.example>")
        self.assertIn(
            "H=host.client.example (other.example) [192.0.2.7] F=<> rejected "
            "RCPT <refused@mx.example>: no refused here",
            self.server.logs.lines,
        )

    def test_not_its_own(self) -> None:
        """A name that leads elsewhere is not."""
        client = self.serve(
            "host_lookup = *",
            client_PTR=["host.client.example"],
            host_client_example_A=["203.0.113.1"],
        )

        self.assertEqual(
            "250 mx.example Hello host.client.example [192.0.2.7]", self.hello(client)
        )
        self.assertIn(
            "no host name found for IP address 192.0.2.7", self.server.logs.lines
        )

    def test_not_looked_up(self) -> None:
        """Nobody is asked without need."""
        client = self.serve()
        self.hello(client)

        self.assertEqual([], self.server.resolver.asked)


class HelloTests(OpeningCase):
    """helo_verify_hosts and helo_try_verify_hosts."""

    def test_dnssec(self) -> None:
        """It is told whether DNSSEC vouches for the name, of the last one said."""
        client = self.serve(
            "helo_verify_hosts = *\nsmtp_banner = x\nacl_smtp_helo = said",
            "said:\n  warn log_message = $sender_helo_name $sender_helo_dnssec\n"
            "  accept",
            host_client_example_A=Answer(Outcome.FOUND, ("192.0.2.7",), secure=True),
            other_client_example_A=["192.0.2.7"],
        )
        names = ("host.client.example", "other.client.example", "[192.0.2.7]")
        for name in names:
            self.assertEqual("250", self.hello(client, name)[:3])

        said = [line.partition("Warning: ")[2] for line in self.server.logs.lines]
        expected = [
            f"{name} {is_safe}"
            for name, is_safe in zip(names, ("yes", "no", "no"), strict=True)
        ]
        self.assertEqual(expected, [text for text in said if text])

    def test_own_name(self) -> None:
        """The name must have the client's address, or be its address."""
        client = self.serve(
            "helo_verify_hosts = *", host_client_example_A=["192.0.2.7"]
        )

        self.assertEqual("250", self.hello(client)[:3])
        self.assertEqual("250", self.hello(client, "[192.0.2.7]")[:3])

    def test_not_its_own(self) -> None:
        """Another is refused, and the session has no name."""
        client = self.serve(
            "helo_verify_hosts = *", host_client_example_A=["203.0.113.1"]
        )

        self.assertEqual(
            "550 EHLO argument does not match calling host", self.hello(client)
        )
        self.assertEqual(
            "550 EHLO argument does not match calling host",
            self.hello(client, "[192.0.2.8]"),
        )
        self.assertEqual(["503 HELO or EHLO required"], client.replies("MAIL FROM:<>"))
        self.assertIn(
            'H=(host.client.example) [192.0.2.7] rejected "HELO host.client.example": '
            "EHLO argument does not match calling host",
            self.server.logs.lines,
        )

    def test_later(self) -> None:
        """Where the DNS does not answer the client is to come again."""
        client = self.serve(
            "helo_verify_hosts = *",
            client_PTR=Outcome.AGAIN,
            host_client_example_A=Outcome.AGAIN,
        )

        self.assertEqual("451", self.hello(client)[:3])

    def test_tried(self) -> None:
        """With helo_try_verify_hosts an ACL decides."""
        acl = "check:\n  accept message = verified: $sender_helo_verified"
        client = self.serve(
            "helo_try_verify_hosts = *\nacl_smtp_mail = check",
            acl,
            host_client_example_A=["192.0.2.7"],
        )

        for name, verified in (
            ("host.client.example", "yes"),
            ("other.example", "no"),
        ):
            self.hello(client, name)
            self.assertEqual(
                [f"250 verified: {verified}"], client.replies("MAIL FROM:<>")
            )


class OfferTests(OpeningCase):
    """What EHLO is answered with."""

    def offered(self, options: str, acls: str = "") -> list[str]:
        """Return the keywords that the client is offered."""
        client = self.serve(options, acls)
        client.transport.take()
        lines = client.says(b"EHLO client.example\r\n").decode().splitlines()
        return [line[4:] for line in lines[1:]]

    def test_by_host(self) -> None:
        """Most extensions are for some hosts only, where a list says so."""
        for option, keyword in (
            ("pipelining_advertise_hosts", "PIPELINING"),
            ("chunking_advertise_hosts", "CHUNKING"),
            ("smtputf8_advertise_hosts", "SMTPUTF8"),
            ("limits_advertise_hosts", "LIMITS MAILMAX=1000 RCPTMAX=50000"),
            ("dsn_advertise_hosts", "DSN"),
        ):
            self.assertIn(keyword, self.offered(f"{option} = 192.0.2.7"))
            self.assertNotIn(keyword, self.offered(f"{option} = ! 192.0.2.7 : *"))
            self.assertNotIn(keyword, self.offered(f"{option} ="))

    def test_undecided(self) -> None:
        """Where a list cannot be looked up, only harmless ones are offered."""
        broken = "= net-lsearch;/nonexistent/hosts"

        self.assertNotIn(
            "PIPELINING", self.offered(f"pipelining_advertise_hosts {broken}")
        )
        self.assertIn("CHUNKING", self.offered(f"chunking_advertise_hosts {broken}"))

    def test_limits(self) -> None:
        """Limits are those of the client, 0 is none."""
        offered = self.offered(
            "message_size_limit = ${if eq{$sender_host_address}{192.0.2.7}{1K}{1M}}\n"
            "recipients_max = 0\nsmtp_accept_max_per_connection = 7"
        )

        self.assertIn("SIZE 1024", offered)
        self.assertIn("LIMITS MAILMAX=7", offered)

    def test_unlimited(self) -> None:
        """Without limits there is nothing to tell."""
        offered = self.offered(
            "message_size_limit = 0\nrecipients_max = 0\n"
            "smtp_accept_max_per_connection = 0"
        )

        self.assertIn("SIZE", offered)
        self.assertEqual([], [word for word in offered if word.startswith("LIMITS")])

    def test_no_pipelining(self) -> None:
        """An ACL can withhold PIPELINING."""
        offered = self.offered(
            "acl_smtp_helo = check", "check:\n  accept control = no_pipelining"
        )

        self.assertNotIn("PIPELINING", offered)
