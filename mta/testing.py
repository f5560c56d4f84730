"""Fakes for tests and for people who write extensions."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mta.callout import Callout, CalloutAnswer
from mta.coroutines import StillWaits, at_once
from mta.errors import ExpansionError, TemporaryFailure
from mta.host import Answer, Outcome
from mta.log import DEFAULT_SELECTORS
from mta.options import Source
from mta.taint import carry

T = TypeVar("T")

Records = Iterable[Any] | Outcome | Answer


def result_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits, or raise its exception.

    Raises AssertionError where it waits.
    """
    try:
        return at_once(coroutine)
    except StillWaits as error:
        raise AssertionError("the coroutine waits for something") from error


class FakeResolver:
    """A DNS made of a dictionary: ``{("example.com", "MX"): [(10, "mx")]}``.

    A value is a list of records, an ``Outcome`` or an ``Answer``.  A name that has
    records of another kind only gives NO_DATA, an unknown one NO_DOMAIN.  PTR
    records stand under the IP address.  ``asked`` keeps every question.
    """

    def __init__(self, records: Mapping[tuple[str, str], Records] = {}) -> None:
        self.records: dict[tuple[str, str], Records] = {
            (name.lower(), kind): value for (name, kind), value in records.items()
        }
        self.system: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str]] = []

    async def query(self, name: str, kind: str) -> Answer:
        """Return the records of one kind that the dictionary has for a name."""
        name = name.rstrip(".").lower()
        self.asked.append((name, kind))
        found = self.records.get((name, kind))
        if isinstance(found, Answer):
            return found
        if isinstance(found, Outcome):
            return Answer(found)
        if found is not None:
            return Answer(Outcome.FOUND, tuple(found), ttl=300)
        known = any(name == other for other, _ in self.records)
        return Answer(Outcome.NO_DATA if known else Outcome.NO_DOMAIN)

    async def addresses(
        self, name: str, *, ipv4: bool = True, ipv6: bool = True
    ) -> Answer:
        """Return the IP addresses of a name, IPv6 first."""
        kinds = [kind for kind, on in (("AAAA", ipv6), ("A", ipv4)) if on]
        answers = [await self.query(name, kind) for kind in kinds]
        found = [answer for answer in answers if answer.records]
        if found:
            records = tuple(r for answer in found for r in answer.records)
            secure = all(answer.secure for answer in found)
            return Answer(Outcome.FOUND, records, secure, 300, name=found[0].name)
        for answer in answers:
            if answer.outcome is Outcome.AGAIN:
                return answer
        return answers[0] if answers else Answer(Outcome.NO_DATA)

    async def reverse(self, ip_address: str) -> Answer:
        """Return the names that stand under an IP address."""
        return await self.query(ip_address, "PTR")

    async def system_addresses(self, name: str) -> Answer:
        """Return what ``system`` has for a name, else what the DNS says."""
        found = self.system.get(name.lower())
        if found is not None:
            return Answer(Outcome.FOUND, tuple(found))
        return await self.addresses(name)


class MemoryLogs:
    """Logs that keep their lines: ``(text, message_id)`` in three lists.

    ``lines`` are the texts of the main log, ``details`` what only the reject log
    was given.
    """

    def __init__(self, selectors: Iterable[str] = DEFAULT_SELECTORS) -> None:
        self.selectors = frozenset(selectors)
        self.main_lines: list[tuple[str, str]] = []
        self.reject_lines: list[tuple[str, str]] = []
        self.panic_lines: list[tuple[str, str]] = []
        self.details: list[str] = []

    @property
    def lines(self) -> list[str]:
        """The texts of the main log, without message ids."""
        return [text for text, _ in self.main_lines]

    def main(self, text: str, message_id: str = "") -> None:
        """Keep a line of the main log."""
        self.main_lines.append((text, message_id))

    def reject(self, text: str, message_id: str = "", detail: str = "") -> None:
        """Keep a line of main and reject log."""
        self.main_lines.append((text, message_id))
        self.reject_lines.append((text, message_id))
        self.details.append(detail)

    def reject_only(self, text: str, message_id: str = "") -> None:
        """Keep a line of the reject log alone."""
        self.reject_lines.append((text, message_id))

    def panic(self, text: str, message_id: str = "") -> None:
        """Keep a line of main and panic log."""
        self.main_lines.append((text, message_id))
        self.panic_lines.append((text, message_id))

    def selects(self, selector: str) -> bool:
        """Return whether the selector was given."""
        return selector in self.selectors


_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class PlainTemplate:
    """A string in which ``$name`` stands for ``context.values["name"]``."""

    text: str

    @property
    def constant(self) -> str | None:
        """The text, where nothing in it is replaced."""
        return None if "$" in self.text else self.text

    async def expand(self, context: Any) -> str:
        """Return the text with the values put in; raise for an unknown name."""
        sources: list[str] = []

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in context.values:
                raise ExpansionError(f"unknown variable name {name!r}")
            sources.append(context.values[name])
            return str(context.values[name])

        result = _REFERENCE.sub(value, self.text)
        return carry(result, *sources)


class PlainLanguage:
    """An expansion language that knows ``$name`` and nothing else."""

    def template(self, text: str, source: Source) -> PlainTemplate:
        """Return the string as a template."""
        return PlainTemplate(text)


class MemoryLookups:
    """Look-ups in a dictionary: ``{("lsearch", "/etc/aliases"): {"key": "value"}}``.

    A query-style look-up has an empty source.  A source that is missing gives
    TemporaryFailure, as a file that cannot be opened does.
    """

    def __init__(self, sources: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        self.sources = dict(sources)

    def is_query(self, type_text: str) -> bool:
        """Return whether the dictionary has the type without a source."""
        return (type_text, "") in self.sources

    def quote(self, name: str, text: str) -> str:
        """Return the text as it is."""
        return text

    async def find(
        self, type_text: str, source: str, key: str, context: Any = None
    ) -> str | None:
        """Return what the dictionary has."""
        found = self.sources.get((type_text, source))
        if found is None:
            raise TemporaryFailure(f"failed to open {source} for {type_text}")
        return found.get(key)


@dataclass(slots=True)
class FakeVerification:
    """A result of a verification (``mta.interfaces.Verification``)."""

    outcome: str = "ok"
    text: str = ""
    user_text: bool = False
    failure: str = ""
    data: str = ""
    answer: CalloutAnswer | None = None


@dataclass(slots=True)
class FakeVerifier:
    """Verifies by a dictionary of addresses; what is not in it is ``unknown``.

    ``asked`` keeps ``("recipient" or "sender", address)``, ``callouts`` the callout
    that came with each, ``follows_redirects`` what was asked last.
    """

    recipients: dict[str, FakeVerification] = field(default_factory=dict)
    senders: dict[str, FakeVerification] = field(default_factory=dict)
    unknown: FakeVerification = field(default_factory=FakeVerification)
    asked: list[tuple[str, str]] = field(default_factory=list)
    callouts: list[Callout | None] = field(default_factory=list)
    follows_redirects: bool = True

    async def verify_recipient(
        self,
        address: Any,
        context: Any,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> FakeVerification:
        """Return what the dictionary says of a recipient."""
        self._note("recipient", address, callout, follows_redirects)
        return self.recipients.get(str(address), self.unknown)

    async def verify_sender(
        self,
        address: Any,
        context: Any,
        *,
        callout: Callout | None = None,
        follows_redirects: bool = True,
    ) -> FakeVerification:
        """Return what the dictionary says of a sender."""
        self._note("sender", address, callout, follows_redirects)
        return self.senders.get(str(address), self.unknown)

    def _note(
        self, what: str, address: Any, callout: Callout | None, follows: bool
    ) -> None:
        self.asked.append((what, str(address)))
        self.callouts.append(callout)
        self.follows_redirects = follows


class FakeHints:
    """Retry hints that only remember: nothing is ever due later."""

    def __init__(self) -> None:
        self.not_due: set[str] = set()
        self.expired: set[str] = set()
        self.failures: list[tuple[str, dict[str, str]]] = []
        self.successes: list[str] = []

    def is_due(self, key: str) -> bool:
        """Return whether a key is not in ``not_due``."""
        return key not in self.not_due

    def has_expired(self, key: str) -> bool:
        """Return whether a key is in ``expired``."""
        return key in self.expired

    def failed(self, key: str, **facts: str) -> None:
        """Keep a failure."""
        self.failures.append((key, facts))

    def succeeded(self, key: str) -> None:
        """Keep a success."""
        self.successes.append(key)
