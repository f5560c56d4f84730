"""Conditions that compare numbers, and truth values."""

from __future__ import annotations

from mta.expand.numbers import integer, lax_truth, strict_truth
from mta.expand.registry import expansion_condition


@expansion_condition("=", arguments=2)
def equal(first: str, second: str) -> bool:
    """True where two numbers are equal."""
    return integer(first) == integer(second)


@expansion_condition("==", arguments=2)
def equal_too(first: str, second: str) -> bool:
    """True where two numbers are equal."""
    return integer(first) == integer(second)


@expansion_condition(">", arguments=2)
def greater(first: str, second: str) -> bool:
    """True where the first number is greater."""
    return integer(first) > integer(second)


@expansion_condition(">=", arguments=2)
def not_less(first: str, second: str) -> bool:
    """True where the first number is greater or equal."""
    return integer(first) >= integer(second)


@expansion_condition("<", arguments=2)
def less(first: str, second: str) -> bool:
    """True where the first number is less."""
    return integer(first) < integer(second)


@expansion_condition("<=", arguments=2)
def not_greater(first: str, second: str) -> bool:
    """True where the first number is less or equal."""
    return integer(first) <= integer(second)


@expansion_condition("bool", arguments=1)
def is_true(text: str) -> bool:
    """True for true, yes and numbers but 0; fails for what is no truth value."""
    return strict_truth(text)


@expansion_condition("bool_lax", arguments=1)
def is_not_false(text: str) -> bool:
    """True for everything but an empty string, 0, no and false."""
    return lax_truth(text)
