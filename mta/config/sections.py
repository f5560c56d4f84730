"""Logical lines to settings, ACLs and driver instances (Exim sections 6.1 to 6.21).

Every error names file and line.  Reading goes on after an error, so that all of them
are found in one run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mta.config.configuration import ACLReader, Configuration, Drivers
from mta.config.drivers import DriverSection
from mta.config.macros import MacroError, Macros, definition
from mta.config.main_options import MainSection
from mta.config.reader import LogicalLine, Reader, first_existing
from mta.config.references import check_references
from mta.config.section import Problems, Section
from mta.errors import ConfigurationError, ConfigurationErrors
from mta.interfaces import ILanguage
from mta.options import Configurable, Source

_BEGIN = re.compile(r"begin\s+(\S+)\s*(.*)\Z")
_ACL_NAME = re.compile(r"([A-Za-z]\w*)\s*:\s*(.*)\Z", re.ASCII | re.DOTALL)


def read_configuration(
    paths: Sequence[str],
    *,
    macros: Mapping[str, str],
    language: ILanguage,
    acl_language: ACLReader,
    main_groups: Sequence[type[Configurable]],
    drivers: Mapping[str, Drivers],
    built_in_macros: Mapping[str, str] | None = None,
    check_permissions: bool = True,
) -> Configuration:
    """Read the first of several files that exists; raise ConfigurationErrors.

    ``macros`` are the command line's; ``built_in_macros`` those that tell what is
    supported.  ``drivers`` are by kind: router, transport, authenticator.
    """
    path = first_existing(paths)
    problems = Problems()
    try:
        # Not "or": to ask for its length fills it.
        known = Macros(macros, {} if built_in_macros is None else built_in_macros)
    except MacroError as error:
        raise ConfigurationErrors([ConfigurationError(str(error))]) from error
    reader = Reader(path, macros=known, check_permissions=check_permissions)
    configuration = Configuration(path)
    sections = _Sections(
        configuration, problems, language, acl_language, main_groups, drivers
    )
    with problems.collect():
        for line in reader.lines():
            configuration.lines.append(line)
            sections.take(line, known)
    sections.finish()
    configuration.macros = dict(known.defined)
    configuration.warnings = reader.warnings
    if not problems:
        check_references(configuration, problems)
    if problems:
        raise ConfigurationErrors(problems.in_order_of(configuration.lines))
    return configuration


class _Sections:
    """Hands every line to the section that it belongs to."""

    def __init__(
        self,
        configuration: Configuration,
        problems: Problems,
        language: ILanguage,
        acl_language: ACLReader,
        main_groups: Sequence[type[Configurable]],
        drivers: Mapping[str, Drivers],
    ) -> None:
        self._problems = problems
        self._begun: set[str] = set()

        def of_drivers(kind: str) -> Callable[[], Section]:
            return lambda: DriverSection(
                kind,
                configuration.instances(kind),
                problems,
                language=language,
                drivers=drivers.get(kind),
            )

        self._makers: dict[str, Callable[[], Section]] = {
            "acl": lambda: _ACLSection(configuration, problems, language, acl_language),
            "routers": of_drivers("router"),
            "transports": of_drivers("transport"),
            "authenticators": of_drivers("authenticator"),
            "retry": lambda: _RawSection(configuration.retry),
            "rewrite": lambda: _UnsupportedSection("rewrite"),
            "local_scan": lambda: _UnsupportedSection("local_scan"),
        }
        self._current: Section = MainSection(
            configuration, problems, language, main_groups
        )

    def take(self, line: LogicalLine, macros: Macros) -> None:
        """Take the next line of the configuration."""
        with self._problems.collect():
            begin = _BEGIN.match(line.text)
            if begin is not None:
                self._begin(begin[1], begin[2], line)
            elif self._current.has_macros and (found := definition(line.text)):
                self._current.end_part()
                name, value, again = found
                try:
                    macros.define(name, value, again=again)
                except MacroError as error:
                    raise line.error(str(error)) from error
            else:
                self._current.take(line)

    def _begin(self, name: str, rest: str, line: LogicalLine) -> None:
        self.finish()
        self._current = _SkippedSection()
        if name not in self._makers:
            known = ", ".join(self._makers)
            raise line.error(f'unknown section "{name}"; known: {known}')
        if name in self._begun:
            raise line.error(f'section "{name}" has already been given')
        if rest:
            raise line.error(f'there is text after "begin {name}"')
        self._begun.add(name)
        self._current = self._makers[name]()

    def finish(self) -> None:
        """End the section in hand."""
        with self._problems.collect():
            self._current.finish()


class _SkippedSection(Section):
    """A section that was begun wrongly: its lines are not looked at."""

    def take(self, line: LogicalLine) -> None:
        pass


class _RawSection(Section):
    """A section whose lines are parsed by the part that uses them."""

    def __init__(self, lines: list[LogicalLine]) -> None:
        self._lines = lines

    def take(self, line: LogicalLine) -> None:
        self._lines.append(line)


class _UnsupportedSection(Section):
    """A section of Exim that may only be empty here."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_reported = False

    def take(self, line: LogicalLine) -> None:
        if not self._is_reported:
            self._is_reported = True
            raise line.error(
                f'section "{self._name}" is known to Exim but not supported here'
            )


class _ACLSection(Section):
    """``begin acl``: named lists of statements."""

    has_macros = True

    def __init__(
        self,
        configuration: Configuration,
        problems: Problems,
        language: ILanguage,
        acl_language: ACLReader,
    ) -> None:
        self._acls = configuration.acls
        self._problems = problems
        self._language = language
        self._acl_language = acl_language
        self._name = ""
        self._lines: list[tuple[str, Source]] = []
        self._seen: set[str] = set()

    def take(self, line: LogicalLine) -> None:
        match = _ACL_NAME.match(line.text)
        if match is not None:
            self.end_part()
            self._start(match[1], line)
            if not match[2]:
                return
        if not self._name:
            raise line.error('an ACL must start with its name and ":"')
        source = Source(line.file, line.line, self._name, self._language)
        self._lines.append((match[2] if match else line.text, source))

    def _start(self, name: str, line: LogicalLine) -> None:
        self._name = name
        if name in self._seen:
            raise line.error(f'there is already an ACL called "{name}"')
        self._seen.add(name)

    def end_part(self) -> None:
        name, lines = self._name, self._lines
        self._name, self._lines = "", []
        if name:
            with self._problems.collect():
                acl = self._acl_language.parse(name, lines)
                self._acls.setdefault(name, acl)

    def finish(self) -> None:
        self.end_part()
