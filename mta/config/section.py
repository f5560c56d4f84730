"""What the sections of a configuration have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mta.config.reader import LogicalLine
from mta.errors import ConfigurationError, ConfigurationErrors


class Problems:
    """The errors that were found so far."""

    def __init__(self) -> None:
        self.found: list[ConfigurationError] = []

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, error: ConfigurationError) -> None:
        """Keep an error, or each of several."""
        if isinstance(error, ConfigurationErrors):
            self.found.extend(error.errors)
        else:
            self.found.append(error)

    def in_order_of(self, lines: list[LogicalLine]) -> list[ConfigurationError]:
        """Return the errors as a reader of the file meets them."""
        places = {(line.file, line.line): number for number, line in enumerate(lines)}
        end = len(lines)
        return sorted(
            self.found, key=lambda error: places.get((error.file, error.line), end)
        )

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep the error that is raised within, and go on."""
        try:
            yield
        except ConfigurationError as error:
            self.add(error)


class Section:
    """One section while its lines come in.

    ``has_macros`` says that macros may be defined among its lines.
    """

    has_macros = False

    def take(self, line: LogicalLine) -> None:
        """Take the next line; raise ConfigurationError."""
        raise NotImplementedError

    def end_part(self) -> None:
        """End the ACL or driver instance in hand, if there is one."""

    def finish(self) -> None:
        """End the section."""
