"""Tests for ``mta.config.reader``."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mta.config.macros import Macros, definition
from mta.config.reader import LogicalLine, Reader, first_existing
from mta.errors import ConfigurationError


class ReaderCase(SynchronousTestCase):
    """Reads files that a test writes."""

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def write(self, text: str, name: str = "conf") -> str:
        """Write a file and return its path."""
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def read(self, text: str) -> list[LogicalLine]:
        """Return the lines of a file with this text, defining its macros."""
        self.reader = Reader(self.write(text), macros=Macros({"GIVEN": "given"}))
        lines = []
        for line in self.reader.lines():
            found = definition(line.text)
            if found:
                self.reader.macros.define(found[0], found[1], again=found[2])
            lines.append(line)
        return lines

    def texts(self, text: str) -> list[str]:
        """Return the texts of the lines of a file."""
        return [line.text for line in self.read(text)]

    def error(self, text: str) -> str:
        """Return the error that reading a file gives."""
        return str(self.assertRaises(ConfigurationError, self.read, text))


class LogicalLineTests(ReaderCase):
    """Physical lines become logical ones."""

    def test_trimmed(self) -> None:
        """White space around a line does not count."""
        self.assertEqual(self.texts("  a = b \t\n"), ["a = b"])

    def test_comments_and_empty_lines(self) -> None:
        """Comments and empty lines are no lines; a later # is text."""
        self.assertEqual(self.texts("# x\n\n   # y\na # b\n"), ["a # b"])

    def test_continuation(self) -> None:
        """A final backslash joins the next line without its leading white space."""
        self.assertEqual(self.texts("a = b \\\n   c\n"), ["a = b c"])

    def test_white_space_after_backslash(self) -> None:
        """White space after the backslash does not matter."""
        self.assertEqual(self.texts("a\\  \nb\n"), ["ab"])

    def test_comment_within(self) -> None:
        """Comments may stand between continued lines."""
        self.assertEqual(self.texts("a = b : \\\n # no\\\n c\n"), ["a = b : c"])

    def test_empty_line_ends(self) -> None:
        """An empty line ends a continuation."""
        self.assertEqual(self.texts("a = b\\\n\nc\n"), ["a = b", "c"])

    def test_end_of_file_ends(self) -> None:
        """So does the end of the file."""
        self.assertEqual(self.texts("a = b\\"), ["a = b"])

    def test_numbers(self) -> None:
        """A line has the number of its first physical line."""
        lines = self.read("# x\na = \\\n b\nc\n")

        self.assertEqual([line.line for line in lines], [2, 4])

    def test_cut_anywhere(self) -> None:
        """Every beginning of a file can be read or gives a configuration error."""
        text = 'A = b\n.ifdef A\nx = "y" \\\n  # c\n z\n.endif\n.include none\n'
        for end in range(len(text)):
            try:
                self.read(text[:end])
            except ConfigurationError as error:
                self.assertTrue(error.line, text[:end])

    def test_octets(self) -> None:
        """Octets that are not UTF-8 are kept."""
        path = self.write("")
        with open(path, "wb") as file:
            file.write(b"a = \xe9\n")

        (line,) = Reader(path, macros=Macros()).lines()

        self.assertEqual(line.text.encode("utf-8", "surrogateescape"), b"a = \xe9")


class MacroLineTests(ReaderCase):
    """Macros are replaced in physical lines, before anything else."""

    def test_defined_before_use(self) -> None:
        """A macro counts from the line after its definition."""
        self.assertEqual(
            self.texts("a = NAME\nNAME = x\nb = NAME\n"),
            ["a = NAME", "NAME = x", "b = x"],
        )

    def test_command_line(self) -> None:
        """The macros of the command line count from the first line."""
        self.assertEqual(self.texts("a = GIVEN\n"), ["a = given"])

    def test_name_in_definition(self) -> None:
        """The name that is defined is not replaced; the value is."""
        self.assertEqual(
            self.texts("ONE = x\nONE == ONE y\na = ONE\n")[1:],
            ["ONE == x y", "a = x y"],
        )

    def test_comment_by_macro(self) -> None:
        """A macro may make a line a comment."""
        self.assertEqual(self.texts("HASH = #\nHASH a\nb\n"), ["HASH = #", "b"])

    def test_continued_line(self) -> None:
        """A continued line that looks like a definition is searched whole."""
        self.assertEqual(self.texts("ONE = x\na = \\\nONE = y\n")[1:], ["a = x = y"])


class ConditionalLineTests(ReaderCase):
    """Conditional directives in files."""

    def test_defined(self) -> None:
        """Lines count where the macro is defined, at any depth."""
        text = ".ifdef GIVEN\na\n.ifdef OTHER\nb\n.else\nc\n.endif\n.endif\nd\n"

        self.assertEqual(self.texts(text), ["a", "c", "d"])

    def test_part_of_name(self) -> None:
        """As in Exim, a macro inside the name is enough; there is a warning."""
        self.assertEqual(self.texts(".ifdef XGIVENX\na\n.endif\n"), ["a"])
        self.assertEqual(len(self.reader.warnings), 1)
        self.assertIn("line 1 of", self.reader.warnings[0])

    def test_no_warning(self) -> None:
        """The exact name gives none."""
        self.texts(".ifdef GIVEN\na\n.endif\n")

        self.assertEqual(self.reader.warnings, [])

    def test_within_continuation(self) -> None:
        """Directives may stand between continued lines."""
        text = "a = b \\\n.ifdef GIVEN\n c \\\n.else\n d \\\n.endif\n e\n"

        self.assertEqual(self.texts(text), ["a = b c e"])

    def test_missing_endif(self) -> None:
        """Every .ifdef must be closed in its own file."""
        error = self.error("a\n.ifdef GIVEN\nb\n")

        self.assertIn("line 2 of", error)
        self.assertIn('".endif" for this line is missing', error)

    def test_too_many(self) -> None:
        """An .endif too many is an error with its line."""
        self.assertIn("line 2 of", self.error("a\n.endif\n"))

    def test_skipped_lines_are_not_looked_at(self) -> None:
        """Files that are not wanted need not exist."""
        self.assertEqual(self.texts(".ifdef OTHER\n.include /none\n.x\n.endif\n"), [])

    def test_unknown(self) -> None:
        """A directive that does not exist is refused."""
        self.assertIn('unknown directive ".if"', self.error(".if x\n"))


class IncludeTests(ReaderCase):
    """Files include files."""

    def test_relative(self) -> None:
        """A relative name is looked for beside the including file."""
        self.write("b = c\n", "other")
        lines = self.read('a\n.include "other"\nd\n')

        self.assertEqual([line.text for line in lines], ["a", "b = c", "d"])
        self.assertEqual(lines[1].file, os.path.join(self.directory, "other"))
        self.assertEqual(lines[1].line, 1)

    def test_macros_reach_out(self) -> None:
        """Macros of an included file count after it."""
        self.write("NAME = x\n", "other")

        self.assertEqual(self.texts(".include other\na = NAME\n")[-1], "a = x")

    def test_missing(self) -> None:
        """A missing file is an error that names the including line."""
        error = self.error("a\n.include none\n")

        self.assertIn("line 2 of", error)
        self.assertIn("No such file", error)

    def test_if_exists(self) -> None:
        """.include_if_exists is content without the file."""
        self.assertEqual(self.texts(".include_if_exists none\na\n"), ["a"])

    def test_no_name(self) -> None:
        """.include needs a name."""
        self.assertIn("needs the name", self.error(".include\n"))

    def test_loop(self) -> None:
        """A file that includes itself is refused."""
        self.write(".include conf\n", "other")

        self.assertIn("includes itself", self.error(".include other\n"))

    def test_twice(self) -> None:
        """The same file twice, one after the other, is no loop."""
        self.write("b\n", "other")

        self.assertEqual(self.texts(".include other\n.include other\n"), ["b", "b"])

    def test_balanced(self) -> None:
        """A conditional cannot begin in one file and end in another."""
        self.write(".ifdef GIVEN\n", "other")

        self.assertIn("other", self.error(".include other\n.endif\n"))


class PermissionTests(ReaderCase):
    """Who else can write the file decides whether it is read."""

    def check(self, mode: int, *, check: bool = True) -> list[LogicalLine]:
        """Read a file with some permissions."""
        path = self.write("a\n")
        os.chmod(path, mode)
        reader = Reader(path, macros=Macros(), check_permissions=check)
        return list(reader.lines())

    def test_own(self) -> None:
        """A file that only we can write is read."""
        self.assertEqual(len(self.check(0o644)), 1)

    def test_everybody(self) -> None:
        """One that everybody can write is not."""
        error = self.assertRaises(ConfigurationError, self.check, 0o646)

        self.assertIn("written by everybody", str(error))

    def test_unchecked(self) -> None:
        """Unless nobody asks."""
        self.assertEqual(len(self.check(0o646, check=False)), 1)

    def test_foreign(self) -> None:
        """A file of somebody else is refused."""
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        path = self.write("a\n")
        os.chown(path, 12345, 12345)

        error = self.assertRaises(
            ConfigurationError, list, Reader(path, macros=Macros()).lines()
        )
        self.assertIn("belongs neither to root", str(error))

    def test_foreign_group(self) -> None:
        """So is one that a foreign group can write."""
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        path = self.write("a\n")
        os.chown(path, 0, 12345)
        os.chmod(path, 0o664)

        error = self.assertRaises(
            ConfigurationError, list, Reader(path, macros=Macros()).lines()
        )
        self.assertIn("written by its group", str(error))

    def test_directory(self) -> None:
        """A directory is no configuration."""
        reader = Reader(self.directory, macros=Macros())

        self.assertRaises(ConfigurationError, list, reader.lines())

    def test_nul(self) -> None:
        """A file with a NUL octet is no text."""
        reader = Reader(self.write("a\0b\n"), macros=Macros())

        self.assertRaises(ConfigurationError, list, reader.lines())


class FirstExistingTests(ReaderCase):
    """The first of several files that exists is read."""

    def test_first(self) -> None:
        """Missing files are passed over."""
        path = self.write("a\n")

        self.assertEqual(first_existing(["/none/x", path]), path)

    def test_none(self) -> None:
        """Where there is none, the error names all."""
        error = self.assertRaises(ConfigurationError, first_existing, ["/none/x"])

        self.assertIn("/none/x", str(error))
