"""Sections of driver instances: routers, transports and authenticators."""

from __future__ import annotations

import re
from typing import Any

from mta.config.configuration import Drivers
from mta.config.known import unknown_driver, unknown_option
from mta.config.reader import LogicalLine
from mta.config.section import Problems, Section
from mta.config.settings import Settings, build, setting_of
from mta.config.values import Assignment, parse_assignment
from mta.errors import ConfigurationError
from mta.interfaces import ILanguage
from mta.options import Configurable, Setting, Source

_INSTANCE = re.compile(r"([A-Za-z]\w*)\s*:\s*(.*)\Z", re.ASCII | re.DOTALL)
NAME_LIMIT = 64


class DriverSection(Section):
    """``begin routers`` and its kin: named instances, each of one driver."""

    has_macros = True

    def __init__(
        self,
        kind: str,
        instances: dict[str, Any],
        problems: Problems,
        *,
        language: ILanguage,
        drivers: Drivers | None,
    ) -> None:
        self._kind = kind
        self._instances = instances
        self._problems = problems
        self._language = language
        self._drivers = drivers or Drivers(lambda name: None, tuple)
        self._seen: set[str] = set()
        self._start: LogicalLine | None = None
        self._name = ""
        self._assignments: list[Assignment] = []

    def take(self, line: LogicalLine) -> None:
        match = _INSTANCE.match(line.text)
        if match is None:
            if self._start is None:
                raise line.error(f'a {self._kind} must start with its name and ":"')
            self._assignments.append(parse_assignment(line))
            return
        self.end_part()
        self._start, self._name = line, match[1]
        if match[2]:
            raise line.error(f'there is text after "{self._name}:"')
        if len(self._name) > NAME_LIMIT:
            raise line.error(f"a name may have {NAME_LIMIT} characters")
        if self._name in self._seen:
            raise line.error(f'there is already a {self._kind} called "{self._name}"')
        self._seen.add(self._name)

    def end_part(self) -> None:
        start, assignments = self._start, self._assignments
        self._start, self._assignments = None, []
        if start is not None:
            with self._problems.collect():
                self._build(start, assignments)

    def finish(self) -> None:
        self.end_part()

    def _build(self, start: LogicalLine, assignments: list[Assignment]) -> None:
        driver = self._driver(start, assignments)
        name = self._name
        options = driver.option_names()

        def unknown(option: str) -> str:
            sections = (f"{self._kind}s", getattr(driver, "extension_name", ""))
            where = f'in {self._kind} "{name}"'
            return unknown_option(option, options, sections, where)

        settings = Settings()
        is_right = True
        for assignment in assignments:
            if assignment.name == "driver":
                continue
            try:
                setting = setting_of(assignment, options, self._language, unknown)
                settings.add(setting, options[setting.name])
            except ConfigurationError as error:
                self._problems.add(error)
                is_right = False
        source = Source(start.file, start.line, f"{self._kind} {name}", self._language)

        def make(settings: list[Setting]) -> Configurable:
            return driver(settings, name=name, source=source, language=self._language)

        built = build(make, settings.all, self._problems, is_whole=is_right)
        if built is not None:
            self._instances.setdefault(name, built)

    def _driver(
        self, start: LogicalLine, assignments: list[Assignment]
    ) -> type[Configurable]:
        given = [item for item in assignments if item.name == "driver"]
        if not given or not given[0].text:
            raise start.error(f'{self._kind} "{self._name}" has no driver')
        if len(given) > 1:
            raise given[1].line.error('option "driver" has already been set')
        driver = self._drivers.find(given[0].text)
        if driver is None:
            raise given[0].line.error(
                unknown_driver(self._kind, given[0].text, self._drivers.names())
            )
        return driver
