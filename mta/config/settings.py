"""Assignments to settings of a class, and settings to an instance of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from mta.config.section import Problems
from mta.config.values import Assignment
from mta.errors import ConfigurationError
from mta.interfaces import ILanguage
from mta.options import Option, Setting, Source

T = TypeVar("T")


def is_boolean(option: Option[Any]) -> bool:
    """Return whether an option may stand without a value, and after ``no_``."""
    return "boolean" in option.type.name


def setting_of(
    assignment: Assignment,
    options: Mapping[str, Option[Any]],
    language: ILanguage,
    unknown: Callable[[str], str],
) -> Setting:
    """Return the setting that an assignment makes; raise ConfigurationError.

    ``unknown`` gives the error text for a name that no option answers to.
    """
    name, text = assignment.name, assignment.text
    option = options.get(name)
    if option is None:
        name = _negated(name, options)
        if not name:
            raise assignment.line.error(unknown(assignment.name))
        if text is not None:
            raise assignment.line.error(f'"{assignment.name}" takes no value')
        text = "false"
    elif text is None:
        if not is_boolean(option):
            raise assignment.line.error(f'option "{name}" needs "=" and a value')
        text = "true"
    line = assignment.line
    source = Source(line.file, line.line, options[name].name, language)
    return Setting(name, text, source, assignment.hidden)


def _negated(name: str, options: Mapping[str, Option[Any]]) -> str:
    for prefix in ("no_", "not_"):
        option = options.get(name.removeprefix(prefix))
        if name.startswith(prefix) and option is not None and is_boolean(option):
            return name.removeprefix(prefix)
    return ""


class Settings:
    """The settings of one instance or of the main section, each option once."""

    def __init__(self) -> None:
        self.all: list[Setting] = []
        self._lines: dict[str, int] = {}

    def add(self, setting: Setting, option: Option[Any]) -> None:
        """Add a setting; raise ConfigurationError where there is one already."""
        earlier = self._lines.setdefault(option.name, setting.source.line)
        if option.repeats or earlier == setting.source.line:
            self.all.append(setting)
            return
        raise ConfigurationError(
            f'option "{setting.name}" has already been set in line {earlier}',
            setting.source.file,
            setting.source.line,
        )


def build(
    make: Callable[[list[Setting]], T],
    settings: Iterable[Setting],
    problems: Problems,
    *,
    is_whole: bool = True,
) -> T | None:
    """Return what ``make`` makes of the settings, or of those that are right.

    A setting that is refused is reported and left out for the next try, so that
    every wrong one is found.  ``is_whole`` is False where settings are missing for
    reasons that are already reported.
    """
    remaining = list(settings)
    for _ in range(len(remaining) + 1):
        try:
            return make(remaining)
        except ConfigurationError as error:
            right = [setting for setting in remaining if not _is_at(setting, error)]
            # What is missing only because it was left out is no second error.
            if is_whole or len(right) < len(remaining):
                problems.add(error)
            if len(right) == len(remaining):
                return None
            remaining = right
            is_whole = False
    return None


def _is_at(setting: Setting, error: ConfigurationError) -> bool:
    source = setting.source
    return (source.file, source.line) == (error.file, error.line)
