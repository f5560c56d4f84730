"""The dnsdb look-up: records of the DNS."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mta.errors import ExpansionError, TemporaryFailure
from mta.host import Answer, Outcome
from mta.lookups.base import Lookup, Style, lookup
from mta.options import split_list

_KINDS = {
    "a": ("A",),
    "aaaa": ("AAAA",),
    "a+": ("AAAA", "A"),
    "cname": ("CNAME",),
    "mx": ("MX",),
    "mxh": ("MX",),
    "ns": ("NS",),
    "ptr": ("PTR",),
    "spf": ("TXT",),
    "srv": ("SRV",),
    "tlsa": ("TLSA",),
    "txt": ("TXT",),
    "zns": ("NS",),
}
_NAMES_LIMIT = 100
_DEFERS = frozenset(("defer_strict", "defer_lax", "defer_never"))
_DNSSEC = frozenset(("dnssec_strict", "dnssec_lax", "dnssec_never"))


@dataclass(slots=True)
class DNSQuery:
    """A query's parts: separators, modifiers, record type and names."""

    separator: str = "\n"
    field_separator: str = " "
    defer: str = "defer_lax"
    dnssec: str = "dnssec_lax"
    type_name: str = "txt"
    names: tuple[str, ...] = ()


def parse_query(text: str) -> DNSQuery:
    """Return the parts of a query; raise ExpansionError."""
    query = DNSQuery()
    text = text.strip()
    if text.startswith(">"):
        query.separator = text[1:2]
        text = text[2:]
        if text[:1] in (",", ";"):
            query.field_separator = "" if text[0] == ";" else text[1:2]
            text = text[1 if text[0] == ";" else 2 :]
        text = text.lstrip()
    while True:
        word, comma, rest = text.partition(",")
        word = word.strip()
        if not comma or not word.startswith(
            ("defer_", "dnssec_", "retrans_", "retry_")
        ):
            break
        if word in _DEFERS:
            query.defer = word
        elif word in _DNSSEC:
            query.dnssec = word
        else:
            raise ExpansionError(f'unsupported dnsdb modifier "{word}"')
        text = rest.lstrip()
    type_name, equals, names = text.partition("=")
    if equals:
        query.type_name = type_name.strip().lower()
        text = names
    if query.type_name not in _KINDS:
        raise ExpansionError(f'unsupported DNS record type "{query.type_name}"')
    query.names = _names(text.strip(), query.type_name)
    return query


def _names(text: str, type_name: str) -> tuple[str, ...]:
    if type_name == "ptr" and not text.startswith("<") and text.count(":") > 1:
        # Exim chapter 9: precisely one IPv6 address is not a list.
        try:
            return (str(ipaddress.IPv6Address(str(text))),)
        except ValueError:
            pass
    return tuple(str(name) for name in split_list(text) if name)


@lookup("dnsdb", style=Style.QUERY, has_trusted_results=False)
class DNSDatabase(Lookup):
    """Finds records; what it finds is an outsider's text."""

    wants_context = True

    async def find_in_context(
        self, source: str, key: str, options: Mapping[str, str], context: Any
    ) -> str | None:
        """Return the records of all names in one text.

        The context then tells whether all answers were authenticated.
        """
        query = parse_query(key)
        answers: list[Answer] = []
        try:
            return await self._found(query, answers)
        finally:
            if context is not None:
                context.lookup_dnssec = _authenticated(query, answers)

    async def _found(self, query: DNSQuery, answers: list[Answer]) -> str | None:
        found: list[str] = []
        unfinished = ""
        for name in query.names[:_NAMES_LIMIT]:
            for kind in _KINDS[query.type_name]:
                answer = await self._answer(name, kind, query)
                answers.append(answer)
                if answer.outcome is Outcome.AGAIN or (
                    query.dnssec == "dnssec_strict" and answer and not answer.secure
                ):
                    if query.defer == "defer_strict":
                        raise _incomplete(name, kind)
                    unfinished = unfinished or f"{name} {kind}"
                    continue
                found += [_record_text(query, kind, one) for one in answer.records]
        if found:
            return query.separator.join(found)
        if unfinished and query.defer == "defer_lax":
            raise _incomplete(*unfinished.split(" ", 1))
        return None

    async def _answer(self, name: str, kind: str, query: DNSQuery) -> Answer:
        resolver = self.resolver
        if resolver is None:
            raise ExpansionError("dnsdb: there is no resolver")
        if kind == "PTR":
            try:
                return await resolver.reverse(str(ipaddress.ip_address(name)))
            except ValueError:
                return await resolver.query(name, kind)
        answer = await resolver.query(name, kind)
        if query.type_name == "zns":
            while not answer and answer.outcome is not Outcome.AGAIN and "." in name:
                name = name.partition(".")[2]
                answer = await resolver.query(name, kind)
        return answer


def _authenticated(query: DNSQuery, answers: list[Answer]) -> str:
    if query.dnssec == "dnssec_never":
        return ""
    return "yes" if answers and all(a.secure for a in answers) else "no"


def _record_text(query: DNSQuery, kind: str, record: Any) -> str:
    if query.type_name == "mxh":
        return str(record[1])
    if kind == "TXT":
        text: str = record.decode("utf-8", "surrogateescape")
        return text
    if isinstance(record, tuple):
        return query.field_separator.join(
            field.hex() if isinstance(field, bytes) else str(field) for field in record
        )
    return str(record)


def _incomplete(name: str, kind: str) -> TemporaryFailure:
    text = f"lookup of {kind} records of {name} did not complete"
    return TemporaryFailure("host lookup did not complete", log_text=text)
