"""Tests of what is read from files and read again."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.testing import MemoryLogs
from mta.tls.watched import LOOK_AGAIN, Unfinished, Watched


class WatchedTests(SynchronousTestCase):
    """Two files whose content belongs together."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.logs = MemoryLogs()
        self.now = 1000.0
        self.loads = 0
        self.meanwhile = lambda: None
        self.count = 0
        self.write("one", "good")
        self.write("two", "good")
        self.watched = Watched(
            self.load,
            lambda: [self.path("one"), self.path("two")],
            awaited=lambda: [self.path("three")],
            name="pair",
            logs=self.logs,
        )

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.directory / name)

    def write(self, name: str, text: str) -> None:
        """Write a file, so that it shows."""
        self.count += 1
        Path(self.path(name)).write_text(f"{text} {'x' * self.count}")

    def load(self, earlier: str | None) -> str:
        """Return what both files say, if it is the same."""
        self.loads += 1
        one, two = (
            Path(self.path(name)).read_text().split()[0] for name in ("one", "two")
        )
        self.meanwhile()
        if one == "bad" and not Path(self.path("three")).exists():
            raise TemporaryFailure("no", log_text="one is bad")
        if one != two:
            raise Unfinished("no", log_text="one and two differ")
        return one

    def look(self, seconds: float = LOOK_AGAIN) -> str:
        """Return what there is some time later."""
        self.now += seconds
        return self.watched.current(self.now)

    @property
    def panics(self) -> list[str]:
        """The lines of the panic log."""
        return [text for text, _ in self.logs.panic_lines]

    def test_unchanged(self) -> None:
        """Files that do not change are read once."""
        self.assertEqual(["good"] * 3, [self.look() for _ in range(3)])
        self.assertEqual(1, self.loads)

    def test_changed(self) -> None:
        """Changed ones are read again, but only after a while."""
        self.look()
        self.write("one", "new")
        self.write("two", "new")

        self.assertEqual("good", self.look(1))
        self.assertEqual("new", self.look(LOOK_AGAIN))
        self.assertEqual([], self.logs.lines)

    def test_told_to_look(self) -> None:
        """Or when somebody says so."""
        self.look()
        self.write("one", "new")
        self.write("two", "new")
        self.watched.look_again()

        self.assertEqual("new", self.look(0))

    def test_bad(self) -> None:
        """What is no use leaves the earlier, with an alarm for each change."""
        self.look()
        for number in (1, 2):
            self.write("one", "bad")
            for _ in range(3):
                self.assertEqual("good", self.look())
            self.assertEqual(
                ["TLS error: one is bad; the earlier one is kept"] * number,
                self.panics,
            )
        self.assertEqual(3, self.loads)

    def test_good_again(self) -> None:
        """That it is good again is said, once."""
        self.look()
        self.write("one", "bad")
        self.look()
        self.write("one", "good")

        self.assertEqual(["good", "good"], [self.look(), self.look()])
        self.assertEqual("TLS: pair can be used again", self.logs.lines[-1])
        self.assertEqual(2, len(self.logs.lines))

    def test_half_written(self) -> None:
        """Files that do not fit are given time to be replaced."""
        self.look()
        self.write("one", "new")
        self.assertEqual("good", self.look())
        self.write("two", "new")

        self.assertEqual("new", self.look())
        self.assertEqual([], self.logs.lines)

    def test_never_whole(self) -> None:
        """Where they still do not fit after it, that is an alarm."""
        self.look()
        self.write("one", "new")
        for _ in range(4):
            self.assertEqual("good", self.look())

        self.assertEqual(
            ["TLS error: one and two differ; the earlier one is kept"], self.panics
        )

    def test_changing(self) -> None:
        """What changes while it is read may be half of one and half of another."""
        self.look()
        self.write("one", "new")
        self.write("two", "new")
        self.meanwhile = lambda: self.write("two", "new")
        self.assertEqual("good", self.look())
        self.meanwhile = lambda: None

        self.assertEqual("new", self.look())
        self.assertEqual([], self.logs.lines)

    def test_never_good(self) -> None:
        """Whoever asks is told, as long as nothing can be used."""
        self.write("one", "bad")
        for _ in range(2):
            self.assertRaises(TemporaryFailure, self.look)
        self.assertEqual([], self.panics)

        self.write("one", "good")

        self.assertEqual("good", self.look(0))
        self.assertEqual(["TLS: pair can be used again"], self.logs.lines)

    def test_awaited(self) -> None:
        """A further file may be what was missing."""
        self.look()
        self.write("one", "bad")
        self.write("two", "bad")
        self.look()
        self.write("three", "x")

        self.assertEqual("bad", self.look())
        self.write("three", "y")
        self.look()

        self.assertEqual(3, self.loads)
