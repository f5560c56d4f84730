"""A configuration that was read: settings, ACLs and driver instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, TypeVar

from zope.interface.interface import InterfaceClass

from mta.config.reader import LogicalLine
from mta.interfaces import ITemplate
from mta.options import Configurable, Setting, Source
from mta.plugins import find, find_one

T = TypeVar("T", bound=Configurable)

# Exim's keyword for a named list, and what the list is called elsewhere.
LIST_KINDS = {
    "domainlist": "domain",
    "hostlist": "host",
    "addresslist": "address",
    "localpartlist": "local_part",
}


class ACLReader(Protocol):
    """What makes an ACL from its lines (``mta.acl.syntax.ACLLanguage``)."""

    def parse(self, name: str, lines: list[tuple[str, Source]]) -> Any:
        """Return the ACL; raise ConfigurationError naming the place."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """Where the drivers of one kind are found.

    ``find`` gives the class of a name, or None; ``names`` gives all names, and is
    asked only when an error must list them.
    """

    find: Callable[[str], type[Configurable] | None]
    names: Callable[[], Iterable[str]]

    @classmethod
    def of(cls, interface: InterfaceClass, package: ModuleType) -> Drivers:
        """Return the drivers of a package, and those that plugins add."""
        return cls(
            lambda name: find_one(interface, package, name),
            lambda: find(interface, package),
        )


@dataclass(slots=True)
class Configuration:
    """All that a configuration says.

    ``named_lists`` are templates by kind (``domain``, ``host``, ``address``,
    ``local_part``) and name; ``list_settings`` the same as they were written.
    Routers, transports and authenticators are in the order of the file.  ``retry``
    holds the lines of that section as they are.  ``lines`` are all logical lines.
    """

    path: str
    groups: dict[type[Configurable], Configurable] = field(default_factory=dict)
    acls: dict[str, Any] = field(default_factory=dict)
    routers: dict[str, Any] = field(default_factory=dict)
    transports: dict[str, Any] = field(default_factory=dict)
    authenticators: dict[str, Any] = field(default_factory=dict)
    retry: list[LogicalLine] = field(default_factory=list)
    rewrite: list[LogicalLine] = field(default_factory=list)
    named_lists: dict[str, dict[str, ITemplate]] = field(
        default_factory=lambda: {kind: {} for kind in LIST_KINDS.values()}
    )
    list_settings: dict[str, dict[str, Setting]] = field(
        default_factory=lambda: {kind: {} for kind in LIST_KINDS.values()}
    )
    macros: Mapping[str, str] = field(default_factory=dict)
    lines: list[LogicalLine] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def advice(self) -> list[str]:
        """What an operator should know of a file that is usable, drivers' words too."""
        drivers = (*self.routers.values(), *self.transports.values())
        said = [text for driver in drivers for text in driver.warnings()]
        return [*self.warnings, *said]

    def main(self, group: type[T]) -> T:
        """Return the main options that one part of the program has declared."""
        found = self.groups[group]
        assert isinstance(found, group)
        return found

    def instances(self, kind: str) -> dict[str, Any]:
        """Return the driver instances of a kind: router, transport, authenticator."""
        found: dict[str, Any] = getattr(self, f"{kind}s")
        return found
