"""Conditions made of conditions: ``and``, ``or``, and those on each item of a list."""

from __future__ import annotations

from collections.abc import Callable

from mta.expand.choices import Combination, ForItems
from mta.expand.json_text import array_items, array_strings
from mta.expand.nodes import Test
from mta.expand.registry import expansion_condition
from mta.expand.syntax import Reader
from mta.options import split_list


def _several(reader: Reader, name: str) -> list[Test]:
    tests = []
    reader.expect("{", f'after "{name}"')
    while reader.peek() == "{":
        tests.append(_one_in_braces(reader, name))
    reader.expect("}", f'to end "{name}"')
    return tests


def _one_in_braces(reader: Reader, name: str) -> Test:
    reader.expect("{", f'before a condition in "{name}"')
    test = reader.condition()
    reader.expect("}", f'after a condition in "{name}"')
    return test


def _for_items(
    reader: Reader, name: str, decisive: bool, split: Callable[[str], list[str]]
) -> Test:
    subject = reader.string(f'in "{name}"')
    test = _one_in_braces(reader, name)
    return ForItems(subject, test, decisive=decisive, split=split)


@expansion_condition("and", reads=True)
def all_of(reader: Reader) -> Test:
    """True where all conditions are; those after a false one are not evaluated."""
    return Combination(_several(reader, "and"), decisive=False)


@expansion_condition("or", reads=True)
def any_of(reader: Reader) -> Test:
    """True where one condition is; those after it are not evaluated."""
    return Combination(_several(reader, "or"), decisive=True)


@expansion_condition("forany", reads=True)
def for_any(reader: Reader) -> Test:
    """True where a condition holds for some ``$item`` of a list."""
    return _for_items(reader, "forany", True, split_list)


@expansion_condition("forall", reads=True)
def for_all(reader: Reader) -> Test:
    """True where a condition holds for every ``$item`` of a list."""
    return _for_items(reader, "forall", False, split_list)


@expansion_condition("forany_json", reads=True)
def for_any_json(reader: Reader) -> Test:
    """``forany`` on the elements of a JSON array."""
    return _for_items(reader, "forany_json", True, array_items)


@expansion_condition("forall_json", reads=True)
def for_all_json(reader: Reader) -> Test:
    """``forall`` on the elements of a JSON array."""
    return _for_items(reader, "forall_json", False, array_items)


@expansion_condition("forany_jsons", reads=True)
def for_any_json_string(reader: Reader) -> Test:
    """``forany`` on the strings of a JSON array, without their quotes."""
    return _for_items(reader, "forany_jsons", True, array_strings)


@expansion_condition("forall_jsons", reads=True)
def for_all_json_strings(reader: Reader) -> Test:
    """``forall`` on the strings of a JSON array, without their quotes."""
    return _for_items(reader, "forall_jsons", False, array_strings)
