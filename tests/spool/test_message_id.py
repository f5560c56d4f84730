"""Tests of message identifiers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.spool.message_id import MessageIds, id_process, id_time, is_message_id


class MessageIdsTests(SynchronousTestCase):
    """Making identifiers."""

    def test_shape(self) -> None:
        """An identifier has 23 characters in three groups."""
        made = MessageIds(lambda: 1_700_000_000.5, process=1234).next_id()

        self.assertEqual(made, "1r31eq-000000000Ju-264W")
        self.assertTrue(is_message_id(made))

    def test_parts(self) -> None:
        """An identifier tells when it was made, and by which process."""
        made = MessageIds(lambda: 1_700_000_000.25, process=4_194_304).next_id()

        self.assertAlmostEqual(id_time(made), 1_700_000_000.25, places=5)
        self.assertEqual(id_process(made), 4_194_304)

    def test_same_moment(self) -> None:
        """Identifiers made while the clock stands still differ and increase."""
        ids = MessageIds(lambda: 1_700_000_000.9999, process=1)

        made = [ids.next_id() for _ in range(1000)]

        self.assertEqual(made, sorted(set(made)))

    def test_clock_set_back(self) -> None:
        """Identifiers go on from the greatest when the clock is set back."""
        times = iter([1_700_000_000.0, 1_600_000_000.0, 1_700_000_001.0])
        ids = MessageIds(lambda: next(times), process=1)

        made = [ids.next_id() for _ in range(3)]

        self.assertEqual(made, sorted(set(made)))

    def test_other_process(self) -> None:
        """Two processes never make the same identifier in one moment."""
        one = MessageIds(lambda: 1_700_000_000.0, process=1)
        other = MessageIds(lambda: 1_700_000_000.0, process=2)

        self.assertNotEqual(one.next_id(), other.next_id())

    def test_order_of_time(self) -> None:
        """Of one process the later identifier sorts behind, in every digit's range."""
        times = [float(10**n) + 0.5 for n in range(10)]
        moments = iter(times)
        ids = MessageIds(lambda: next(moments), process=1)

        made = [ids.next_id() for _ in times]

        self.assertEqual(made, sorted(made))


class ShapeTests(SynchronousTestCase):
    """Telling identifiers from other texts."""

    def test_old_form(self) -> None:
        """The 16 characters of former times are understood."""
        self.assertTrue(is_message_id("1r31eq-000Juv-0A"))
        self.assertEqual(id_time("1r31eq-000Juv-0A"), 1_700_000_000.0)

    def test_other_texts(self) -> None:
        """What is shorter, longer or has other characters is no identifier."""
        good = "1r31fw-000000000Ju-264a"
        for text in ("", "x", good + "1", good + "\n", good.replace("J", "."), "../a"):
            self.assertFalse(is_message_id(text), text)
        for end in range(len(good)):
            self.assertFalse(is_message_id(good[:end]), good[:end])

    def test_no_time(self) -> None:
        """The time of a text that is no identifier is an error."""
        with self.assertRaises(ValueError):
            id_time("nonsense")
        with self.assertRaises(ValueError):
            id_process("nonsense")
