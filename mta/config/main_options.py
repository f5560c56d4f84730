"""The main section: main options and named lists (Exim section 6.8 and chapter 10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mta.config.configuration import LIST_KINDS, Configuration
from mta.config.known import unknown_option
from mta.config.reader import LogicalLine
from mta.config.section import Problems, Section
from mta.config.settings import Settings, build, setting_of
from mta.config.values import parse_assignment, unquote
from mta.interfaces import ILanguage
from mta.options import Configurable, Option, Setting, Source

_LIST = re.compile(
    r"(hide\s+)?(domainlist|hostlist|addresslist|localpartlist)(?:_cache)?"
    r"\s+(\w+)\s*=\s*(.*)\Z",
    re.ASCII | re.DOTALL,
)


class MainSection(Section):
    """What comes before the first ``begin``."""

    has_macros = True

    def __init__(
        self,
        configuration: Configuration,
        problems: Problems,
        language: ILanguage,
        groups: Sequence[type[Configurable]],
    ) -> None:
        self._configuration = configuration
        self._problems = problems
        self._language = language
        self._groups = groups
        self._settings = Settings()
        self._options: dict[str, Option[Any]] = {}
        for group in groups:
            self._options.update(group.option_names())

    def take(self, line: LogicalLine) -> None:
        match = _LIST.match(line.text)
        if match is not None:
            hide, keyword, name, text = match.groups()
            self._take_list(LIST_KINDS[keyword], name, text, bool(hide), line)
            return
        setting = setting_of(
            parse_assignment(line), self._options, self._language, self._unknown
        )
        self._settings.add(setting, self._options[setting.name])

    def _unknown(self, name: str) -> str:
        return unknown_option(name, self._options, ("main",), "in the main section")

    def _take_list(
        self, kind: str, name: str, text: str, hidden: bool, line: LogicalLine
    ) -> None:
        lists = self._configuration.named_lists[kind]
        if name in lists:
            raise line.error(f'there is already a {kind} list called "{name}"')
        source = Source(line.file, line.line, f"{kind} list {name}", self._language)
        text = unquote(text.strip(), line)
        self._configuration.list_settings[kind][name] = Setting(
            name, text, source, hidden
        )
        lists[name] = self._language.template(text, source)

    def finish(self) -> None:
        source = Source(self._configuration.path, language=self._language)
        for group in self._groups:
            names = group.option_names()
            own = [setting for setting in self._settings.all if setting.name in names]

            def make(
                settings: list[Setting], group: type[Configurable] = group
            ) -> Configurable:
                return group(settings, source=source, language=self._language)

            built = build(make, own, self._problems)
            if built is not None:
                self._configuration.groups[group] = built
