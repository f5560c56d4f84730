"""Fields that ACLs add and remove."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.header_changes import HeaderChanges
from mta.errors import ExpansionError
from mta.message import HeaderSection

SECTION = (
    b"Received: from b\r\n\tby c\r\n"
    b"Received: from a by b\r\n"
    b"Resent-To: x@example.com\r\n"
    b"From: a@example.com\r\n"
    b"X-Old: 1\r\n 2\r\n"
)


class HeaderChangesTests(SynchronousTestCase):
    """What waits, and what comes of it."""

    def setUp(self) -> None:
        self.changes = HeaderChanges()
        self.section = HeaderSection(SECTION)

    def names(self) -> list[str]:
        """Return the names of the fields after the changes."""
        self.changes.apply(self.section)
        return [field.name for field in self.section.fields]

    def test_positions(self) -> None:
        """A prefix says where a field goes; without one it goes to the end."""
        received = ["Received", "Received"]
        rest = ["From", "X-Old"]
        for prefix, wanted in {
            "": [*received, "Resent-To", *rest, "X"],
            ":at_end:": [*received, "Resent-To", *rest, "X"],
            ":at_start:": ["X", *received, "Resent-To", *rest],
            ":after_received:": [*received, "X", "Resent-To", *rest],
            ":at_start_rfc:": [*received, "Resent-To", "X", *rest],
        }.items():
            self.setUp()
            self.changes.add(f"{prefix}X: y")

            self.assertEqual(wanted, self.names(), prefix)

    def test_several_fields(self) -> None:
        """A line feed ends a field unless white space follows it."""
        self.changes.add("A: 1\nB: 2\n continued\n\nC: 3\n")

        contents = [field.content for field in self.changes.added]
        self.assertEqual(
            [b"A: 1\r\n", b"B: 2\r\n continued\r\n", b"C: 3\r\n"], contents
        )

    def test_no_line_end_from_outside(self) -> None:
        """A lone carriage return does not get into the section."""
        self.changes.add("A: 1\rB: 2")

        self.assertEqual(b"A: 1 B: 2\r\n", self.changes.added[0].content)

    def test_text_that_is_no_field(self) -> None:
        """It gets a name."""
        self.changes.add("some warning")

        self.assertEqual(b"X-ACL-Warn: some warning\r\n", self.changes.added[0].content)

    def test_equal_fields(self) -> None:
        """A field that waits already is not added again."""
        self.changes.add("A: 1")
        self.changes.add("A: 1\nA: 2")

        self.assertEqual("A: 1\nA: 2", self.changes.added_text)

    def test_remove(self) -> None:
        """Fields go by name, in any case, by the start of a name, by a pattern."""
        for text, wanted in {
            "x-OLD": ["Received", "Received", "Resent-To", "From"],
            "re*": ["From", "X-Old"],
            "^received:: from b": ["Received", "Resent-To", "From", "X-Old"],
            "^x-old::.*2 : from": ["Received", "Received", "Resent-To"],
        }.items():
            self.setUp()
            self.changes.remove(text)

            self.assertEqual(wanted, self.names(), text)

    def test_removed_before_added(self) -> None:
        """A field that is added stays though its name is removed."""
        self.changes.add("X-Old: new")
        self.changes.remove("X-Old")

        self.assertEqual("X-Old", self.names()[-1])
        self.assertIn(b"X-Old: new\r\n", self.section.content)
        self.assertNotIn(b"X-Old: 1", self.section.content)

    def test_bad_pattern(self) -> None:
        """A pattern that cannot be used is an error."""
        self.assertRaises(ExpansionError, self.changes.remove, "^(")

    def test_applied_once(self) -> None:
        """What was done waits no more."""
        self.changes.add("A: 1")
        self.changes.remove("B")

        self.changes.apply(self.section)

        self.assertFalse(self.changes)

    def test_empty_section(self) -> None:
        """Every position exists in an empty section."""
        for prefix in ("", ":at_start:", ":after_received:", ":at_start_rfc:"):
            self.changes.add(f"{prefix}X: {prefix.strip(':')}")
        section = HeaderSection(b"")

        self.changes.apply(section)

        self.assertEqual(4, len(section.fields))
