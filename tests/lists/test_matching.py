"""The way into lists of all kinds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.connection import Connection
from mta.errors import TemporaryFailure
from mta.host import Host
from mta.lists.host_list import HostSubject
from mta.lists.matching import ListKind, grammar_of, parse_list, subject_of
from tests.lists.scope import match


class MatchListTests(SynchronousTestCase):
    """Lists that are known only when they are used."""

    def test_unreadable(self) -> None:
        """A malformed list is a temporary failure, so that nothing is let pass."""
        for kind, text in (
            (ListKind.DOMAIN, "!^("),
            (ListKind.HOST, "!10.0.0.0/99"),
            (ListKind.ADDRESS, "!^("),
            (ListKind.LOCAL_PART, "!^("),
        ):
            self.assertRaises(TemporaryFailure, match, kind, text, "a")

    def test_parse(self) -> None:
        """Read with the configuration, the same list is an error of its place."""
        self.assertRaises(ValueError, parse_list, ListKind.DOMAIN, "!^(")


class SubjectTests(SynchronousTestCase):
    """The forms in which a subject may come."""

    def test_hosts(self) -> None:
        """A connection, a host to deliver to, an IP address."""
        connection = Connection(peer_address="::ffff:192.0.2.7")
        subjects = [
            subject_of(ListKind.HOST, given)
            for given in (connection, Host("a", "192.0.2.7"), "192.0.2.7")
        ]
        self.assertEqual({subject.ip_address for subject in subjects}, {"192.0.2.7"})
        self.assertEqual([s.names for s in subjects], [None, ("a",), ()])
        self.assertIs(subject_of(ListKind.HOST, subjects[0]), subjects[0])

    def test_host_subject_of_text(self) -> None:
        """An IP address alone has no name that could be found."""
        self.assertIsNone(match(ListKind.HOST, "*.ex : *", "192.0.2.7"))
        self.assertIsInstance(subject_of(ListKind.HOST, ""), HostSubject)

    def test_addresses(self) -> None:
        """A text or an address; the null path has neither part."""
        for given in ("Bob@EX.com", Address("Bob", "EX.com")):
            subject = subject_of(ListKind.ADDRESS, given)
            self.assertEqual((subject.local_part, subject.domain), ("Bob", "ex.com"))
        self.assertEqual(subject_of(ListKind.ADDRESS, "").local_part, "")

    def test_caseful(self) -> None:
        """Only the kinds with local parts have a caseful grammar."""
        for kind in ListKind:
            differs = grammar_of(kind) is not grammar_of(kind, caseful=True)
            has_local_parts = kind in (ListKind.ADDRESS, ListKind.LOCAL_PART)
            self.assertEqual(differs, has_local_parts)
