"""Types for ``Option`` whose values are expanded when they are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mta.errors import (
    ExpansionError,
    ForcedFailure,
    TemporaryFailure,
)
from mta.expand.context import Context
from mta.host import Host
from mta.interfaces import ITemplate
from mta.lists.host_list import HostSubject
from mta.lists.items import LOCAL_PROBLEM, ItemList
from mta.lists.matching import ListKind, Match, match_list, parse_list, subject_of
from mta.options import Source, parse_integer, parse_interval, split_list

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConstantTemplate:
    """A string in which nothing is expanded."""

    text: str

    @property
    def constant(self) -> str:
        """The string."""
        return self.text

    async def expand(self, context: Any) -> str:
        """Return the string."""
        return self.text


def template_of(text: str, source: Source) -> ITemplate:
    """Return the parsed string; raise ConfigurationError naming the place."""
    if "$" not in text and "\\" not in text:
        return ConstantTemplate(text)
    if source.language is None:
        raise source.error("there is no language to expand a string in")
    return source.language.template(text, source)


class _ExpandedType:
    name = "string"

    def parse(self, text: str, source: Source) -> ITemplate:
        return template_of(text, source)


class ExpandedValue(Generic[T]):
    """A value that is known when the configuration is read, or when it is used."""

    __slots__ = ("_constant", "_convert", "_if_forced", "_name", "template")

    def __init__(
        self,
        template: ITemplate,
        convert: Callable[[str], T],
        source: Source,
        if_forced: T | None = None,
    ) -> None:
        self.template = template
        self._convert = convert
        self._if_forced = if_forced
        self._name = source.option
        self._constant: T | None = None
        if template.constant is not None:
            try:
                self._constant = convert(template.constant)
            except ValueError as error:
                raise source.error(str(error)) from error

    @property
    def text(self) -> str:
        """What was written."""
        return self.template.text

    @property
    def constant(self) -> T | None:
        """The value where it depends on nothing, else None."""
        return self._constant

    async def value(self, context: Context) -> T:
        """Return the value; raise ExpansionError where the text is not one."""
        if self._constant is not None:
            return self._constant
        try:
            text = await self.template.expand(context)
            return self._convert(text)
        except ForcedFailure:
            if self._if_forced is None:
                raise
            return self._if_forced
        except ValueError as error:
            raise ExpansionError(f"{self._name}: {error}") from error


class ExpandedValueType(Generic[T]):
    """The option type of an ``ExpandedValue``.

    ``if_forced`` is the value where the expansion was forced to fail; None lets the
    failure out.
    """

    def __init__(
        self, name: str, convert: Callable[[str], T], if_forced: T | None = None
    ) -> None:
        self.name = name
        self._convert = convert
        self._if_forced = if_forced

    def parse(self, text: str, source: Source) -> ExpandedValue[T]:
        """Return the value as a constant or a template."""
        template = template_of(text, source)
        return ExpandedValue(template, self._convert, source, self._if_forced)


def expanded_boolean(if_forced: bool) -> ExpandedValueType[bool]:
    """Return the type of a boolean that a forced failure turns into a default."""
    return ExpandedValueType("boolean", _boolean, if_forced)


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in ("true", "yes"):
        return True
    if word in ("false", "no"):
        return False
    raise ValueError(f'"{text}" is not a valid value, use true, yes, false or no')


class TextList:
    """A list of plain strings."""

    __slots__ = ("_constant", "template")

    def __init__(self, template: ITemplate) -> None:
        self.template = template
        text = template.constant
        self._constant = None if text is None else split_list(text)

    @property
    def text(self) -> str:
        """What was written."""
        return self.template.text

    async def items(self, context: Context) -> list[str]:
        """Return the items; do not change the list."""
        if self._constant is not None:
            return self._constant
        return split_list(await self.template.expand(context))


class _ExpandedListType:
    name = "string list"

    def parse(self, text: str, source: Source) -> TextList:
        return TextList(template_of(text, source))


class SeparateTemplates:
    """A list whose items are expanded one by one, after it was split."""

    __slots__ = ("templates", "text")

    def __init__(self, text: str, templates: list[ITemplate]) -> None:
        self.text = text
        self.templates = templates

    async def items(self, context: Context) -> list[str]:
        """Return the expanded items without those that were forced to fail."""
        found = []
        for template in self.templates:
            try:
                found.append(await template.expand(context))
            except ForcedFailure:
                continue
        return found


class ItemsExpanded:
    """The option type of a list that is split before its items are expanded."""

    name = "string list"

    def __init__(self, separator: str = ":") -> None:
        self._separator = separator

    def parse(self, text: str, source: Source) -> SeparateTemplates:
        """Return the templates of the items."""
        items = split_list(text, self._separator)
        return SeparateTemplates(text, [template_of(item, source) for item in items])


class SubjectList:
    """A list of domains, addresses or local parts (Exim chapter 10)."""

    __slots__ = ("_items", "_kind", "_option", "template")

    def __init__(self, kind: ListKind, template: ITemplate, source: Source) -> None:
        self.template = template
        self._kind = kind
        self._option = source.option
        self._items = _constant_items(kind, template, source)

    @property
    def text(self) -> str:
        """What was written."""
        return self.template.text

    async def match(
        self, subject: str, context: Context, *, caseful: bool = False
    ) -> Match | None:
        """Return the match of a subject, or None.

        A local part or address is compared without regard to case unless ``caseful``
        or the list says otherwise.  Raises TemporaryFailure where that cannot be
        decided now.
        """
        items = self._items
        if items is not None and not caseful:
            if not items.items:
                return None
            if self._kind is ListKind.ADDRESS:
                subject = subject_of(self._kind, subject)
            return await items.match(subject, context)
        text = await _expanded(self.template, self._option, context)
        if text is None:
            return None
        return await match_list(self._kind, text, subject, context, caseful=caseful)


class ClientList:
    """A list of hosts (Exim chapter 10)."""

    __slots__ = ("_items", "_option", "template")

    def __init__(self, template: ITemplate, source: Source) -> None:
        self.template = template
        self._option = source.option
        self._items = _constant_items(ListKind.HOST, template, source)

    @property
    def text(self) -> str:
        """What was written."""
        return self.template.text

    async def match_client(self, context: Context) -> Match | None:
        """Return the match of the client of the context's connection, or None.

        Raises TemporaryFailure where that cannot be decided now.
        """
        if self._items is not None and not self._items.items:
            return None
        return await self._match(HostSubject.client(context.connection), context)

    async def match_host(self, host: Host, context: Context) -> Match | None:
        """Return the match of a host to deliver to, or None.

        Raises TemporaryFailure where that cannot be decided now.
        """
        if self._items is not None and not self._items.items:
            return None
        return await self._match(HostSubject.target(host), context)

    async def _match(self, subject: HostSubject, context: Context) -> Match | None:
        if self._items is not None:
            return await self._items.match(subject, context)
        text = await _expanded(self.template, self._option, context)
        if text is None:
            return None
        return await match_list(ListKind.HOST, text, subject, context)


def _constant_items(
    kind: ListKind, template: ITemplate, source: Source
) -> ItemList | None:
    if template.constant is None:
        return None
    try:
        return parse_list(kind, template.constant)
    except ValueError as error:
        raise source.error(str(error)) from error


async def _expanded(template: ITemplate, option: str, context: Context) -> str | None:
    """Return a list's text, None where its expansion was forced to fail.

    Exim chapter 10: any other failure of the expansion is a temporary error.
    """
    try:
        return await template.expand(context)
    except ForcedFailure:
        return None
    except ExpansionError as error:
        text = f'failed to expand "{template.text}" for {option}: {error}'
        raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error


class _SubjectListType:
    def __init__(self, kind: ListKind) -> None:
        self._kind = kind
        self.name = f"{kind.value.replace('_', ' ')} list"

    def parse(self, text: str, source: Source) -> SubjectList:
        return SubjectList(self._kind, template_of(text, source), source)


class _HostListType:
    name = "host list"

    def parse(self, text: str, source: Source) -> ClientList:
        return ClientList(template_of(text, source), source)


Expanded = _ExpandedType()
ExpandedInteger = ExpandedValueType("integer", parse_integer)
ExpandedInterval = ExpandedValueType("time", parse_interval)
ExpandedBoolean = ExpandedValueType("boolean", _boolean)
ExpandedList = _ExpandedListType()
DomainList = _SubjectListType(ListKind.DOMAIN)
AddressList = _SubjectListType(ListKind.ADDRESS)
LocalPartList = _SubjectListType(ListKind.LOCAL_PART)
HostList = _HostListType()
