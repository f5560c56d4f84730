"""Strings of the configuration to template trees, parsed once (Exim chapter 11)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mta.errors import ConfigurationError
from mta.expand.choices import Branches, Condition, Finding, Negation
from mta.expand.context import Context
from mta.expand.headers import HEADER_PREFIXES, HeaderText
from mta.expand.nodes import (
    Call,
    Capture,
    Concatenation,
    Fail,
    FindingCall,
    Literal,
    Node,
    Operation,
    Test,
    TextCall,
)
from mta.expand.octets import joined
from mta.expand.quoting import LETTERS, character
from mta.options import Source

if TYPE_CHECKING:
    from mta.expand.registry import Language

DEPTH_LIMIT = 60
_WORD = re.compile(r"[A-Za-z0-9_-]*")
_NAME = re.compile(r"[A-Za-z0-9_]*")
_CONDITION = re.compile(r"[a-z][a-z0-9_]*|[=<>]=?")
_HEADER_NAME = re.compile(r"[^\x00-\x20:\x7f]*")
_NUMBER = re.compile(r"[0-9]{1,3}")
_DIGITS = "0123456789"
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SPACE = re.compile(r"[ \t\r\n\f\v]*")
_PLAIN = {True: re.compile(r"[^\\$}]+"), False: re.compile(r"[^\\$]+")}
_RAW = re.compile(r"[^\\}]+")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,2}")
_OCTAL = re.compile(r"[0-7]{1,3}")


class Template:
    """A parsed string, which is expanded when it is used.

    ``constant`` is the result where it depends on nothing, else None.
    """

    __slots__ = ("constant", "node", "text")

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.node = node
        self.constant = node.text if isinstance(node, Literal) else None

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    async def expand(self, context: Context) -> str:
        """Return the text for a context (see ``mta.interfaces.ITemplate``)."""
        if self.constant is not None:
            return self.constant
        if self.node.waits:
            return await self.node.later(context)
        return self.node.now(context)


def parse_template(text: str, source: Source, language: Language) -> Template:
    """Return the template of a string; raise ConfigurationError naming the place."""
    if "$" not in text and "\\" not in text:
        return Template(text, Literal(text))
    return Template(text, Reader(text, source, language).whole())


class Reader:
    """Reads one string from left to right.

    Items and conditions with a syntax of their own use its public methods.
    """

    def __init__(self, text: str, source: Source, language: Language) -> None:
        self.text = text
        self.source = source
        self.language = language
        self.position = 0
        self._depth = 0

    def error(self, text: str) -> ConfigurationError:
        """Return the error that names the place and shows where reading stopped."""
        rest = self.text[self.position : self.position + 30]
        where = f' at "{rest}"' if rest else " at the end of the string"
        return self.source.error(f"{text}{where}")

    def whole(self) -> Node:
        """Return the node of the whole string."""
        return self._text(in_braces=False)

    def peek(self) -> str:
        """Return the next character that is not white space, and go to it."""
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return self.text[self.position : self.position + 1]

    def take(self, pattern: re.Pattern[str]) -> str:
        """Return what the pattern matches here, which may be nothing."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def accept(self, text: str) -> bool:
        """Go past the text if it stands here; return whether it did."""
        if self.text.startswith(text, self.position):
            self.position += len(text)
            return True
        return False

    def expect(self, character: str, purpose: str) -> None:
        """Go past white space and a character that must stand here."""
        if self.peek() != character:
            raise self.error(f'"{character}" expected {purpose}')
        self.position += 1

    def string(self, purpose: str) -> Node:
        """Return the node of one string in braces."""
        self.expect("{", purpose)
        node = self._text(in_braces=True)
        self.expect("}", purpose)
        return node

    def raw_string(self, purpose: str) -> str:
        """Return a string in braces in which only backslashes are special."""
        self.expect("{", purpose)
        pieces = []
        while not self.accept("}"):
            if self.position >= len(self.text):
                raise self.error(f'"}}" expected {purpose}')
            pieces.append(self.take(_RAW) or self._escape())
        return "".join(pieces)

    def strings(self, least: int, most: int, name: str) -> list[Node]:
        """Return the nodes of several strings in braces."""
        nodes: list[Node] = []
        while len(nodes) < most:
            if len(nodes) >= least and self.peek() != "{":
                break
            nodes.append(self.string(f'in "{name}"'))
        return nodes

    def close(self, name: str) -> None:
        """Go past the brace that ends an item."""
        if self.peek() == "{":
            raise self.error(f'too many arguments for "{name}"')
        self.expect("}", f'to end "{name}"')

    def branches(self, name: str) -> Branches:
        """Return ``{yes}{no}`` or what stands in their place, and end the item."""
        yes = no = None
        if self.peek() == "{":
            yes = self.string(f'in "{name}"')
            if self.peek() == "{":
                no = self.string(f'in "{name}"')
            elif self.peek() != "}":
                no = self.fail(name)
        self.close(name)
        return Branches(yes, no)

    def fail(self, name: str) -> Node:
        """Return the node of the word ``fail``, which must stand here."""
        if self.peek() and self.take(_NAME) != "fail":
            raise self.error(f'"fail" or a string in braces expected in "{name}"')
        return Fail(f'"{name}" failed and "fail" requested')

    def condition(self) -> Test:
        """Return the test of one condition of ``${if``."""
        self._deeper()
        negated = False
        while self.peek() == "!":
            self.position += 1
            negated = not negated
        start = self.position
        name = self.take(_CONDITION)
        declared = self.language.conditions.get(name)
        if declared is None:
            self.position = start
            raise self.error("unknown condition" if name else "condition expected")
        if declared.reads:
            test: Test = declared(self)
        else:
            test = self._plain_condition(name, declared)
        self._depth -= 1
        return Negation(test) if negated else test

    def variable(self) -> Node:
        """Return the node of a variable or a header field whose name stands here."""
        start = self.position
        name = self.take(_NAME)
        for prefix, form in HEADER_PREFIXES.items():
            if name.startswith(prefix):
                self.position = start + len(prefix)
                field_name = self.take(_HEADER_NAME)
                if not field_name:
                    raise self.error("name of a header field expected")
                self.accept(":")
                return HeaderText(field_name, form)
        node = self.language.variable(name)
        declared = self.language.items.get(name)
        if node is None and declared is not None and declared.like_variable:
            return self._call(name, declared)
        if node is None:
            self.position = start
            raise self.error(f'unknown variable name "{name}"')
        return node

    def _plain_condition(self, name: str, declared: Any) -> Test:
        purpose = f'in condition "{name}"'
        arguments: list[Node] = []
        for number in range(1, declared.arguments + 1):
            if declared.raw_last and number == declared.arguments:
                arguments.append(Literal(self.raw_string(purpose)))
            else:
                arguments.append(self.string(purpose))
        return Condition(
            declared,
            arguments,
            wants_context=declared.context,
            is_async=declared.waits,
            sets=declared.sets,
        )

    def _text(self, in_braces: bool) -> Node:
        self._deeper()
        parts: list[Node] = []
        plain: list[str] = []
        while self.position < len(self.text):
            piece = self.take(_PLAIN[in_braces])
            if piece:
                plain.append(piece)
            elif self.text[self.position] == "\\":
                plain.append(self._escape())
            elif self.text[self.position] == "}":
                break
            else:
                if plain:
                    parts.append(Literal(joined(plain)))
                    plain = []
                parts.append(self._dollar())
        if plain or not parts:
            parts.append(Literal(joined(plain)))
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Concatenation(parts)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self.error("nested too deeply")

    def _escape(self) -> str:
        letter = self.text[self.position + 1 : self.position + 2]
        if not letter:
            raise self.error("backslash")
        self.position += 2
        if letter == "N":
            literal, _, _ = self.text[self.position :].partition("\\N")
            self.position = min(self.position + len(literal) + 2, len(self.text))
            return literal
        if letter == "x" and (digits := self.take(_HEXADECIMAL)):
            return character(int(digits, 16))
        if letter in "01234567":
            self.position -= 1
            return character(int(self.take(_OCTAL), 8) & 0xFF)
        return LETTERS.get(letter, letter)

    def _dollar(self) -> Node:
        following = self.text[self.position + 1 : self.position + 2]
        if following == "{":
            self.position += 2
            return self._braced()
        if following in _DIGITS and following:
            self.position += 1
            return Capture(int(self.take(_NUMBER)))
        if following in _ALPHABET and following:
            self.position += 1
            return self.variable()
        raise self.error("$ not followed by a letter, a digit or {")

    def _braced(self) -> Node:
        self._deeper()
        start = self.position
        word = self.take(_WORD)
        declared = self.language.items.get(word)
        if declared is not None:
            node = declared(self) if declared.reads else self._item(word, declared)
        elif self.accept(":"):
            node = self._operation(word, start)
        else:
            self.position = start
            node = self._variable_in_braces(word)
        self._depth -= 1
        return node

    def _variable_in_braces(self, word: str) -> Node:
        if not word:
            raise self.error("name expected after ${")
        if word.startswith(tuple(HEADER_PREFIXES)):
            raise self.error("a header field cannot be inserted with braces")
        following = self.text[self.position + len(word) :].lstrip()
        if not following.startswith("}"):
            raise self.error(f'unknown expansion item "{word}"')
        node = self.variable()
        self.expect("}", "after the variable's name")
        return node

    def _item(self, name: str, declared: Any) -> Node:
        if declared.branches:
            arguments = self.strings(declared.least, declared.most, name)
            wants = {"wants_context": declared.context, "is_async": declared.waits}
            call = FindingCall(declared, arguments, **wants)
            return Finding(call, self.branches(name))
        node = self._call(name, declared)
        self.close(name)
        return node

    def _call(self, name: str, declared: Any) -> Node:
        arguments = self.strings(declared.least, declared.most, name)
        wants = {"wants_context": declared.context, "is_async": declared.waits}
        made = TextCall if declared.taints else Call[str]
        return made(declared, arguments, **wants)

    def _operation(self, word: str, start: int) -> Node:
        operators = self.language.operators
        declared, argument = operators.get(word), ""
        if declared is None:
            name, _, argument = word.partition("_")
            declared = operators.get(name)
        if declared is None or (argument and declared.argument is None):
            self.position = start
            raise self.error(f'unknown expansion operator "{word}"')
        function: Callable[..., Any] = declared
        if declared.argument is not None:
            try:
                function = with_argument(declared, declared.argument(argument))
            except ValueError as error:
                self.position = start
                raise self.error(f'"{word}": {error}') from error
        subject = self._text(in_braces=True)
        self.expect("}", f'to end "{word}"')
        if declared.taints and not declared.context and not declared.waits:
            return Operation(function, subject)
        made = TextCall if declared.taints else Call[str]
        return made(
            function,
            [subject],
            wants_context=declared.context,
            is_async=declared.waits,
        )


def with_argument(function: Callable[..., Any], argument: Any) -> Callable[..., Any]:
    """Return an operator whose last argument is already known."""
    return lambda *arguments: function(*arguments, argument)
