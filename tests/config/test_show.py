"""Tests for ``mta.config.show``."""

from __future__ import annotations

from mta.config.show import HIDDEN, describe
from mta.errors import ConfigurationError
from tests.config.reading import ConfigurationCase

TEXT = """
NAME = x
hide primary_hostname = secret
recipients_max = 5K
domainlist local = a : b
hide hostlist hidden = 10.0.0.1
begin routers
one:
 driver = accept
 no_more
 condition = a
 condition = b
two:
 driver = accept
begin transports
mail:
 driver = appendfile
 file = /x
"""


class DescribeTests(ConfigurationCase):
    """What -bP shows."""

    def show(self, *names: str, **options: bool) -> list[str]:
        """Return the lines for some arguments."""
        return describe(self.read(TEXT), list(names), **options)

    def test_all_main_options(self) -> None:
        """Without arguments all main options are shown, in order."""
        self.assertEqual(
            self.show(),
            [
                "accept_8bitmime",
                "acl_smtp_rcpt = ",
                "primary_hostname = secret",
                "receive_timeout = 5m",
                "recipients_max = 5K",
            ],
        )

    def test_one(self) -> None:
        """A name is answered with its value, another name of it too."""
        self.assertEqual(self.show("recipients_max"), ["recipients_max = 5K"])
        self.assertEqual(self.show("rcpt_max"), ["recipients_max = 5K"])

    def test_values_only(self) -> None:
        """-n leaves out the names."""
        self.assertEqual(
            self.show("recipients_max", "accept_8bitmime", values_only=True),
            ["5K", "true"],
        )

    def test_hidden(self) -> None:
        """Hidden values are for administrators."""
        self.assertEqual(
            self.show("primary_hostname", "+hidden", is_admin=False),
            [f"primary_hostname = {HIDDEN}", f"hostlist hidden = {HIDDEN}"],
        )

    def test_list(self) -> None:
        """A plus sign asks for a named list."""
        self.assertEqual(self.show("+local"), ["domainlist local = a : b"])

    def test_routers(self) -> None:
        """All instances of a kind, with their options."""
        lines = self.show("routers")

        self.assertEqual(
            lines[:5],
            ["", "one router:", "driver = accept", "condition = a", "condition = b"],
        )
        self.assertIn("no_more", lines)
        self.assertIn("two router:", lines)

    def test_one_transport(self) -> None:
        """One instance by kind and name; modes are octal."""
        self.assertEqual(
            self.show("transport", "mail"),
            ["driver = appendfile", "mode = 0600", "file = /x"],
        )

    def test_names_of_routers(self) -> None:
        """The names alone."""
        self.assertEqual(self.show("router_list"), ["one", "two"])

    def test_file_and_macros(self) -> None:
        """The file and the macros."""
        self.assertEqual(self.show("config_file"), [self.path])
        self.assertEqual(self.show("macros"), ["NAME=x"])
        self.assertEqual(self.show("macro", "NAME", values_only=True), ["x"])

    def test_lines(self) -> None:
        """The whole text; what is hidden stays so."""
        lines = self.show("config", is_admin=False)

        self.assertEqual(lines[1], f"hide primary_hostname = {HIDDEN}")
        self.assertEqual(lines[4], f"hide hostlist hidden = {HIDDEN}")
        self.assertNotIn("secret", "\n".join(lines))
        self.assertNotIn("10.0.0.1", "\n".join(lines))

    def test_unknown(self) -> None:
        """Unknown names are told as Exim tells them."""
        for names, text in {
            ("nothing",): "nothing is not a known option",
            ("router", "x"): "router x not found",
            ("macro", "X"): "macro X not found",
            ("+x",): "no list called x was found",
            ("router",): "router name missing",
        }.items():
            error = self.assertRaises(ConfigurationError, self.show, *names)
            self.assertEqual(str(error), text)
