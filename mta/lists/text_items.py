"""Items that compare texts: literals, ends, regular expressions and look-ups."""

from __future__ import annotations

from typing import Any

from mta.errors import ExpansionError, TemporaryFailure
from mta.lists.items import LOCAL_PROBLEM, Item, Match
from mta.lists.patterns import compile_pattern
from mta.taint import carry


class Literals(Item):
    """Texts of which one must be the subject."""

    def __init__(self, text: str, caseful: bool = False) -> None:
        self._caseful = caseful
        self._matches = {text if caseful else text.lower(): text}

    def look(self, subject: str) -> Match | None:
        """Match the whole subject; the value is the list's own text."""
        text = self._matches.get(subject if self._caseful else subject.lower())
        return None if text is None else Match(text, (subject,))

    def absorb(self, following: Item) -> bool:
        """Keep adjacent literals in one dictionary, the first of equal ones."""
        if type(following) is not Literals or following._caseful != self._caseful:
            return False
        for key, text in following._matches.items():
            self._matches.setdefault(key, text)
        return True


class Ending(Item):
    """``*text``: the subject ends so."""

    def __init__(self, text: str, caseful: bool = False) -> None:
        self._text = text
        self._ending = text[1:] if caseful else text[1:].lower()
        self._caseful = caseful

    def look(self, subject: str) -> Match | None:
        """Match the end; ``$1`` is what the asterisk stands for."""
        if not self._ending:
            return Match(self._text, (subject, subject))
        compared = subject if self._caseful else subject.lower()
        if not compared.endswith(self._ending):
            return None
        return Match(self._text, (subject, subject[: -len(self._ending)]))


class Pattern(Item):
    """``^regex``: the subject matches a regular expression."""

    def __init__(self, text: str, caseful: bool = False) -> None:
        self._text = text
        self._pattern = compile_pattern(text, not caseful)

    def look(self, subject: str) -> Match | None:
        """Search the subject; ``$1`` onwards are the groups."""
        match = self._pattern.search(subject)
        if match is None:
            return None
        groups = (match[0], *(group or "" for group in match.groups()))
        return Match(self._text, tuple(carry(group, subject) for group in groups))


class LookupItem(Item):
    """``type;file`` or ``type;query``: the look-up finds something."""

    waits = True

    def __init__(self, text: str, caseful: bool = False) -> None:
        type_text, _, rest = text.partition(";")
        self.type_text = type_text.strip()
        self.source = rest.strip()
        self._caseful = caseful

    def is_query(self, scope: Any) -> bool:
        """Return whether the type takes a query instead of file and key."""
        try:
            return bool(scope.site.lookups.is_query(self.type_text))
        except ExpansionError as error:
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=str(error)) from error

    async def find(self, key: str, scope: Any) -> Any:
        """Return what is found for a key, or None."""
        is_query = self.is_query(scope)
        source, key = ("", self.source) if is_query else (self.source, key)
        try:
            return await scope.site.lookups.find(self.type_text, source, key, scope)
        except ExpansionError as error:
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=str(error)) from error

    async def ask(self, subject: str, scope: Any) -> Match | None:
        """Match what is found; the value is what was found."""
        key = subject if self._caseful else subject.lower()
        found = await self.find(key, scope)
        if found is None:
            return None
        return Match(found, (subject, *getattr(found, "captures", ())))


def parse_text_item(text: str, caseful: bool = False) -> Item:
    """Return the item that one of the forms for all kinds of text writes."""
    if text.startswith("^"):
        return Pattern(text, caseful)
    if text.startswith("*"):
        return Ending(text, caseful)
    if ";" in text:
        return LookupItem(text, caseful)
    return Literals(text, caseful)
