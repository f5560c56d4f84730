"""Tests for ``mta.config.macros``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from twisted.trial.unittest import SynchronousTestCase

from mta.config.macros import MacroError, Macros, definition, definition_start


class Unasked(Mapping[str, str]):
    """Built-in macros that must not be needed."""

    def __getitem__(self, name: str) -> str:
        raise AssertionError("asked")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("asked")

    def __len__(self) -> int:
        raise AssertionError("asked")


class MacrosTests(SynchronousTestCase):
    """Macros replace text in the order in which they were defined."""

    def test_replaced_everywhere(self) -> None:
        """A macro is replaced wherever its name stands, even inside words."""
        macros = Macros()
        macros.define("HOST", "mx")

        self.assertEqual(macros.apply("a HOST bHOSTc"), ("a mx bmxc", True))

    def test_untouched(self) -> None:
        """Text without macros comes back as it was, and says so."""
        macros = Macros()
        macros.define("HOST", "mx")

        self.assertEqual(macros.apply("nothing"), ("nothing", False))

    def test_later_macro_in_value(self) -> None:
        """What a macro puts in may contain macros that were defined later."""
        macros = Macros()
        macros.define("ALPHA", "x BETA")
        macros.define("BETA", "y ALPHA")

        self.assertEqual(macros.apply("ALPHA"), ("x y ALPHA", True))

    def test_same_macro_in_value(self) -> None:
        """A macro is not looked for again in what it put in."""
        macros = Macros()
        macros.define("ALPHA", "ALPHA ALPHA")

        self.assertEqual(macros.apply("ALPHA"), ("ALPHA ALPHA", True))

    def test_empty_value_counts_as_replaced(self) -> None:
        """A macro with an empty value is still one that is defined."""
        macros = Macros()
        macros.define("NOTHING", "")

        self.assertEqual(macros.apply(".ifdef NOTHING"), (".ifdef ", True))

    def test_defined_twice(self) -> None:
        """A second definition needs the double equals sign."""
        macros = Macros()
        macros.define("HOST", "a")

        self.assertRaises(MacroError, macros.define, "HOST", "b")

    def test_redefined(self) -> None:
        """Redefinition changes the value and keeps the place in the order."""
        macros = Macros()
        macros.define("ALPHA", "BETA")
        macros.define("BETA", "b")

        macros.define("ALPHA", "new BETA", again=True)

        self.assertEqual(macros.apply("ALPHA")[0], "new b")

    def test_redefined_before_defined(self) -> None:
        """What is not defined cannot be redefined."""
        self.assertRaises(MacroError, Macros().define, "HOST", "b", again=True)

    def test_name_contains_earlier_name(self) -> None:
        """A name that contains an earlier one could never be found."""
        macros = Macros()
        macros.define("HOST", "a")

        self.assertRaises(MacroError, macros.define, "MY_HOST_NAME", "b")

    def test_name_contained_in_earlier_name(self) -> None:
        """The other way about works, since the longer name is replaced first."""
        macros = Macros()
        macros.define("HOST_NAME", "a")
        macros.define("HOST", "b")

        self.assertEqual(macros.apply("HOST_NAME HOST")[0], "a b")

    def test_command_line_wins(self) -> None:
        """No definition in a file changes a macro of the command line."""
        macros = Macros({"HOST": "given"})
        macros.define("HOST", "file")
        macros.define("HOST", "again", again=True)

        self.assertEqual(macros.apply("HOST")[0], "given")

    def test_command_line_name(self) -> None:
        """A macro of the command line must have the name of a macro."""
        self.assertRaises(MacroError, Macros, {"host": "x"})


class BuiltInMacrosTests(SynchronousTestCase):
    """Macros whose names begin with an underscore."""

    def test_whole_words(self) -> None:
        """A built-in macro is not found inside the name of another."""
        macros = Macros(built_in={"_HAVE_TLS": "y"})

        self.assertEqual(macros.apply("_HAVE_TLS_OCSP"), ("_HAVE_TLS_OCSP", False))
        self.assertEqual(macros.apply("x_HAVE_TLS"), ("x_HAVE_TLS", False))
        self.assertEqual(macros.apply(".ifdef _HAVE_TLS"), (".ifdef y", True))

    def test_before_slash(self) -> None:
        """A built-in macro may begin a path."""
        macros = Macros(built_in={"_DIRECTORY": "/var"})

        self.assertEqual(macros.apply("a =_DIRECTORY/b")[0], "a =/var/b")

    def test_not_asked(self) -> None:
        """Lines without such a name do not cost the collection of all names."""
        macros = Macros(built_in=Unasked())

        self.assertEqual(macros.apply("tls_certificate = x_y")[1], False)


class DefinitionTests(SynchronousTestCase):
    """Which lines define macros."""

    def test_definition(self) -> None:
        """An upper-case name and an equals sign define a macro, quotes kept."""
        self.assertEqual(definition('HOST = "a b" '), ("HOST", '"a b"', False))

    def test_redefinition(self) -> None:
        """Two equals signs redefine."""
        self.assertEqual(definition("HOST==b"), ("HOST", "b", True))

    def test_others(self) -> None:
        """Options, names of instances and empty lines define nothing."""
        for text in ("host = x", "HOST", "HOST:", "", "9A = b"):
            self.assertIsNone(definition(text))

    def test_start(self) -> None:
        """The name in a definition is left out of what is searched."""
        self.assertEqual(definition_start("  HOST = HOST"), 9)
        self.assertEqual(definition_start("host = HOST"), 0)
