"""Operators on numbers."""

from __future__ import annotations

import os
import re

from mta.errors import ExpansionError
from mta.expand.arithmetic import evaluate
from mta.expand.numbers import integer
from mta.expand.registry import operator

BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE_32 = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = re.compile(r"[0-9]{1,20}\Z")
_ENCODED_LIMIT = 13


@operator("eval", taints=False)
def eval_(text: str) -> str:
    """The value of an arithmetic expression; 010 is octal, 0x10 hexadecimal."""
    return str(evaluate(text, decimal_only=False))


@operator("eval10", taints=False)
def eval10(text: str) -> str:
    """The value of an arithmetic expression in decimal numbers."""
    return str(evaluate(text, decimal_only=True))


def _number(text: str) -> int:
    if not _DIGITS.match(text):
        raise ExpansionError(f'"{text}" is not a number')
    return int(text)


def _encoded(number: int, digits: str) -> str:
    text = ""
    while number:
        number, digit = divmod(number, len(digits))
        text = digits[digit] + text
    return text


def _decoded(text: str, digits: str) -> str:
    if len(text) > _ENCODED_LIMIT or any(digit not in digits for digit in text):
        raise ExpansionError(f'"{text}" is not a base {len(digits)} number')
    number = 0
    for digit in text:
        number = number * len(digits) + digits.index(digit)
    return str(number)


@operator("base32", taints=False)
def base32(text: str) -> str:
    """A decimal number in base 32; nothing for zero."""
    return _encoded(_number(text), BASE_32)


@operator("base32d", taints=False)
def base32d(text: str) -> str:
    """A base 32 number in decimal."""
    return _decoded(text, BASE_32)


@operator("base62", taints=False)
def base62(text: str) -> str:
    """A decimal number in base 62, of six digits at least."""
    return _encoded(_number(text), BASE_62).rjust(6, "0")


@operator("base62d", taints=False)
def base62d(text: str) -> str:
    """A base 62 number in decimal."""
    return _decoded(text, BASE_62)


@operator("randint", taints=False)
def randint(text: str) -> str:
    """A random number from 0 up to, not including, the given one."""
    limit = integer(text)
    if limit < 1:
        raise ExpansionError(f'randint needs a number above zero, not "{text}"')
    return str(int.from_bytes(os.urandom(16), "big") % limit)
