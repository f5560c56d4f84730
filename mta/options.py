"""Declare options: once, as an attribute of the class that uses them.

``NAME = Option(type, default, sentence)`` in a ``Configurable`` class makes an
option that a configuration can set, ``-bP`` can show and the reference manual
describes.  Types parse when the configuration is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, overload

from mta.errors import ConfigurationError
from mta.interfaces import ILanguage

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value of the configuration was written: file, line and option."""

    file: str = ""
    line: int = 0
    option: str = ""
    language: ILanguage | None = None

    def error(self, text: str) -> ConfigurationError:
        """Return the error that names this place."""
        if self.option:
            text = f"{self.option}: {text}"
        return ConfigurationError(text, self.file, self.line)


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``name = text`` of a configuration; ``hidden`` where ``hide`` stood."""

    name: str
    text: str
    source: Source
    hidden: bool = False


class OptionType(Protocol[T_co]):
    """What a value may look like, and what it becomes."""

    name: str

    def parse(self, text: str, source: Source) -> T_co:
        """Return the value; raise ConfigurationError (``source.error``)."""


class Option(Generic[T]):
    """One option: its type, default text, one sentence, and other names.

    A default of None means unset; the attribute is then None.
    """

    @overload
    def __init__(
        self: Option[T],
        type: OptionType[T],
        default: str,
        sentence: str,
        *,
        aliases: tuple[str, ...] = (),
    ) -> None: ...

    @overload
    def __init__(
        self: Option[T | None],
        type: OptionType[T],
        default: None,
        sentence: str,
        *,
        aliases: tuple[str, ...] = (),
    ) -> None: ...

    def __init__(
        self,
        type: OptionType[Any],
        default: str | None,
        sentence: str,
        *,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.type = type
        self.default = default
        self.sentence = sentence
        self.aliases = aliases
        self.name = ""

    repeats: ClassVar[bool] = False

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any]) -> T: ...

    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        if instance is None:
            return self
        return instance.__dict__[self.name]

    def value_of(self, settings: Iterable[Setting], source: Source) -> Any:
        """Return the attribute's value for what was set, or for the default."""
        value: Any = None
        for setting in settings:
            value = self.type.parse(setting.text, setting.source)
        if value is None and self.default is not None:
            value = self.type.parse(self.default, source)
        return value


class RepeatedOption(Option[tuple[T, ...]]):
    """An option that may be given several times; its value is a tuple."""

    repeats = True

    def __init__(self, type: OptionType[T], sentence: str) -> None:
        self.type = type
        self.default = None
        self.sentence = sentence
        self.aliases = ()
        self.name = ""

    def value_of(self, settings: Iterable[Setting], source: Source) -> Any:
        """Return the values in the order in which they were set."""
        return tuple(self.type.parse(s.text, s.source) for s in settings)


class Configurable:
    """Something that a configuration sets up: a driver, or a group of main options.

    Made from the settings that concern it.  ``name`` is the instance's name, empty
    for main options.  Unknown settings are refused; every option that is not set
    gets its default.
    """

    def __init__(
        self,
        settings: Iterable[Setting] = (),
        *,
        name: str = "",
        source: Source | None = None,
        language: ILanguage | None = None,
    ) -> None:
        self.name = name
        self.source = source or Source(language=language)
        self.settings: dict[str, list[Setting]] = {}
        known = self.option_names()
        for setting in settings:
            option = known.get(setting.name)
            if option is None:
                raise setting.source.error(f'unknown option "{setting.name}"')
            earlier = self.settings.setdefault(option.name, [])
            if earlier and not option.repeats:
                raise setting.source.error(f'"{setting.name}" option set twice')
            earlier.append(setting)
        for option in self.options().values():
            place = replace(self.source, option=option.name)
            given = self.settings.get(option.name, ())
            self.__dict__[option.name] = option.value_of(given, place)

    def warnings(self) -> Iterable[str]:
        """Give what an operator should know of settings that are allowed."""
        return ()

    @classmethod
    def options(cls) -> dict[str, Option[Any]]:
        """Return every option by name, generic ones first."""
        found: dict[str, Option[Any]] = {}
        for owner in reversed(cls.__mro__):
            for name, value in vars(owner).items():
                if isinstance(value, Option):
                    found[name] = value
        return found

    @classmethod
    def option_names(cls) -> dict[str, Option[Any]]:
        """Return every option by every name that it answers to."""
        names: dict[str, Option[Any]] = {}
        for name, option in cls.options().items():
            names[name] = option
            names.update(dict.fromkeys(option.aliases, option))
        return names

    @classmethod
    def with_texts(
        cls,
        texts: Mapping[str, str],
        *,
        language: ILanguage | None = None,
        name: str = "",
    ) -> Self:
        """Return an instance from option texts, for tests and built-in defaults."""
        source = Source(language=language)
        return cls(
            [
                Setting(key, text, replace(source, option=key))
                for key, text in texts.items()
            ],
            name=name,
            language=language,
        )


_INTERVAL = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?\Z")
_SECONDS = (604800, 86400, 3600, 60, 1)


def parse_interval(text: str) -> int:
    """Return the seconds of ``1w2d3h4m5s`` (Exim chapter 6); raise ValueError."""
    match = _INTERVAL.match(text.strip().lower())
    if match is None or not text.strip():
        raise ValueError(f'"{text}" is not a time interval such as 1h30m')
    return sum(
        int(number) * seconds
        for number, seconds in zip(match.groups(), _SECONDS, strict=True)
        if number
    )


def format_interval(seconds: int) -> str:
    """Return ``1w2d3h4m5s`` for a number of seconds, as logs and ``-bP`` show it."""
    if seconds == 0:
        return "0s"
    text = "-" if seconds < 0 else ""
    rest = abs(seconds)
    for letter, unit in zip("wdhms", _SECONDS, strict=True):
        count, rest = divmod(rest, unit)
        if count:
            text += f"{count}{letter}"
    return text


_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|\d+)([KkMmGg]?)\Z")
_MULTIPLIERS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse_integer(text: str) -> int:
    """Return the number of ``12``, ``010`` (octal), ``0x1f`` or ``5M``; raise
    ValueError (Exim chapter 6)."""
    match = _INTEGER.match(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not an integer')
    sign, digits, suffix = match.groups()
    if digits[:2].lower() == "0x":
        number = int(digits, 16)
    elif digits.startswith("0") and len(digits) > 1:
        number = int(digits, 8)
    else:
        number = int(digits)
    return (-number if sign == "-" else number) * _MULTIPLIERS[suffix.lower()]


class _BooleanType:
    name = "boolean"

    def parse(self, text: str, source: Source) -> bool:
        word = text.strip().lower()
        if word in ("true", "yes"):
            return True
        if word in ("false", "no"):
            return False
        raise source.error(f'"{text}" is not a valid value, use true, yes, false or no')


class _IntegerType:
    name = "integer"

    def parse(self, text: str, source: Source) -> int:
        try:
            return parse_integer(text)
        except ValueError as error:
            raise source.error(str(error)) from error


class _OctalType:
    name = "octal integer"

    def parse(self, text: str, source: Source) -> int:
        try:
            return int(text.strip(), 8)
        except ValueError as error:
            raise source.error(f'"{text}" is not an octal integer') from error


class _FixedPointType:
    name = "fixed-point"

    def parse(self, text: str, source: Source) -> float:
        if not re.fullmatch(r"\d+(\.\d{1,3})?", text.strip()):
            raise source.error(f'"{text}" is not a number with at most three decimals')
        return float(text)


class _IntervalType:
    name = "time"

    def parse(self, text: str, source: Source) -> int:
        try:
            return parse_interval(text)
        except ValueError as error:
            raise source.error(str(error)) from error


class _IntervalListType:
    name = "time list"

    def parse(self, text: str, source: Source) -> tuple[int, ...]:
        return tuple(Interval.parse(item, source) for item in split_list(text))


class _StringType:
    name = "string"

    def parse(self, text: str, source: Source) -> str:
        return text


class _StringListType:
    name = "string list"

    def parse(self, text: str, source: Source) -> tuple[str, ...]:
        return tuple(split_list(text))


Boolean = _BooleanType()
Integer = _IntegerType()
OctalInteger = _OctalType()
FixedPoint = _FixedPointType()
Interval = _IntervalType()
IntervalList = _IntervalListType()
String = _StringType()
StringList = _StringListType()


def split_list(text: str, separator: str = ":") -> list[str]:
    """Return the items of one of Exim's lists (Exim chapter 6, "list construction").

    A leading ``<x`` changes the separator; a doubled separator is a literal one;
    items are trimmed; an empty item at the end does not count, except that a lone
    separator is one empty item.  The items keep the text's taint.
    """
    text = text.strip()
    if (
        len(text) > 1
        and text.startswith("<")
        and not text[1].isalnum()
        and text[1] != " "
    ):
        separator, text = str(text[1]), text[2:]
    if not text.strip():
        return []
    items = []
    position = 0
    item_start = 0
    pieces: list[str] = []
    while (position := text.find(separator, position)) >= 0:
        following = text[position + 1 : position + 2]
        if following == separator:
            pieces.append(text[item_start : position + 1])
            position += 2
            item_start = position
            continue
        pieces.append(text[item_start:position])
        items.append(_joined(pieces).strip())
        pieces = []
        position += 1
        item_start = position
    pieces.append(text[item_start:])
    last = _joined(pieces).strip()
    if last:
        items.append(last)
    return items


def _joined(pieces: list[str]) -> str:
    result = pieces[0]
    for piece in pieces[1:]:
        result = result + piece
    return result
