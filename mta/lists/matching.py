"""Is a domain, host, address or local part in a list?"""

from __future__ import annotations

from typing import Any

from mta.connection import Connection
from mta.host import Host
from mta.lists.address_list import ADDRESSES, CASEFUL_ADDRESSES, AddressSubject
from mta.lists.domain_list import DOMAINS
from mta.lists.host_list import HOSTS, HostSubject
from mta.lists.items import Grammar, ItemList, ListKind, Match, match_text, parsed
from mta.lists.local_part_list import CASEFUL_LOCAL_PARTS, LOCAL_PARTS

__all__ = ["ListKind", "Match", "match_list", "parse_list", "subject_of"]

_GRAMMARS = {
    (ListKind.DOMAIN, False): DOMAINS,
    (ListKind.DOMAIN, True): DOMAINS,
    (ListKind.HOST, False): HOSTS,
    (ListKind.HOST, True): HOSTS,
    (ListKind.ADDRESS, False): ADDRESSES,
    (ListKind.ADDRESS, True): CASEFUL_ADDRESSES,
    (ListKind.LOCAL_PART, False): LOCAL_PARTS,
    (ListKind.LOCAL_PART, True): CASEFUL_LOCAL_PARTS,
}


def grammar_of(kind: ListKind, caseful: bool = False) -> Grammar:
    """Return how the items of a kind of list are written."""
    return _GRAMMARS[kind, caseful]


def parse_list(kind: ListKind, text: str, *, caseful: bool = False) -> ItemList:
    """Return the items of an expanded list; raise ValueError."""
    return parsed(text, grammar_of(kind, caseful))


def subject_of(kind: ListKind, subject: Any) -> Any:
    """Return a subject in the form that the items of a kind of list compare.

    A host may be a connection, a host to deliver to, or an IP address; the others
    are texts.
    """
    if kind is ListKind.ADDRESS:
        return subject if isinstance(subject, AddressSubject) else _address(subject)
    if kind is not ListKind.HOST or isinstance(subject, HostSubject):
        return subject
    if isinstance(subject, Connection):
        return HostSubject.client(subject)
    if isinstance(subject, Host):
        return HostSubject.target(subject)
    return HostSubject(subject)


def _address(subject: Any) -> AddressSubject:
    return AddressSubject.of(subject if isinstance(subject, str) else subject.text)


async def match_list(
    kind: ListKind, text: str, subject: Any, scope: Any, *, caseful: bool = False
) -> Match | None:
    """Return the match of a subject in a list, or None.

    ``text`` is already expanded.  ``scope`` is the expansion's context.  Raises
    TemporaryFailure where the list cannot be read or an item not be decided now.
    """
    grammar = grammar_of(kind, caseful)
    return await match_text(text, grammar, subject_of(kind, subject), scope)
