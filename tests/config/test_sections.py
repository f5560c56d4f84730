"""Tests for ``mta.config.sections``."""

from __future__ import annotations

import os

from mta.config.sections import read_configuration
from mta.errors import ConfigurationError, ConfigurationErrors
from mta.testing import PlainLanguage
from tests.config.reading import (
    ConfigurationCase,
    ExampleRouter,
    LimitOptions,
    LinesOfACLs,
    NameOptions,
)

WHOLE = """
NAME = mx.example
primary_hostname = NAME
domainlist local_domains = example.com : \\
                           example.org
begin acl
check:
  accept hosts = :
  deny
empty:
begin routers
one:
  driver = accept
  transport = mail
MORE = two
MORE:
  driver = accept
begin transports
mail:
  driver = appendfile
begin retry
* * F,1h,5m
begin rewrite
"""


class WholeConfigurationTests(ConfigurationCase):
    """A configuration with all sections."""

    def test_main(self) -> None:
        """Main options go to the part that declares them, macros replaced."""
        configuration = self.read(WHOLE)

        self.assertEqual(configuration.main(NameOptions).primary_hostname, "mx.example")
        self.assertEqual(configuration.main(LimitOptions).receive_timeout, 300)

    def test_named_list(self) -> None:
        """Named lists are templates by kind and name."""
        template = self.read(WHOLE).named_lists["domain"]["local_domains"]

        self.assertEqual(template.text, "example.com : example.org")

    def test_acls(self) -> None:
        """ACLs get their lines; one without any is there too."""
        acls = self.read(WHOLE).acls

        self.assertEqual(acls, {"check": ["accept hosts = :", "deny"], "empty": []})

    def test_drivers(self) -> None:
        """Driver instances keep the order of the file and know their names."""
        routers = self.read(WHOLE).routers

        self.assertEqual(list(routers), ["one", "two"])
        self.assertIsInstance(routers["one"], ExampleRouter)
        self.assertEqual(routers["two"].name, "two")

    def test_retry(self) -> None:
        """Retry rules stay lines that know their place."""
        (line,) = self.read(WHOLE).retry

        self.assertEqual((line.text, line.file, line.line),
                         ("* * F,1h,5m", self.path, 22))  # fmt: skip

    def test_macros(self) -> None:
        """The macros of file and command line are known afterwards."""
        configuration = self.read(WHOLE, {"EXTRA": "1"})

        self.assertEqual(
            dict(configuration.macros),
            {"EXTRA": "1", "NAME": "mx.example", "MORE": "two"},
        )

    def test_path(self) -> None:
        """The file that was read is known."""
        self.assertEqual(self.read(WHOLE).path, self.path)

    def test_built_in_macro(self) -> None:
        """Built-in macros serve in conditionals."""
        text = ".ifdef _HAVE_X\nprimary_hostname = x\n.endif\n"

        self.assertEqual(self.read(text).main(NameOptions).primary_hostname, "x")

    def test_empty(self) -> None:
        """An empty file gives every default."""
        self.assertTrue(self.read("").main(NameOptions).accept_8bitmime)


class SectionErrorTests(ConfigurationCase):
    """Wrong configurations: each error has its line."""

    def test_all_reported(self) -> None:
        """One reading finds errors in all sections."""
        text = (
            "primary_hostname = a\nnonsense\nbegin acl\nx:\n bad\n"
            "begin routers\nr:\n driver = none\n"
        )

        self.assertEqual(
            [error.split(":")[0] for error in self.errors(text)], ["2", "5", "8"]
        )

    def test_text_has_line_per_error(self) -> None:
        """The text of the exception is one line for each error."""
        error = self.assertRaises(ConfigurationErrors, self.read, "a\nb\n")

        lines = str(error).splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn(f"line 1 of {self.path}", lines[0])

    def test_unknown_section(self) -> None:
        """An unknown section is one error, whatever is in it."""
        self.assertEqual(len(self.errors("begin nothing\nx y z\n=\n")), 1)

    def test_section_twice(self) -> None:
        """A section may be given once."""
        (error,) = self.errors("begin retry\nbegin acl\nbegin retry\n")

        self.assertEqual(error, '3: section "retry" has already been given')

    def test_unsupported_section(self) -> None:
        """A section that we lack may be empty; otherwise it is one error."""
        (error,) = self.errors("begin rewrite\na b c\nd e f\n")

        self.assertEqual(
            error, '2: section "rewrite" is known to Exim but not supported here'
        )

    def test_fatal_error_is_kept_with_others(self) -> None:
        """A missing file ends reading, but earlier errors are told too."""
        errors = self.errors("nonsense = 1\n.include none\nmore = 2\n")

        self.assertEqual([error[0] for error in errors], ["1", "2"])

    def test_acl_without_name(self) -> None:
        """Statements need an ACL."""
        (error,) = self.errors("begin acl\naccept\n")

        self.assertIn("must start with its name", error)

    def test_acl_twice(self) -> None:
        """An ACL may be given once."""
        self.assertEqual(
            self.errors("begin acl\nx:\naccept\nx:\ndeny\n"),
            ['4: there is already an ACL called "x"'],
        )

    def test_macro_error(self) -> None:
        """A macro that is defined twice is an error with its line."""
        (error,) = self.errors("NAME = a\nNAME = b\n")

        self.assertTrue(error.startswith("2: "))

    def test_macro_of_command_line(self) -> None:
        """A bad macro of the command line is an error without a place."""
        error = self.assertRaises(ConfigurationErrors, self.read, "", {"x": "y"})

        self.assertEqual(error.errors[0].line, 0)

    def test_no_file(self) -> None:
        """A missing file is a configuration error."""
        self.assertRaises(
            ConfigurationError,
            read_configuration,
            [os.path.abspath(self.mktemp())],
            macros={},
            language=PlainLanguage(),
            acl_language=LinesOfACLs(),
            main_groups=[],
            drivers={},
        )

    def test_cut_anywhere(self) -> None:
        """Every beginning of a configuration is read or refused with places."""
        for end in range(len(WHOLE)):
            try:
                self.read(WHOLE[:end])
            except ConfigurationErrors as error:
                self.assertTrue(all(one.line for one in error.errors), WHOLE[:end])
