"""Tests of mta.acl.conditions.seen."""

from __future__ import annotations

from mta.errors import ConfigurationError
from mta.taint import Tainted
from tests.acl.conditions.rate_case import RateCase

DAY = 86400


class SeenCase(RateCase):
    """A condition that is asked as time passes."""

    def is_seen(self, argument: str) -> bool:
        """Return what the condition comes to."""
        return self.is_true(f"seen = {argument}")

    def marks(self) -> dict[str, str]:
        """Return what is remembered, by key."""
        return {
            key: text
            for (kind, key), (text, _) in self.hints.entries.items()
            if kind == "seen"
        }


class SinceTests(SeenCase):
    """``seen = 5m``: within the last five minutes."""

    def test_first(self) -> None:
        """Who was never seen was not, and is remembered."""
        self.assertFalse(self.is_seen("5m"))
        self.assertEqual(["192.0.2.7"], list(self.marks()))

    def test_within(self) -> None:
        """Each time counts from the one before."""
        self.is_seen("5m")
        for _ in range(3):
            self.wait(290)
            self.assertTrue(self.is_seen("5m"))
        self.wait(301)
        self.assertFalse(self.is_seen("5m"))


class BeforeTests(SeenCase):
    """``seen = -5m``: at least five minutes ago."""

    def test_greylisting(self) -> None:
        """Who comes again early is told so until the time is over."""
        key = "-5m / key=${client}_$rcpt"
        values = {"client": "192.0.2.7", "rcpt": Tainted("a/write@b")}
        found = []
        for _ in range(4):
            verdict = self.verdict(f"accept seen = {key}", values=values)
            found.append(verdict.outcome.value)
            self.wait(120)

        self.assertEqual(["deny", "deny", "deny", "accept"], found)
        self.assertEqual(["192.0.2.7_a/write@b"], list(self.marks()))

    def test_first_time_stays(self) -> None:
        """Only the first time is remembered."""
        self.is_seen("-5m")
        before = self.marks()
        self.wait(1000)

        self.assertTrue(self.is_seen("-5m"))
        self.assertEqual(before, self.marks())

    def test_refresh(self) -> None:
        """What is old is marked anew, so that it counts as before all the same."""
        self.is_seen("-5m")
        self.wait(10 * DAY + 1)
        self.assertTrue(self.is_seen("-5m"))

        self.assertEqual(str(self.hints.now - 300), self.marks()["192.0.2.7"])
        self.assertTrue(self.is_seen("-5m"))

    def test_own_refresh(self) -> None:
        """The time after which that is done may be set."""
        self.is_seen("-5m")
        before = self.marks()
        self.wait(DAY + 1)
        self.is_seen("-5m / refresh=2d")
        self.assertEqual(before, self.marks())
        self.is_seen("-5m / refresh=1d")
        self.assertNotEqual(before, self.marks())


class OptionTests(SeenCase):
    """Options."""

    def test_readonly(self) -> None:
        """Nothing is remembered."""
        for argument in ("5m / readonly", "-5m / readonly"):
            self.assertFalse(self.is_seen(argument))
        self.assertEqual({}, self.marks())

    def test_write(self) -> None:
        """It is remembered in any case."""
        self.is_seen("-5m / write")
        self.wait(299)
        self.is_seen("-5m / write")
        self.wait(299)

        self.assertFalse(self.is_seen("-5m"))

    def test_later_options(self) -> None:
        """A later option overrides an earlier one."""
        self.is_seen("5m / key=a / key=b")
        self.is_seen("5m / write / readonly")

        self.assertEqual(["b"], list(self.marks()))

    def test_wrong(self) -> None:
        """A wrong option or time is an error of the configuration."""
        for text, words in (
            ("5m / foo", "unrecognised option 'foo'"),
            ("5m / key=a/b", "unrecognised option 'b'"),
            ("soon", '"soon" is not a time interval'),
            ("", "is not a time interval"),
            ("5m / refresh=x", '"x" is not a time interval'),
        ):
            error = self.assertRaises(
                ConfigurationError, self.parse, f"accept seen = {text}"
            )
            self.assertIn(words, str(error))

    def test_expanded(self) -> None:
        """An option may be expanded, but not be an outsider's."""
        acl = "accept seen = 5m / $option"
        self.verdict(acl, values={"option": "readonly"})
        self.assertEqual({}, self.marks())

        outcome = self.verdict(acl, values={"option": Tainted("readonly")}).outcome

        self.assertEqual("error", outcome.value)


class TroubleTests(SeenCase):
    """What cannot be decided is not let through."""

    def test_hints(self) -> None:
        """Where hints cannot be read the client is told to come again."""
        self.hints.is_broken = True

        self.assertEqual("defer", self.outcome("accept seen = 5m"))

    def test_no_hints(self) -> None:
        """So it is where nothing is kept at all."""
        self.site.hints = None

        self.assertEqual("error", self.outcome("accept seen = 5m"))
