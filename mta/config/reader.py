"""The text of a configuration as logical lines (Exim sections 6.2 to 6.6).

In this order, for each physical line: macros are replaced, directives obeyed, comments
dropped, continuations joined.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mta.config.conditionals import WORDS, ConditionalError, Conditionals
from mta.config.macros import Macros, definition_start
from mta.errors import ConfigurationError

INCLUDE_LIMIT = 50
_INCLUDES = (".include", ".include_if_exists")


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One line after joining; ``line`` is the number of its first physical line."""

    text: str
    file: str
    line: int

    def error(self, text: str) -> ConfigurationError:
        """Return the error that names this line."""
        return ConfigurationError(text, self.file, self.line)


class Reader:
    """Reads a configuration file and what it includes.

    Whoever takes the lines defines the macros that they define, before taking the
    next line.  ``warnings`` are for the operator; none makes the file unusable.
    """

    def __init__(
        self, path: str, *, macros: Macros, check_permissions: bool = True
    ) -> None:
        self.path = path
        self.macros = macros
        self.warnings: list[str] = []
        self._check_permissions = check_permissions
        self._is_continuing = False
        self._including: list[tuple[int, int]] = []

    def lines(self) -> Iterator[LogicalLine]:
        """Give the logical lines in order; raise ConfigurationError."""
        pieces: list[str] = []
        start: LogicalLine | None = None
        for line in self._physical_lines(self.path, None):
            text = line.text.strip()
            if start is None:
                if not text:
                    continue
                start = line
            self._is_continuing = text.endswith("\\")
            pieces.append(text[:-1] if self._is_continuing else text)
            if not self._is_continuing:
                yield from _joined(pieces, start)
                pieces, start = [], None
        if start is not None:
            yield from _joined(pieces, start)

    def _physical_lines(
        self, path: str, included_by: LogicalLine | None
    ) -> Iterator[LogicalLine]:
        conditionals = Conditionals()
        texts, identity = self._read(path, included_by)
        self._including.append(identity)
        for number, raw in enumerate(texts, 1):
            text, is_replaced = self._replace_macros(raw)
            line = LogicalLine(text, path, number)
            stripped = text.lstrip()
            if stripped.startswith(".") and stripped[1:2].isalpha():
                word, rest = [*stripped.split(None, 1), ""][:2]
                if word in WORDS:
                    _obey(conditionals, word, is_replaced, line)
                    self._warn_of_part(word, raw, is_replaced, line)
                    continue
                if conditionals.counts and word in _INCLUDES:
                    yield from self._include(word, rest.strip(), line)
                    continue
                if conditionals.counts and not self._is_continuing:
                    raise line.error(f'unknown directive "{word}"')
            if conditionals.counts and not stripped.startswith("#"):
                yield line
        if conditionals.open_since:
            line = LogicalLine("", path, conditionals.open_since)
            raise line.error('the ".endif" for this line is missing')
        self._including.pop()

    def _replace_macros(self, raw: str) -> tuple[str, bool]:
        # The name in a definition is not replaced, so that it can be defined again.
        start = 0 if self._is_continuing else definition_start(raw)
        text, is_replaced = self.macros.apply(raw[start:])
        return raw[:start] + text, is_replaced

    def _warn_of_part(
        self, word: str, raw: str, is_replaced: bool, line: LogicalLine
    ) -> None:
        # Exim has ".ifdef AAA" hold where there is a macro A, and files rely on it.
        names = raw.split()[1:]
        if not is_replaced or not word.endswith("def") or len(names) != 1:
            return
        if not self.macros.knows(names[0]):
            self.warnings.append(
                f'line {line.line} of {line.file}: "{names[0]}" is not a macro, but '
                "counts as defined because it contains the name of one"
            )

    def _include(
        self, word: str, name: str, line: LogicalLine
    ) -> Iterator[LogicalLine]:
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1]
        if not name:
            raise line.error(f'"{word}" needs the name of a file')
        path = os.path.join(os.path.dirname(line.file), name)
        if word == ".include_if_exists" and not os.path.lexists(path):
            return
        if len(self._including) >= INCLUDE_LIMIT:
            raise line.error(f"files are included more than {INCLUDE_LIMIT} deep")
        yield from self._physical_lines(path, line)

    def _read(
        self, path: str, included_by: LogicalLine | None
    ) -> tuple[list[str], tuple[int, int]]:
        place = included_by or LogicalLine("", "", 0)
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise place.error(f"{path} is not a regular file")
                octets = file.read()
        except OSError as error:
            raise place.error(f"cannot read {path}: {error.strerror}") from error
        if self._check_permissions:
            _check_permissions(path, status, place)
        identity = status.st_dev, status.st_ino
        if identity in self._including:
            raise place.error(f"{path} includes itself")
        if b"\0" in octets:
            raise place.error(f"{path} contains a NUL octet")
        texts = octets.decode("utf-8", "surrogateescape").split("\n")
        return texts, identity


def _joined(pieces: Sequence[str], start: LogicalLine) -> Iterator[LogicalLine]:
    text = "".join(pieces).strip()
    if text:
        yield LogicalLine(text, start.file, start.line)


def _obey(
    conditionals: Conditionals, word: str, is_replaced: bool, line: LogicalLine
) -> None:
    try:
        conditionals.obey(word, is_replaced, line.line)
    except ConditionalError as error:
        raise line.error(str(error)) from error


def _check_permissions(path: str, status: os.stat_result, place: LogicalLine) -> None:
    # Whoever can write the file decides what runs as our user.
    if status.st_uid not in (0, os.geteuid()):
        raise place.error(f"{path} belongs neither to root nor to the user of this run")
    if status.st_mode & stat.S_IWOTH:
        raise place.error(f"{path} can be written by everybody")
    if status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid()):
        raise place.error(f"{path} can be written by its group")


def first_existing(paths: Sequence[str]) -> str:
    """Return the first of several configuration files that exists."""
    for path in paths:
        if os.path.lexists(path):
            return os.path.abspath(path)
    names = ", ".join(paths)
    raise ConfigurationError(f"there is no configuration file (looked for {names})")
