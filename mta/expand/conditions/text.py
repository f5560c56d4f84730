"""Conditions that compare strings."""

from __future__ import annotations

from mta.errors import ExpansionError
from mta.expand.captures import captures_of
from mta.expand.context import Context
from mta.expand.ip_text import is_address
from mta.expand.nodes import Literal, Node, Test
from mta.expand.registry import expansion_condition
from mta.expand.syntax import Reader
from mta.lists.patterns import compile_pattern


@expansion_condition("eq", arguments=2)
def same(first: str, second: str) -> bool:
    """True where two strings are identical."""
    return first == second


@expansion_condition("eqi", arguments=2)
def same_but_for_case(first: str, second: str) -> bool:
    """True where two strings differ in case at most."""
    return first.lower() == second.lower()


@expansion_condition("ge", arguments=2)
def not_before(first: str, second: str) -> bool:
    """True where the first string does not sort before the second."""
    return first >= second


@expansion_condition("gei", arguments=2)
def not_before_but_for_case(first: str, second: str) -> bool:
    """``ge`` without regard to case."""
    return first.lower() >= second.lower()


@expansion_condition("gt", arguments=2)
def after(first: str, second: str) -> bool:
    """True where the first string sorts after the second."""
    return first > second


@expansion_condition("gti", arguments=2)
def after_but_for_case(first: str, second: str) -> bool:
    """``gt`` without regard to case."""
    return first.lower() > second.lower()


@expansion_condition("le", arguments=2)
def not_after(first: str, second: str) -> bool:
    """True where the first string does not sort after the second."""
    return first <= second


@expansion_condition("lei", arguments=2)
def not_after_but_for_case(first: str, second: str) -> bool:
    """``le`` without regard to case."""
    return first.lower() <= second.lower()


@expansion_condition("lt", arguments=2)
def before(first: str, second: str) -> bool:
    """True where the first string sorts before the second."""
    return first < second


@expansion_condition("lti", arguments=2)
def before_but_for_case(first: str, second: str) -> bool:
    """``lt`` without regard to case."""
    return first.lower() < second.lower()


@expansion_condition("match", reads=True)
def match(reader: Reader) -> Test:
    """True where a regular expression matches; sets ``$0``, ``$1`` and so on."""
    subject, pattern = reader.strings(2, 2, "match")
    if isinstance(pattern, Literal):
        try:
            compile_pattern(pattern.text, False)
        except ValueError as error:
            raise reader.error(str(error)) from error
    return PatternTest(subject, pattern)


class PatternTest(Test):
    """Whether a regular expression matches anywhere in a string."""

    __slots__ = ("pattern", "subject", "waits")
    sets = True

    def __init__(self, subject: Node, pattern: Node) -> None:
        self.subject = subject
        self.pattern = pattern
        self.waits = subject.waits or pattern.waits

    def now(self, context: Context) -> bool:
        pattern = self.pattern.now(context)
        return self._matches(self.subject.now(context), pattern, context)

    async def later(self, context: Context) -> bool:
        subject = await self.subject.later(context)
        return self._matches(subject, await self.pattern.later(context), context)

    def _matches(self, subject: str, pattern: str, context: Context) -> bool:
        try:
            found = compile_pattern(pattern, False).search(subject)
        except ValueError as error:
            raise ExpansionError(str(error)) from error
        if found is None:
            return False
        context.captures = captures_of(found, subject)
        return True


@expansion_condition("isip", arguments=1)
def is_ip_address(text: str) -> bool:
    """True for an IP address."""
    return is_address(text, 4) or is_address(text, 16)


@expansion_condition("isip4", arguments=1)
def is_ipv4_address(text: str) -> bool:
    """True for an IPv4 address."""
    return is_address(text, 4)


@expansion_condition("isip6", arguments=1)
def is_ipv6_address(text: str) -> bool:
    """True for an IPv6 address."""
    return is_address(text, 16)
