"""The argument of ``ratelimit``: limit, period, options and key."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from mta.acl.registry import MESSAGE, Phase
from mta.options import parse_interval
from mta.taint import is_tainted

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)\s*([KMG]?)\Z", re.ASCII | re.IGNORECASE)
_LIKE_OPTION = re.compile(r"([a-z_-]{4,16})\s*(=|\Z)", re.ASCII | re.IGNORECASE)
_LIKE_MEASURE = re.compile(r"per[_-]|per(conn|mail|byte|rcpt|addr|cmd)", re.ASCII)
_MULTIPLIERS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Measure(Enum):
    """What a rate is the rate of.

    ``stored`` is its name in the key, ``phases`` are those in which a rate may be
    updated.
    """

    CONNECTIONS = (
        "per_conn",
        "per_conn",
        ~(Phase.NOT_SMTP | Phase.NOT_SMTP_START | Phase.EXPANSION),
    )
    MESSAGES = ("per_mail", "per_mail", MESSAGE)
    OCTETS = ("per_byte", "per_mail", MESSAGE)
    RECIPIENTS = ("per_rcpt", "per_rcpt", MESSAGE & ~Phase.MAIL)
    ADDRESSES = ("per_addr", "per_rcpt", Phase.RCPT)
    COMMANDS = ("per_cmd", "per_cmd", Phase.every())

    def __init__(self, word: str, stored: str, phases: Phase) -> None:
        self.word = word
        self.stored = stored
        self.phases = phases


class Update(Enum):
    """When a rate that was measured is remembered."""

    LEAKY = "leaky"
    STRICT = "strict"
    READONLY = "readonly"


_MEASURES = {measure.word: measure for measure in Measure}
_UPDATES = {update.value: update for update in Update}
# Its name in Exim 4.6.
_UPDATES["noupdate"] = Update.READONLY
_WITH_VALUE = ("count", "unique")
OPTIONS = (*_MEASURES, *_UPDATES, *(f"{name}=" for name in _WITH_VALUE))


class RateSettings(NamedTuple):
    """A parsed argument.

    ``limit_text`` and ``period_text`` are as written.  ``update`` is None where it
    was not said, ``increment`` where an event counts as its measure says, ``unique``
    where all events count.  ``key`` is empty for the default.
    """

    limit: float
    limit_text: str
    period: int
    period_text: str
    measure: Measure = Measure.MESSAGES
    update: Update | None = None
    increment: float | None = None
    unique: str | None = None
    key: str = ""


def parse_number(text: str) -> float:
    """Return the number of ``2.5`` or ``10K``; raise ValueError."""
    match = _NUMBER.match(text.strip())
    number = float(match[1]) * _MULTIPLIERS[match[2].upper()] if match else math.inf
    if not math.isfinite(number):
        raise ValueError(f'"{text.strip()[:100]}" is not a number of events, such as 5')
    return number


@lru_cache(256)
def parse_period(text: str) -> int:
    """Return the seconds of a period, which is longer than zero; raise ValueError."""
    period = parse_interval(text[:100])
    if not period:
        raise ValueError(f'the period "{text}" has no length')
    return period


class OptionDraft:
    """Options that are read one after the other; contradictions are refused."""

    def __init__(self) -> None:
        self.measure: Measure | None = None
        self.update: Update | None = None
        self.count: float | None = None
        self.unique: str | None = None
        self.keys: list[str] = []

    def take(self, text: str) -> bool:
        """Take an option, or what must be a key; say whether it was an option.

        Raises ValueError, also for what looks like an option written wrong.
        """
        word = text.lower()
        name, equals, value = text.partition("=")
        name = name.strip().lower()
        if word in _MEASURES:
            self._set_measure(_MEASURES[word])
        elif word in _UPDATES:
            self._set_update(_UPDATES[word])
        elif equals and name == "count":
            if self.count is not None:
                raise ValueError('there are two options "count="')
            self.count = parse_number(value)
        elif equals and name == "unique":
            self.take_unique(value.strip())
        else:
            check_spelling(text)
            self.keys.append(text)
            return False
        return True

    def take_unique(self, event: str) -> None:
        """Take what tells events apart; raise ValueError where something does."""
        if self.unique is not None:
            raise ValueError('there are two options "unique="')
        self.unique = event

    def check(self) -> None:
        """Raise ValueError where options contradict each other."""
        if self.measure is Measure.ADDRESSES and self.unique is not None:
            raise ValueError('"per_addr" and "unique=" contradict each other')

    def _set_measure(self, measure: Measure) -> None:
        if self.measure not in (None, measure):
            raise ValueError(f'"{measure.word}" contradicts another "per_" option')
        self.measure = measure

    def _set_update(self, update: Update) -> None:
        if self.update not in (None, update):
            raise ValueError('"leaky", "strict" and "readonly" contradict each other')
        self.update = update

    def finished(self, limit_text: str, period_text: str) -> RateSettings:
        """Return the settings; raise ValueError."""
        self.check()
        return RateSettings(
            parse_number(limit_text),
            limit_text,
            parse_period(period_text[:101]),
            period_text,
            self.measure or Measure.MESSAGES,
            self.update,
            self.count,
            self.unique,
            "/".join(self.keys),
        )


def parse_settings(items: Iterable[tuple[str, bool]]) -> RateSettings:
    """Return the settings of expanded items; raise ValueError.

    With each item comes whether it is the value of ``unique=``.  One that an outsider
    chose is no option, whatever it looks like, and is not parted.
    """
    words: list[tuple[str, bool]] = []
    for text, is_event in items:
        if is_event or is_tainted(text) or "/" not in text:
            words.append((text.strip(), is_event))
        else:
            words.extend((word.strip(), False) for word in text.split("/"))
    if len(words) < 2:
        raise ValueError("a limit and a period are needed, such as 5 / 1h")
    draft = OptionDraft()
    for word, is_event in words[2:]:
        if is_event:
            draft.take_unique(word)
        elif is_tainted(word):
            draft.keys.append(word)
        elif word:
            draft.take(word)
    return draft.finished(str(words[0][0]), str(words[1][0]))


def check_spelling(text: str) -> None:
    """Raise ValueError for a text that looks like an option but is none.

    In Exim such a text silently becomes the key.
    """
    match = _LIKE_OPTION.match(text)
    if match is None:
        return
    name, equals = match[1].lower(), match[2]
    near = [
        option
        for option in OPTIONS
        if _distance(name, option.rstrip("=")) <= (2 if len(option) > 7 else 1)
        and (option.endswith("=") or not equals)
    ]
    if near or _LIKE_MEASURE.match(name):
        hint = f'; "{near[0]}" is one' if near else f"; known: {', '.join(OPTIONS)}"
        raise ValueError(f'unknown option "{text}"{hint}')


def _distance(one: str, other: str) -> int:
    """Return how many letters are wrong, missing, too many or swapped."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted))
            swapped = j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]
            if i > 1 and swapped:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
    return row[-1]
