"""Look-up types: how they are declared, found and asked (Exim chapter 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import mta.lookups
from mta.errors import ExpansionError, TemporaryFailure
from mta.interfaces import ILookup, IResolver
from mta.plugins import extension, find, find_one
from mta.taint import Tainted, carry, is_quoted_for, quoted, quoted_for, untainted

lookup = extension(ILookup)

LOCAL_PROBLEM = "Temporary local problem"


class Style(Enum):
    """How a look-up is asked."""

    SINGLE_KEY = "a file and a key"
    QUERY = "a query"


class LookupResult(str):
    """What was found by a partial match; ``captures`` are its two parts."""

    __slots__ = ("captures",)

    captures: tuple[str, ...]


class Lookup:
    """A look-up type; made once, when the first look-up of the type comes.

    The decorator gives ``style``.  ``options`` are the names after the comma that the
    type knows besides ``cache`` and ``ret=key``.  With ``wants_context`` it is asked by
    ``find_in_context``.
    """

    extension_name: ClassVar[str]
    style: ClassVar[Style]
    options: ClassVar[frozenset[str]] = frozenset()
    needs_quoting: ClassVar[bool] = False
    has_trusted_results: ClassVar[bool] = True
    wants_context: ClassVar[bool] = False

    def __init__(self, resolver: IResolver | None) -> None:
        self.resolver = resolver

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return what a key or query gives, None for nothing.

        ``source`` is the file, empty for a query.  Raises TemporaryFailure where the
        look-up should be tried again, ExpansionError for a malformed query.
        """
        raise NotImplementedError

    async def find_in_context(
        self, source: str, key: str, options: Mapping[str, str], context: Any
    ) -> str | None:
        """Do the same where the context of the question matters, or is changed."""
        raise NotImplementedError

    def quote(self, text: str) -> str:
        """Return the text as it may stand inside a query."""
        return text


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """A look-up type as written, with partial matching, defaults and options.

    ``minimum`` is the number of components that partial matching must leave, -1
    where there is none.  ``default`` is empty, ``*`` or ``*@``.
    """

    name: str
    minimum: int = -1
    prefix: str = "*."
    default: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def keys(self, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Give the keys to try in order, each with the parts of a partial match."""
        yield key, ()
        if self.minimum >= 0:
            yield from self._partial_keys(key)
        if self.default == "*@" and "@" in key:
            yield "*@" + key.rpartition("@")[2], ()
        if self.default:
            yield "*", ()

    def _partial_keys(self, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        components = key.split(".")
        if self.prefix:
            yield self.prefix + key, ("", key)
        for dropped in range(1, len(components) - max(self.minimum, 1) + 1):
            fixed = ".".join(components[dropped:])
            yield self.prefix + fixed, (".".join(components[:dropped]), fixed)
        if self.minimum == 0 and self.prefix:
            last = self.prefix
            if len(last) > 1:
                last = last.removesuffix(".")
            yield last, (key, "")


_TYPE = re.compile(
    r"(?:partial(\d*)(?:-|\(([^)]*)\)))?([a-z][a-z0-9_]*)(\*@?)?((?:,.*)?)\Z"
)
_CACHE_VALUES = frozenset(("no", "no_rd", "no_wr"))


class Lookups:
    """The look-up types of one configuration, found by name when first used."""

    def __init__(self, *, resolver: IResolver | None = None) -> None:
        self._resolver = resolver
        self._lookups: dict[str, Lookup] = {}
        self._requests: dict[str, tuple[LookupRequest, Lookup]] = {}

    @classmethod
    def load(cls, *, resolver: IResolver | None = None) -> Lookups:
        """Return the look-ups that ask a resolver about the DNS."""
        return cls(resolver=resolver)

    @staticmethod
    def names() -> list[str]:
        """Return the name of every look-up type there is."""
        return list(find(ILookup, mta.lookups))

    def is_query(self, type_text: str) -> bool:
        """Return whether a type takes a query, rather than a file and a key.

        Raises ExpansionError for an unknown type or a malformed text.
        """
        return self._request(type_text)[1].style is Style.QUERY

    def quote(self, name: str, text: str) -> str:
        """Return the text as it may stand inside a query of a type.

        An outsider's text stays marked as such, and as quoted for the type.
        """
        lookup = self._lookup(name)
        result = lookup.quote(text)
        if isinstance(text, Tainted):
            return quoted_for(result, name) if lookup.needs_quoting else Tainted(result)
        return result

    async def find(
        self, type_text: str, source: str, key: str, context: Any = None
    ) -> str | None:
        """Return the look-up's result, or None where nothing was found.

        Raises TemporaryFailure, ExpansionError for an unknown type or a malformed
        query, TaintError for an outsider's file name or unquoted text in a query.
        """
        request, lookup = self._request(type_text)
        if lookup.style is Style.QUERY:
            return await self._ask(request, lookup, source or key, context)
        source = untainted(source, f"file name for {request.name} look-up")
        if not key:
            return None
        for number, (candidate, captures) in enumerate(request.keys(str(key))):
            if lookup.wants_context:
                found = await lookup.find_in_context(
                    source, candidate, request.options, context
                )
            else:
                found = await lookup.find(source, candidate, request.options)
            if found is None:
                continue
            if request.options.get("ret") == "key":
                found = candidate
            if number and captures:
                result = LookupResult(found)
                result.captures = tuple(carry(part, key) for part in captures)
                return result
            return found
        return None

    async def _ask(
        self, request: LookupRequest, lookup: Lookup, query: str, context: Any
    ) -> str | None:
        if lookup.needs_quoting and not is_quoted_for(query, request.name):
            text = f"tainted search query is not properly quoted: {quoted(query)}"
            raise ExpansionError(text)
        if lookup.wants_context:
            found = await lookup.find_in_context("", query, request.options, context)
        else:
            found = await lookup.find("", query, request.options)
        if found is None or lookup.has_trusted_results:
            return found
        return Tainted(found)

    def _request(self, type_text: str) -> tuple[LookupRequest, Lookup]:
        known = self._requests.get(type_text)
        if known is None:
            known = self._parse(str(type_text).strip())
            if len(self._requests) < 1000:
                self._requests[type_text] = known
        return known

    def _parse(self, type_text: str) -> tuple[LookupRequest, Lookup]:
        match = _TYPE.match(type_text)
        if match is None:
            raise ExpansionError(f'unknown lookup type "{type_text}"')
        minimum, prefix, name, default, option_text = match.groups()
        lookup = self._lookup(name)
        is_query = lookup.style is Style.QUERY
        if is_query and (minimum is not None or default):
            text = f'partial matching or a default is not for lookup type "{name}"'
            raise ExpansionError(text)
        request = LookupRequest(
            name,
            -1 if minimum is None else int(minimum or 2),
            "*." if prefix is None else prefix,
            default or "",
            _options(option_text, lookup),
        )
        return request, lookup

    def _lookup(self, name: str) -> Lookup:
        lookup = self._lookups.get(name)
        if lookup is None:
            found: Any = find_one(ILookup, mta.lookups, name)
            if found is None:
                raise ExpansionError(f'unknown lookup type "{name}"')
            lookup = self._lookups[name] = found(self._resolver)
        return lookup


def _options(text: str, lookup: Lookup) -> dict[str, str]:
    """Return the options after a type's name; raise ExpansionError."""
    options = {}
    for item in text.split(",")[1:]:
        name, equals, value = (part.strip() for part in item.partition("="))
        known = name in lookup.options
        if name == "cache":
            # Nothing is kept from one look-up to the next, so all values hold.
            known = value in _CACHE_VALUES
        elif name == "ret" and value == "key":
            known = lookup.style is Style.SINGLE_KEY
        if not equals or not known:
            kind = lookup.extension_name
            raise ExpansionError(f'unknown option "{item}" for lookup type "{kind}"')
        options[name] = value
    return options


def unreadable(path: str, purpose: str, error: OSError) -> TemporaryFailure:
    """Return the failure that a file of data cannot be read now."""
    text = f"failed to open {path} for {purpose}: {error.strerror}"
    return TemporaryFailure(LOCAL_PROBLEM, log_text=text)


def absolute(path: str, name: str) -> str:
    """Return a path that is absolute; raise ExpansionError for another."""
    if not path.startswith("/"):
        raise ExpansionError(f'absolute file name expected for "{name}" lookup')
    return path
