"""Lists of mail addresses (Exim chapter 10, "Address lists")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mta.errors import TemporaryFailure
from mta.lists.domain_list import DOMAINS
from mta.lists.items import (
    LOCAL_PROBLEM,
    UNDECIDED,
    Grammar,
    Item,
    ItemList,
    ListKind,
    Match,
)
from mta.lists.local_part_list import CASEFUL_LOCAL_PARTS, LOCAL_PARTS
from mta.lists.text_items import LookupItem, Pattern, parse_text_item
from mta.options import split_list
from mta.taint import quoted

_CHAIN_LIMIT = 50
_WHOLE_LOOKUP = re.compile(
    r"(?:partial\d*(?:\([^()]*\))?-)?\w+(?:\*@?)?(?:,[^;@]*)?\s*;"
)


@dataclass(slots=True)
class AddressSubject:
    """The address that is looked for; all parts are empty for the null path."""

    local_part: str
    domain: str

    @classmethod
    def of(cls, text: str) -> AddressSubject:
        """Return the parts of ``local@domain``, the domain in lower case."""
        local_part, at, domain = text.rpartition("@")
        if not at:
            local_part, domain = domain, local_part
        return cls(local_part, domain.lower())

    def text(self, caseful: bool) -> str:
        """Return the whole address, the local part in lower case unless caseful."""
        local_part = self.local_part if caseful else self.local_part.lower()
        return local_part + "@" + self.domain if self.domain else local_part


class NullPath(Item):
    """An empty item: the sender of bounces."""

    def look(self, subject: AddressSubject) -> Match | None:
        """Match the empty address."""
        return None if subject.local_part or subject.domain else Match("")


class WholeAddress(Item):
    """``^regex`` or a look-up, for the whole address."""

    waits = True

    def __init__(self, item: Item, caseful: bool) -> None:
        self._item = item
        self._caseful = caseful

    async def ask(self, subject: AddressSubject, scope: Any) -> Match | None:
        """Match the address in one piece; an empty one is no key of a file."""
        item = self._item
        if subject.local_part and not subject.domain:
            return None
        text = subject.text(self._caseful)
        if not text and isinstance(item, LookupItem) and not item.is_query(scope):
            return None
        return await item.ask(text, scope)


class AddressPattern(Item):
    """``local@domain`` or a domain alone: both parts match."""

    def __init__(self, text: str, local_part: str, domain: str, caseful: bool) -> None:
        self._text = text
        self._local_part = None
        if local_part != "*":
            self._local_part = _local_part_item(local_part, caseful)
        self._domain = DOMAINS.item(domain) if domain != "*" else None
        self.waits = self._domain is not None and self._domain.waits

    def look(self, subject: AddressSubject) -> Match | None:
        """Match the parts; an empty address has none."""
        if not subject.local_part or not subject.domain:
            return None
        local = self._of_local_part(subject)
        if local is None:
            return None
        if self._domain is None:
            return self._joined(subject, local, Match())
        domain = self._domain.look(subject.domain)
        return None if domain is None else self._joined(subject, local, domain)

    async def ask(self, subject: AddressSubject, scope: Any) -> Match | None:
        """Match the parts where the domain's must be looked up."""
        if not subject.local_part or not subject.domain:
            return None
        local = self._of_local_part(subject)
        if local is None or self._domain is None:
            return None
        decision = await ItemList([self._domain]).match(subject.domain, scope)
        if decision is None:
            return None
        return self._joined(subject, local, decision)

    def _of_local_part(self, subject: AddressSubject) -> Match | None:
        if self._local_part is None:
            return Match(None, ("", subject.local_part))
        return self._local_part.look(subject.local_part)

    def _joined(self, subject: AddressSubject, local: Match, domain: Match) -> Match:
        value = domain.value if self.waits and domain.value else self._text
        captures = (subject.text(True), *local.captures[1:], *domain.captures[1:])
        return Match(value, captures)


def _local_part_item(text: str, caseful: bool) -> Item:
    if text.startswith("*") or (";" not in text and not text.startswith("^")):
        return parse_text_item(text, caseful)
    raise ValueError(f"the local part of an item may not be {quoted(text)}")


class SplitLookup(Item):
    """``@@type;file``: the domain's entry is a list of local parts."""

    waits = True

    def __init__(self, text: str, caseful: bool) -> None:
        self._lookup = LookupItem(text)
        self._grammar = CASEFUL_LOCAL_PARTS if caseful else LOCAL_PARTS

    async def ask(self, subject: AddressSubject, scope: Any) -> Match | None:
        """Match the local part against the lists, along their chain."""
        if not subject.local_part:
            return None
        key = subject.domain
        for _ in range(_CHAIN_LIMIT):
            found = await self._lookup.find(key, scope)
            if found is None:
                return None
            texts = split_list(found)
            key = ""
            if texts and texts[-1].startswith(">"):
                key = texts.pop()[1:].strip()
            items = ItemList([self._item(text) for text in texts])
            decision = await items.decide(subject.local_part, scope, None)
            if decision is not UNDECIDED:
                return decision
            if not key:
                return None
        text = f"more than {_CHAIN_LIMIT} look-ups chained for {subject.domain}"
        raise TemporaryFailure(LOCAL_PROBLEM, log_text=text)

    def _item(self, text: str) -> Item:
        try:
            return self._grammar.item(text)
        except ValueError as error:
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=str(error)) from error


def _parse_item(text: str, grammar: Grammar) -> Item:
    caseful = grammar.is_caseful
    if text == "":
        return NullPath()
    if text.startswith("^"):
        return WholeAddress(Pattern(text, caseful), caseful)
    if text.startswith("@@"):
        return SplitLookup(text[2:].strip(), caseful)
    if _WHOLE_LOOKUP.match(text):
        if text.startswith("partial"):
            raise ValueError(f"partial matching is not for addresses: {quoted(text)}")
        return WholeAddress(LookupItem(text, caseful), caseful)
    position = text.find("@") if ";" in text else text.rfind("@")
    if position < 0:
        return AddressPattern(text, "*", text, caseful)
    return AddressPattern(text, text[:position], text[position + 1 :], caseful)


# A local part may contain "#", so a comment needs white space before it.
_COMMENT = r"(?:^|\s)#.*"
CASEFUL_ADDRESSES = Grammar(
    ListKind.ADDRESS, _parse_item, comment=_COMMENT, is_caseful=True
)
ADDRESSES = Grammar(
    ListKind.ADDRESS, _parse_item, comment=_COMMENT, caseful=CASEFUL_ADDRESSES
)
