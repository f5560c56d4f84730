"""The order in which hosts are tried, and which are left out."""

from __future__ import annotations

from twisted.internet import error

from mta.host import Host
from mta.recipient import Result
from tests.smtp.fake_server import FakeServer
from tests.transports.relaying import HOST_A, HOST_B, RETRY_A, RETRY_B, RelayCase

MANY = tuple(Host(f"h{n}.example", f"198.51.100.{n}", preference=n) for n in range(9))


class HostOrderTests(RelayCase):
    def tried(self) -> list[str]:
        """The last parts of the IP addresses that were connected to, in order."""
        return [ip_address.split(".")[-1] for ip_address, _ in self.network.attempts]

    def test_as_given(self) -> None:
        """The router's order is the order of the tries."""
        for host in MANY:
            self.serve(host, error.ConnectionRefusedError())
        self.serve(MANY[3], FakeServer())

        self.assert_delivered(self.one(hosts=MANY), MANY[3])

        self.assertEqual(self.tried(), ["0", "1", "2", "3"])

    def test_hosts_max_try(self) -> None:
        """No more hosts than hosts_max_try are tried for a delivery."""
        self.transport(hosts_max_try="2")

        outcome = self.one(hosts=MANY)

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertEqual(self.tried(), ["0", "1"])

    def test_hard_limit(self) -> None:
        """Hosts that failed for long count only for hosts_max_try_hardlimit."""
        self.transport(hosts_max_try="2", hosts_max_try_hardlimit="4")
        self.hints.expired |= {f"T:h{n}.example:198.51.100.{n}" for n in range(9)}

        self.one(hosts=MANY)

        self.assertEqual(self.tried(), ["0", "1", "2", "3"])

    def test_randomized(self) -> None:
        """hosts_randomize mixes hosts that came from no MX, and leaves others."""
        plain = tuple(Host(h.name, h.ip_address) for h in MANY)
        self.transport(hosts_randomize="true", hosts_max_try="9")
        self.one(hosts=MANY)
        self.assertEqual(self.tried(), list("012345678"))

        orders = set()
        for _ in range(20):
            self.network.attempts.clear()
            self.one(hosts=plain)
            orders.add(tuple(self.tried()))
        self.assertGreater(len(orders), 1)
        self.assertEqual({tuple(sorted(order)) for order in orders}, {(*"012345678",)})


class RetryTimeTests(RelayCase):
    def test_not_due(self) -> None:
        """A host whose time has not come is left out."""
        self.hints.not_due.add(RETRY_A)

        self.assert_delivered(self.one(), HOST_B)

        self.assertEqual(self.a.connections, 0)

    def test_message_not_due(self) -> None:
        """So is one that refused this very message."""
        self.hints.not_due.add(RETRY_A + ":1abcde-00000000001-0001")

        self.assert_delivered(self.one(), HOST_B)

    def test_none_due(self) -> None:
        """Where no host is due, the address waits without a try."""
        self.hints.not_due |= {RETRY_A, RETRY_B}

        outcome = self.one()

        text = "retry time not reached for any host for 'example.com'"
        self.assert_deferred(outcome, -54, text)
        self.assertEqual(self.network.attempts, [])

    def test_all_expired(self) -> None:
        """Hosts that have failed for too long fail the address."""
        self.hints.not_due |= {RETRY_A, RETRY_B}
        self.hints.expired |= {RETRY_A, RETRY_B}

        outcome = self.one()

        text = (
            "all hosts for 'example.com' have been failing for a long time "
            "(and retry time not reached)"
        )
        self.assert_failed(outcome, text)
        self.assertEqual(self.network.attempts, [])

    def test_no_delay_after_cutoff(self) -> None:
        """Without delay_after_cutoff they are tried once for each message."""
        self.transport(delay_after_cutoff="false")
        self.hints.not_due |= {RETRY_A, RETRY_B}
        self.hints.expired |= {RETRY_A, RETRY_B}
        self.assert_delivered(self.one())

        self.serve(HOST_A, error.ConnectionRefusedError())
        self.serve(HOST_B, error.ConnectionRefusedError())
        self.network.connections[-1].lose()
        self.network.attempts.clear()
        self.one()

        self.assertEqual(len(self.network.attempts), 2)

    def test_some_skipped_and_some_failed(self) -> None:
        """What was tried decides the text."""
        self.hints.not_due.add(RETRY_A)
        self.b.replies["GREETING"] = b"421 busy\r\n"

        outcome = self.one()

        self.assertEqual(outcome.retry_key, RETRY_B)
        self.assertIn("initial connection: 421 busy", outcome.text)

    def test_without_ip_address(self) -> None:
        """retry_include_ip_address off keeps hints by name alone."""
        self.transport(retry_include_ip_address="false")
        self.serve(HOST_A, error.ConnectionRefusedError())

        self.one(hosts=(HOST_A,))

        self.assertEqual(self.failed_keys, ["T:a.example"])
