"""Tests for ``mta.config.drivers``."""

from __future__ import annotations

from tests.config.reading import ConfigurationCase


class DriverSectionTests(ConfigurationCase):
    """Sections of driver instances."""

    def routers(self, text: str) -> list[str]:
        """Return the errors of a routers section; its first line is line 2."""
        return self.errors("begin routers\n" + text)

    def test_options_before_driver(self) -> None:
        """The driver need not be named first."""
        found = self.read("begin routers\na:\n no_more\n driver = accept\n").routers

        self.assertFalse(found["a"].more)

    def test_repeated(self) -> None:
        """Some options may be given several times, in order."""
        found = self.read(
            "begin routers\na:\n driver = accept\n condition = 1\n condition = 2\n"
        ).routers

        self.assertEqual(found["a"].condition, ("1", "2"))

    def test_not_repeated(self) -> None:
        """Others may not."""
        self.assertEqual(
            self.routers("a:\n driver = accept\n first = 1\n first = 2\n"),
            ['5: option "first" has already been set in line 4'],
        )

    def test_no_driver(self) -> None:
        """An instance needs a driver."""
        self.assertEqual(self.routers("a:\n more\n"), ['2: router "a" has no driver'])

    def test_two_drivers(self) -> None:
        """And only one."""
        self.assertEqual(
            self.routers("a:\n driver = accept\n driver = accept\n"),
            ['4: option "driver" has already been set'],
        )

    def test_unknown_driver(self) -> None:
        """An unknown driver is told with those that exist."""
        self.assertEqual(
            self.routers("a:\n driver = acept\n"),
            ['3: unknown router "acept"; known: accept'],
        )

    def test_exims_driver(self) -> None:
        """A driver of Exim's that we lack is refused by name."""
        self.assertIn(
            '"iplookup" is known to Exim', self.routers("a:\n driver = iplookup\n")[0]
        )

    def test_no_drivers_of_kind(self) -> None:
        """A kind without drivers refuses every one."""
        errors = self.errors("begin authenticators\na:\n driver = plaintext\n")

        self.assertIn("known: none", errors[0])

    def test_unknown_option(self) -> None:
        """An unknown option is told with the instance."""
        self.assertEqual(
            self.routers("a:\n driver = accept\n transprt = x\n"),
            ['4: unknown option "transprt" in router "a"; did you mean "transport"?'],
        )

    def test_exims_option(self) -> None:
        """Generic and private options of Exim's that we lack are known by name."""
        self.assertIn(
            'option "debug_print" is known to Exim',
            self.routers("a:\n driver = accept\n debug_print = x\n")[0],
        )
        errors = self.errors("begin transports\na:\n driver = appendfile\n quota = 1\n")
        self.assertIn('option "quota" is known to Exim', errors[0])

    def test_all_wrong_options(self) -> None:
        """Unknown names and wrong values are all reported."""
        errors = self.routers("a:\n driver = accept\n x = 1\n no_y\n first = z\n")

        self.assertEqual([error[0] for error in errors], ["4", "5", "6"])

    def test_contradiction(self) -> None:
        """What only the whole instance can tell has the line of its name."""
        self.assertEqual(
            self.routers("a:\n driver = accept\n first = 1\n second = 2\n"),
            ["2: router a: first and second cannot both be set"],
        )

    def test_name_twice(self) -> None:
        """A name may be used once in a section."""
        self.assertEqual(
            self.routers("a:\n driver = accept\na:\n driver = accept\n"),
            ['4: there is already a router called "a"'],
        )

    def test_name_too_long(self) -> None:
        """A name has at most 64 characters."""
        name = "a" * 65

        self.assertIn("64 characters", self.routers(f"{name}:\n driver = accept\n")[0])

    def test_text_after_name(self) -> None:
        """Options begin on the next line."""
        self.assertIn("text after", self.routers("a: driver = accept\n")[0])

    def test_option_before_name(self) -> None:
        """Options need an instance."""
        self.assertIn("must start with its name", self.routers("driver = accept\n")[0])
