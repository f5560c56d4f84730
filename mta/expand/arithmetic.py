"""Integer arithmetic of ``${eval:...}`` (Exim chapter 11)."""

from __future__ import annotations

import re
from collections.abc import Callable

from mta.errors import ExpansionError
from mta.expand.numbers import in_range

DEPTH_LIMIT = 50
_TOKEN = re.compile(r"[ \t\r\n]*([0-9][0-9A-Za-z]*|<<|>>|[-+*/%~&|^()])")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,22})([KkMmGg]?)\Z")
_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30}


def _quotient(first: int, second: int) -> int:
    if second == 0:
        raise ExpansionError("divide by zero in arithmetic")
    size = abs(first) // abs(second)
    return size if (first < 0) == (second < 0) else -size


def _remainder(first: int, second: int) -> int:
    return first - second * _quotient(first, second)


def _shifted(first: int, count: int) -> int:
    if not 0 <= count < 64:
        raise ExpansionError("shift count is not between 0 and 63")
    return first << count


def _shifted_back(first: int, count: int) -> int:
    if not 0 <= count < 64:
        raise ExpansionError("shift count is not between 0 and 63")
    return first >> count


# From the operators that bind least to those that bind most.
_LEVELS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"|": lambda first, second: first | second},
    {"^": lambda first, second: first ^ second},
    {"&": lambda first, second: first & second},
    {"<<": _shifted, ">>": _shifted_back},
    {"+": lambda first, second: first + second, "-": lambda f, s: f - s},
    {"*": lambda first, second: first * second, "/": _quotient, "%": _remainder},
)


def evaluate(text: str, *, decimal_only: bool) -> int:
    """Return the value of an expression; raise ExpansionError."""
    expression = _Expression(text, decimal_only)
    value = expression.level(0)
    if expression.token:
        raise expression.error()
    return value


class _Expression:
    def __init__(self, text: str, decimal_only: bool) -> None:
        self.text = str(text).rstrip()
        self.decimal_only = decimal_only
        self.position = 0
        self.depth = 0
        self.token = ""
        self.advance()

    def error(self) -> ExpansionError:
        """Return the error for the token that cannot stand where it does."""
        where = f'"{self.token}"' if self.token else "the end"
        return ExpansionError(f'malformed expression "{self.text}" at {where}')

    def advance(self) -> None:
        """Go to the next token."""
        if self.position >= len(self.text):
            self.token = ""
            return
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            self.token = self.text[self.position]
            raise self.error()
        self.token, self.position = match[1], match.end()

    def level(self, number: int) -> int:
        """Return the value of what operators of a level, and higher ones, join."""
        if number == len(_LEVELS):
            return self.operand()
        operators = _LEVELS[number]
        value = self.level(number + 1)
        while (function := operators.get(self.token)) is not None:
            self.advance()
            value = in_range(function(value, self.level(number + 1)))
        return value

    def operand(self) -> int:
        """Return the value of a number, a parenthesis, or either with a sign."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise ExpansionError("expression is nested too deeply")
        token = self.token
        if not token:
            raise self.error()
        self.advance()
        if token == "-":
            value = in_range(-self.operand())
        elif token == "+":
            value = self.operand()
        elif token == "~":
            value = ~self.operand()
        elif token == "(":
            value = self.level(0)
            if self.token != ")":
                raise self.error()
            self.advance()
        else:
            value = self.number(token)
        self.depth -= 1
        return value

    def number(self, token: str) -> int:
        """Return the value of one number."""
        match = _NUMBER.match(token)
        if match is None:
            raise ExpansionError(f'"{token}" is not a number in "{self.text}"')
        digits, suffix = match[1], match[2].lower()
        is_hexadecimal = digits[:2].lower() == "0x"
        if is_hexadecimal and self.decimal_only:
            raise ExpansionError(f'"{token}" is not a decimal number')
        base = 10
        if not self.decimal_only and digits.startswith("0"):
            base = 16 if is_hexadecimal else 8
        try:
            return in_range(int(digits, base) << _SHIFT[suffix])
        except ValueError as error:
            raise ExpansionError(f'"{token}" is not a number') from error
