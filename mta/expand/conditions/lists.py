"""Conditions that look for something in a list."""

from __future__ import annotations

from mta.errors import ExpansionError
from mta.expand.context import Context
from mta.expand.ip_text import ip_octets
from mta.expand.registry import expansion_condition
from mta.lists.matching import ListKind, match_list
from mta.options import split_list


def _in_list(context: Context, subject: str, text: str, caseless: bool) -> bool:
    wanted = subject.lower() if caseless else subject
    for item in split_list(text):
        if (item.lower() if caseless else item) == wanted:
            context.values["value"] = item
            return True
    return False


@expansion_condition("inlist", arguments=2, sets=True, context=True)
def in_list(context: Context, subject: str, text: str) -> bool:
    """True where a list of strings has the subject, which is then ``$value``."""
    return _in_list(context, subject, text, caseless=False)


@expansion_condition("inlisti", arguments=2, sets=True, context=True)
def in_list_but_for_case(context: Context, subject: str, text: str) -> bool:
    """``inlist`` without regard to case."""
    return _in_list(context, subject, text, caseless=True)


async def _matches(context: Context, kind: ListKind, subject: str, text: str) -> bool:
    match = await match_list(kind, text, subject, context)
    if match is None:
        return False
    if match.captures:
        context.captures = match.captures
    context.values["value"] = match.value or ""
    return True


@expansion_condition(
    "match_domain", arguments=2, raw_last=True, sets=True, context=True, waits=True
)
async def match_domain(context: Context, subject: str, text: str) -> bool:
    """True where a domain list, which is not expanded, has the subject."""
    return await _matches(context, ListKind.DOMAIN, subject, text)


@expansion_condition(
    "match_address", arguments=2, raw_last=True, sets=True, context=True, waits=True
)
async def match_address(context: Context, subject: str, text: str) -> bool:
    """True where an address list, which is not expanded, has the subject."""
    return await _matches(context, ListKind.ADDRESS, subject, text)


@expansion_condition(
    "match_local_part", arguments=2, raw_last=True, sets=True, context=True, waits=True
)
async def match_local_part(context: Context, subject: str, text: str) -> bool:
    """True where a local part list, which is not expanded, has the subject."""
    return await _matches(context, ListKind.LOCAL_PART, subject, text)


@expansion_condition(
    "match_ip", arguments=2, raw_last=True, sets=True, context=True, waits=True
)
async def match_ip(context: Context, subject: str, text: str) -> bool:
    """True where a list of IP addresses, which is not expanded, has the subject."""
    if subject and ip_octets(subject) is None:
        raise ExpansionError(f'"{subject}" is not an IP address')
    if ";" in text:
        items = (_by_address(item) for item in split_list(text))
        text = "<\n " + "\n".join(items)
    return await _matches(context, ListKind.HOST, subject, text)


def _by_address(item: str) -> str:
    bare = item.removeprefix("!").strip()
    if ";" not in bare or bare.startswith(("net", "/")):
        return item
    return f"{'!' if item.startswith('!') else ''}net-{bare}"
