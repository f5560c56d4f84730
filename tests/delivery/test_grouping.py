"""Tests for which addresses go together."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.address import NULL_PATH, parse_address
from mta.delivery.grouping import errors_path, group
from mta.host import Host
from mta.message import Message, Recipient
from mta.recipient import RoutedAddress
from mta.testing import PlainLanguage
from mta.transports.smtp import SMTPTransport
from tests.delivery.fakes import TableTransport


def address(text: str, transport: str, **facts: object) -> RoutedAddress:
    parsed = parse_address(text)
    made = RoutedAddress(parsed, Recipient(parsed), domain=parsed.domain)
    made.transport = transport
    for name, value in facts.items():
        setattr(made, name, value)
    return made


class GroupTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transports = {}
        for name in ("remote", "local", "batched"):
            made = TableTransport.with_texts({}, name=name)
            made.is_remote = name == "remote"
            self.transports[name] = made
        self.transports["batched"].batch_max = 2
        self.message = Message(sender=parse_address("s@example.org"))

    def sizes(self, *addresses: RoutedAddress) -> list[tuple[str, int]]:
        return [
            (one.transport.name, len(one.addresses))
            for one in group(self.message, addresses, self.transports)
        ]

    def test_remote(self) -> None:
        """Remote addresses with the same hosts go together, whatever the domain."""
        hosts = [Host("mx", "192.0.2.1")]
        other = [Host("mx", "192.0.2.2")]

        sizes = self.sizes(
            address("a@x.example", "remote", hosts=hosts),
            address("b@x.example", "remote", hosts=other),
            address("c@y.example", "remote", hosts=list(hosts)),
        )

        self.assertEqual(sizes, [("remote", 2), ("remote", 1)])

    def test_without_hosts(self) -> None:
        """Where the transport finds the hosts, each domain goes by itself."""
        sizes = self.sizes(
            address("a@x.example", "remote"), address("b@y.example", "remote")
        )

        self.assertEqual(sizes, [("remote", 1), ("remote", 1)])

    def relayed(self, **options: str) -> list[tuple[str, int]]:
        """Return the deliveries of an smtp transport for three addresses."""
        self.transports["smtp"] = SMTPTransport.with_texts(
            options, language=PlainLanguage(), name="smtp"
        )
        hosts = [Host("mx", "192.0.2.1")]
        return self.sizes(
            *(
                address(text, "smtp", hosts=hosts)
                for text in ("a@x.example", "b@x.example", "c@y.example")
            )
        )

    def test_smtp(self) -> None:
        """An smtp transport has one delivery for all, unless its options say no.

        What must be one address or one domain is so for every expansion.
        """
        for options, counts in (
            ({}, [3]),
            ({"max_rcpt": "0"}, [3]),
            ({"max_rcpt": "2"}, [2, 1]),
            ({"max_rcpt": "1"}, [1, 1, 1]),
            ({"max_rcpt": "$limit"}, [3]),
            ({"multi_domain": "false"}, [2, 1]),
            ({"multi_domain": "$which"}, [2, 1]),
        ):
            found = [count for _, count in self.relayed(**options)]
            self.assertEqual(found, counts, options)

    def test_differences(self) -> None:
        """Another return path or another header change is another delivery."""
        for facts in (
            {"errors_to": "o@x.example"},
            {"headers_add": ["X: y"]},
            {"headers_remove": ["X"]},
        ):
            with self.subTest(facts=facts):
                sizes = self.sizes(
                    address("a@x.example", "remote"),
                    address("b@x.example", "remote", **facts),
                )
                self.assertEqual(len(sizes), 2)

    def test_local_first(self) -> None:
        """Local deliveries come first, one by one or in batches of batch_max."""
        sizes = self.sizes(
            address("r@x.example", "remote"),
            *(address(f"{n}@l.example", "batched") for n in "abc"),
            address("l@l.example", "local"),
            address("m@l.example", "local"),
        )

        self.assertEqual(
            sizes,
            [("batched", 2), ("batched", 1), ("local", 1), ("local", 1), ("remote", 1)],
        )

    def test_one_for_each_local_part(self) -> None:
        """A transport whose options name the local part takes no batches."""
        made = TableTransport.with_texts(
            {"home_directory": "/h/x_local_part"}, name="n"
        )
        made.is_remote, made.batch_max = False, 5
        self.transports["n"] = made

        sizes = self.sizes(address("a@l.example", "n"), address("b@l.example", "n"))

        self.assertEqual(sizes, [("n", 1), ("n", 1)])


class ErrorsPathTests(SynchronousTestCase):
    def test_who(self) -> None:
        """The router's errors_to comes before the recipient's, before the sender."""
        message = Message(sender=parse_address("s@example.org"))
        one = address("a@x.example", "remote")

        self.assertEqual(errors_path(message, one).text, "s@example.org")
        one.recipient.errors_to = "r@example.org"
        self.assertEqual(errors_path(message, one).text, "r@example.org")
        one.errors_to = "<o@example.org>"
        self.assertEqual(errors_path(message, one).text, "o@example.org")
        one.errors_to = "<>"
        self.assertEqual(errors_path(message, one), NULL_PATH)
