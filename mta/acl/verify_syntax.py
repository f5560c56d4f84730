"""The argument of ``verify``: a kind, maybe an address, and options after slashes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from mta.acl.callout_settings import ADDRESS_WORDS, CalloutDraft
from mta.acl.registry import Phase
from mta.acl.run import ACLError, ACLRun
from mta.callout import Callout
from mta.expand.option_types import template_of
from mta.interfaces import ITemplate
from mta.options import Source, split_list
from mta.taint import untainted

_KIND = re.compile(r"([A-Za-z_]+)\s*(=?)", re.ASCII)
_CALLOUT = re.compile(r"callout\s*=", re.IGNORECASE)
_OF_ADDRESS = re.compile(rf"({'|'.join(ADDRESS_WORDS)})\s*=\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """What is written behind the kind: words, and maybe a callout."""

    words: frozenset[str]
    callout: Callout | None = None

    @property
    def defers_ok(self) -> bool:
        """True where a doubt of any kind is let pass."""
        return "defer_ok" in self.words


@dataclass(frozen=True, slots=True)
class _Part:
    """One option, or one parameter of a callout.

    ``prefix`` is written before a value that alone is expanded.
    """

    of_callout: bool
    prefix: str
    template: ITemplate


@dataclass(frozen=True, slots=True)
class Verifying:
    """What is to be verified, and with which options.

    ``address`` is what stands behind ``sender=``, None where the envelope's sender is
    meant.  ``fixed`` are the options where they depend on nothing.
    """

    kind: Kind
    phases: Phase
    address: ITemplate | None = None
    parts: tuple[_Part, ...] = ()
    fixed: Options | None = None

    async def options(self, run: ACLRun) -> Options:
        """Return the options of now; raise ACLError where they are none."""
        if self.fixed is not None:
            return self.fixed
        draft = _Draft(self.kind)
        try:
            for part in self.parts:
                text = await part.template.expand(run.context)
                if not part.prefix:
                    text = untainted(text, "option of verify")
                draft.take(part, text)
            return draft.finished()
        except ValueError as error:
            raise ACLError(f"verify: {error}") from error


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of verification: its name, its options, and what it does.

    ``has_callout`` says that hosts can be asked.
    """

    name: str
    options: frozenset[str]
    phases: Phase
    check: Callable[[ACLRun, Verifying, Options], Awaitable[bool]]
    has_callout: bool = False


class VerifyingType:
    """The type of the argument of ``verify``, for the kinds that there are."""

    name = "verification"

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds

    def parse(self, text: str, source: Source) -> Verifying:
        """Return the argument; what needs no expansion is checked here and now."""
        head, *options = split_outside_braces(text, "/")
        match = _KIND.match(head)
        name = match[1].lower() if match is not None else head
        kind = self._kinds.get(name)
        if match is None or kind is None:
            known = ", ".join(self._kinds)
            raise source.error(f'cannot verify "{name}"; known: {known}')
        rest = head[match.end() :].strip()
        address = None
        if name == "sender" and match[2]:
            address = template_of(rest, source)
        elif rest or match[2]:
            raise source.error(f'there is text behind "{name}": "{rest}"')
        parts = tuple(part for each in options for part in _parts(each, source))
        draft = _Draft(kind)
        try:
            for part in parts:
                if part.template.constant is not None:
                    draft.take(part, part.template.constant)
                elif part.prefix and not kind.has_callout:
                    raise ValueError(f'"{name}" has no option "callout" here')
            found = draft.finished()
        except ValueError as error:
            raise source.error(str(error)) from error
        is_fixed = all(part.template.constant is not None for part in parts)
        return Verifying(kind, kind.phases, address, parts, found if is_fixed else None)


def split_outside_braces(text: str, separator: str) -> list[str]:
    """Return what a separator parts, but for those inside of an expansion.

    A doubled separator is a literal one.
    """
    parts = [""]
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        depth += (character == "{") - (character == "}")
        if character != separator or depth:
            parts[-1] += character
        elif text.startswith(separator, position + 1):
            parts[-1] += separator
            position += 1
        else:
            parts.append("")
        position += 1
    return [part.strip() for part in parts]


def _parts(option: str, source: Source) -> list[_Part]:
    """Return an option in the parts that are expanded one by one."""
    match = _CALLOUT.match(option)
    if match is None:
        return [_Part(False, "", template_of(option, source))] if option else []
    parts = [_Part(False, "", template_of("callout", source))]
    for text in split_outside_braces(option[match.end() :], ","):
        named = _OF_ADDRESS.match(text)
        prefix = f"{named[1]}=" if named is not None else ""
        value = text[named.end() :] if named is not None else text
        parts.append(_Part(True, prefix, template_of(value, source)))
    return parts


class _Draft:
    """Options that are being read."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._words: set[str] = set()
        self._callout: CalloutDraft | None = None

    def take(self, part: _Part, text: str) -> None:
        """Take what a part came to; raise ValueError."""
        if part.prefix:
            self._calling().take(part.prefix + text)
        elif part.of_callout:
            for item in split_list(text, ","):
                self._calling().take(item)
        else:
            for item in split_list(text, "/"):
                self._take_option(item)

    def finished(self) -> Options:
        """Return the options."""
        callout = self._callout.finished() if self._callout is not None else None
        return Options(frozenset(self._words), callout)

    def _calling(self) -> CalloutDraft:
        if not self._kind.has_callout:
            raise ValueError(f'"{self._kind.name}" has no option "callout" here')
        if self._callout is None:
            self._callout = CalloutDraft(self._kind.name)
        return self._callout

    def _take_option(self, text: str) -> None:
        name, equals, value = text.partition("=")
        name = name.strip().lower()
        if name == "callout":
            calling = self._calling()
            for item in split_list(value, ","):
                calling.take(item)
        elif name == "callout_defer_ok" and not equals:
            self._calling().take("defer_ok")
        elif name == "check_postmaster" and not equals:
            self._calling().take("postmaster")
        elif name in self._kind.options and not equals:
            self._words.add(name)
        else:
            raise ValueError(f'"{self._kind.name}" has no option "{text}" here')
