"""Tests of listing the queue and finding what is due."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.spool import database, listing
from mta.spool.database import NewRow, open_database, transaction
from mta.spool.listing import Due
from tests.spool.test_database import small_message


class ListingTests(SynchronousTestCase):
    """A queue of messages in every state.

    ``a`` waits for a queue run, ``b`` is due, ``c`` is due later, ``d`` is frozen,
    ``e`` is claimed, ``f`` is due and was tried, ``g`` is frozen and due.
    """

    def setUp(self) -> None:
        """Fill the queue."""
        self.connection = open_database(self.mktemp())
        self.addCleanup(self.connection.close)
        for name, next_try, frozen, owner in (
            ("a", None, False, None),
            ("b", 90.0, False, None),
            ("c", 200.0, False, None),
            ("d", None, True, None),
            ("e", 50.0, False, 7),
            ("f", 80.0, False, None),
            ("g", 70.0, True, None),
        ):
            message = small_message(name)
            message.frozen = frozen
            with transaction(self.connection):
                database.insert(self.connection, NewRow.of(message, owner, next_try))
        self.connection.execute("UPDATE message SET tries = 1 WHERE id = 'f'")

    def due(self, limit: int = 100, **wishes: object) -> str:
        """Return the letters of the messages that are found, in order."""
        due = Due(100.0, limit, **wishes)  # type: ignore[arg-type]
        return "".join(listing.find_due(self.connection, due))

    def test_due(self) -> None:
        """Found are those without a time, then the longest due."""
        self.assertEqual(self.due(), "afb")

    def test_limit(self) -> None:
        """No more are found than asked for."""
        self.assertEqual([self.due(limit) for limit in (1, 2, 3)], ["a", "af", "afb"])

    def test_timed_only(self) -> None:
        """A wake-up leaves alone what waits for a queue run."""
        self.assertEqual(self.due(timed_only=True), "fb")

    def test_force(self) -> None:
        """A forced run takes all that are not frozen, in order of arrival."""
        self.assertEqual(self.due(force=True), "abcf")

    def test_frozen(self) -> None:
        """Frozen ones are found when asked for."""
        self.assertEqual(self.due(force=True, frozen=True), "abcdfg")
        self.assertEqual(self.due(timed_only=True, frozen=True), "gfb")

    def test_first_only(self) -> None:
        """Those that were tried before can be left out."""
        self.assertEqual(self.due(first_only=True), "ab")

    def test_bounds(self) -> None:
        """Ids bound a run: after the first, up to and with the last."""
        self.assertEqual(self.due(force=True, after="a"), "bcf")
        self.assertEqual(self.due(force=True, after="a", until="c"), "bc")
        self.assertEqual(self.due(until="b"), "ab")

    def test_match(self) -> None:
        """A function may choose by what a listing shows."""
        found = self.due(force=True, match=lambda entry: entry.message_id in "bf")
        limited = self.due(1, force=True, match=lambda entry: entry.message_id in "bf")

        self.assertEqual((found, limited), ("bf", "b"))
        by_recipient = self.due(
            force=True, match=lambda e: "bob@example.org" in dict(e.recipients)
        )
        self.assertEqual(by_recipient, "abcf")

    def test_indexed(self) -> None:
        """Finding due messages never reads the whole queue."""
        plans: list[str] = []
        self.connection.set_trace_callback(plans.append)
        self.due()
        self.due(timed_only=True, frozen=True)
        self.connection.set_trace_callback(None)
        self.assertEqual(len(plans), 3)
        for statement in plans:
            plan = self.connection.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
            self.assertIn("SEARCH message USING INDEX due", plan[0][3])

    def test_earliest(self) -> None:
        """The next time to wake up is that of the first that nobody works on."""
        self.assertEqual(listing.earliest_try(self.connection), 80.0)

    def test_counts(self) -> None:
        """All are counted, and the frozen ones among them."""
        counts = listing.read_counts(self.connection)

        self.assertEqual((counts.messages, counts.frozen, counts.broken), (7, 2, 0))

    def test_entries(self) -> None:
        """A listing shows every message, oldest first."""
        entries = list(listing.read_entries(self.connection))

        self.assertEqual("".join(e.message_id for e in entries), "abcdefg")
        entry = entries[1]
        self.assertEqual(entry.sender, "ann@example.com")
        self.assertEqual(entry.recipients, [("bob@example.org", False)])
        self.assertEqual((entry.received_at, entry.next_try), (1000.0, 90.0))
        self.assertEqual(entry.size, len(b"Subject: test\r\n\r\nHello\r\n"))
        self.assertEqual([e.message_id for e in entries if e.claimed], ["e"])

    def test_broken_entry(self) -> None:
        """A row that cannot be read is shown with the reason."""
        self.connection.execute("UPDATE message SET record = x'00' WHERE id = 'b'")

        entry = listing.read_entry(self.connection, "b")

        assert entry is not None
        self.assertIn("unreadable", entry.problem)
        self.assertIsNone(listing.read_entry(self.connection, "z"))
