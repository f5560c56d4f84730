"""What all kinds of list share: items, their evaluation, named lists and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from mta.errors import ExpansionError, ForcedFailure, TemporaryFailure
from mta.lists.files import FileCache
from mta.options import split_list
from mta.taint import is_tainted, quoted

LOCAL_PROBLEM = "Temporary local problem"


class ListKind(Enum):
    """What a list is a list of; the value is the word in ``named_lists``."""

    DOMAIN = "domain"
    HOST = "host"
    ADDRESS = "address"
    LOCAL_PART = "local_part"


@dataclass(frozen=True, slots=True)
class Match:
    """That a subject is in a list, and what is known from it.

    ``value`` is the looked-up value or the list's own text, and so is not tainted
    unless the list is.  ``captures`` are ``$0``, ``$1`` and so on.
    """

    value: str | None = None
    captures: tuple[str, ...] = ()


ANY = Match()
UNDECIDED = Match("undecided")


class UnknownHost(Exception):
    """A host has no name, or a name no address, where a list needs one."""


class Trouble(Enum):
    """What a host list does where an item cannot be decided."""

    REFUSE = "refuse"
    INCLUDE = "include"
    IGNORE = "ignore"


class Item:
    """One item of a list; a driver of its own for each form that items have.

    ``look`` answers at once; where ``waits`` is set, ``ask`` must be awaited.
    """

    waits = False
    negated = False
    on_unknown = Trouble.REFUSE
    on_defer = Trouble.REFUSE

    def look(self, subject: Any) -> Match | None:
        """Return the match of a subject, or None."""
        raise NotImplementedError

    async def ask(self, subject: Any, scope: Any) -> Match | None:
        """Return the match of a subject, or None; may look things up."""
        return self.look(subject)

    async def decide(self, subject: Any, scope: Any, rule: Item) -> Match | None:
        """Return the whole list's answer, or UNDECIDED.

        ``rule`` says what to do where the item cannot be decided.
        """
        try:
            found = await self.ask(subject, scope)
        except UnknownHost as trouble:
            return _on_unknown(rule.on_unknown, trouble, scope)
        except TemporaryFailure:
            if rule.on_defer is Trouble.REFUSE:
                raise
            return UNDECIDED if rule.on_defer is Trouble.IGNORE else ANY
        if found is None:
            return UNDECIDED
        return None if self.negated else found

    def absorb(self, following: Item) -> bool:
        """Take over the work of the item behind this one, if that can be."""
        return False

    @property
    def ends_negated(self) -> bool:
        """Whether a list that ends here contains what nothing matched."""
        return self.negated


def _on_unknown(effect: Trouble, trouble: UnknownHost, scope: Any) -> Match | None:
    if effect is Trouble.IGNORE:
        return UNDECIDED
    if effect is Trouble.INCLUDE:
        return ANY
    logs = scope.site.logs
    if logs is not None and logs.selects("unknown_in_list"):
        logs.main(f"list matching forced to fail: {trouble}")
    return None


class ItemList:
    """A parsed list (Exim chapter 10)."""

    __slots__ = ("items", "waits")

    def __init__(self, items: list[Item]) -> None:
        self.items: list[Item] = []
        for item in items:
            last = self.items[-1] if self.items else None
            if last is None or last.negated != item.negated or not last.absorb(item):
                self.items.append(item)
        self.waits = any(item.waits for item in self.items)

    async def match(self, subject: Any, scope: Any) -> Match | None:
        """Return the match of a subject, or None.

        Raises TemporaryFailure where an item cannot be decided now.
        """
        if self.waits:
            decision = await self.decide(subject, scope, None)
            if decision is not UNDECIDED:
                return decision
        else:
            for item in self.items:
                found = item.look(subject)
                if found is not None:
                    return None if item.negated else found
        # Exim chapter 10: a list whose last item is negative ends as with ": *".
        return ANY if self.ends_negated else None

    async def decide(self, subject: Any, scope: Any, rule: Item | None) -> Match | None:
        """Return the answer of the first item that has one, or UNDECIDED."""
        for item in self.items:
            if item.waits:
                decision = await item.decide(subject, scope, rule or item)
                if decision is not UNDECIDED:
                    return decision
            else:
                found = item.look(subject)
                if found is not None:
                    return None if item.negated else found
        return UNDECIDED

    @property
    def ends_negated(self) -> bool:
        """Whether the list contains what no item matches."""
        return bool(self.items) and self.items[-1].ends_negated


class Grammar:
    """How the items of one kind of list are written.

    ``parse_item`` makes an item of a text without negation and raises ValueError.
    ``caseful`` is the grammar that ``+caseful`` changes to.  ``comment`` finds the
    comment of a line in a file.
    """

    def __init__(
        self,
        kind: ListKind,
        parse_item: Callable[[str, Grammar], Item],
        *,
        comment: str = r"#.*",
        is_caseful: bool = False,
        caseful: Grammar | None = None,
        knows_trouble: bool = False,
    ) -> None:
        self.kind = kind
        self.parse_item = parse_item
        self.comment = re.compile(comment)
        self.is_caseful = is_caseful
        self.caseful = caseful
        self.knows_trouble = knows_trouble
        self.files: FileCache[ItemList] = FileCache(self._file_items)

    def item(self, text: str) -> Item:
        """Return one parsed item, negation included; raise ValueError."""
        negated = text.startswith("!")
        if negated:
            text = text[1:].strip()
        if text.startswith("+"):
            item: Item = NamedList(text, self)
        elif text.startswith("/"):
            item = FileOfItems(text, self)
        else:
            item = self.parse_item(text, self)
        item.negated = negated
        return item

    def _file_items(self, content: bytes) -> ItemList:
        lines = content.decode("utf-8", "surrogateescape").split("\n")
        texts = [self.comment.sub("", line).strip() for line in lines]
        for text in texts:
            if text.lstrip("! \t").startswith("/"):
                raise ValueError(f"file name {text} inside a list file")
        return ItemList([self.item(text) for text in texts if text])


class NamedList(Item):
    """``+name``: what is in another list."""

    waits = True

    def __init__(self, text: str, grammar: Grammar) -> None:
        if is_tainted(text):
            raise ValueError(f"tainted named list reference {quoted(text)}")
        self._name = text[1:].strip()
        self._grammar = grammar

    async def ask(self, subject: Any, scope: Any) -> Match | None:
        """Match the subject against the list that has the name now."""
        try:
            text = await scope.named_list(self._grammar.kind.value, self._name)
        except ForcedFailure:
            return None
        except ExpansionError as error:
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=str(error)) from error
        return await match_text(text, self._grammar, subject, scope)


class FileOfItems(Item):
    """``/path``: as if the lines of the file stood in the list."""

    waits = True

    def __init__(self, path: str, grammar: Grammar) -> None:
        if is_tainted(path):
            raise ValueError(f"Tainted file name {quoted(path)} not permitted")
        self._path = path
        self._grammar = grammar

    async def decide(self, subject: Any, scope: Any, rule: Item) -> Match | None:
        """Return what the first line that matches says."""
        decision = await self._content().decide(subject, scope, rule)
        if decision is UNDECIDED or not self.negated:
            return decision
        return ANY if decision is None else None

    @property
    def ends_negated(self) -> bool:
        """As the last line is, inverted where the file is."""
        return self.negated != self._content().ends_negated

    def _content(self) -> ItemList:
        try:
            return self._grammar.files.get(self._path)
        except OSError as error:
            text = f"failed to open {self._path} for a list: {error.strerror}"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
        except ValueError as error:
            text = f"{self._path}: {error}"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error


_TROUBLE_WORDS = frozenset(
    ("+include_unknown", "+ignore_unknown", "+include_defer", "+ignore_defer")
)


@lru_cache(maxsize=1024, typed=True)
def parsed(text: str, grammar: Grammar) -> ItemList:
    """Return the items of an expanded list; raise ValueError.

    Kept by text and grammar, and apart for tainted and trusted text.
    """
    items = []
    rules = {"unknown": Trouble.REFUSE, "defer": Trouble.REFUSE}
    for item_text in split_list(text):
        if item_text == "+caseful" and grammar.caseful is not None:
            grammar = grammar.caseful
        elif grammar.knows_trouble and item_text in _TROUBLE_WORDS:
            effect, _, trouble = item_text[1:].partition("_")
            rules[trouble] = Trouble(effect)
        else:
            item = grammar.item(item_text)
            item.on_unknown, item.on_defer = rules["unknown"], rules["defer"]
            items.append(item)
    return ItemList(items)


async def match_text(
    text: str, grammar: Grammar, subject: Any, scope: Any
) -> Match | None:
    """Match a subject against an expanded list; an unreadable list is a defer."""
    try:
        items = parsed(text, grammar)
    except ValueError as error:
        raise TemporaryFailure(LOCAL_PROBLEM, log_text=str(error)) from error
    return await items.match(subject, scope)
