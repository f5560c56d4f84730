"""Macros of the configuration file (Exim section 6.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_DEFINITION = re.compile(r"([A-Z]\w*)\s*(==?)\s*(.*)\Z", re.ASCII | re.DOTALL)
_NAME = re.compile(r"[A-Z]\w*\Z", re.ASCII)
_BUILT_IN = re.compile(r"_[A-Z]\w*", re.ASCII)
_NONE: Mapping[str, str] = MappingProxyType({})


class MacroError(ValueError):
    """A macro cannot be defined; the text says why."""


class Macros:
    """The macros that are defined so far, in the order of their definition.

    ``given`` are those of the command line, which no definition in a file changes.
    ``built_in`` are the ones whose names start with an underscore; the mapping is
    asked only for names that a line contains, so it may be one that is costly to
    fill.
    """

    def __init__(
        self,
        given: Mapping[str, str] = _NONE,
        built_in: Mapping[str, str] = _NONE,
    ) -> None:
        self._given = frozenset(given)
        self._built_in = built_in
        self._defined: dict[str, str] = {}
        for name, value in given.items():
            if not _NAME.match(name):
                raise MacroError(f'"{name}" is not the name of a macro')
            self._defined[name] = value

    @property
    def defined(self) -> Mapping[str, str]:
        """The macros of command line and files, in order."""
        return MappingProxyType(self._defined)

    @property
    def built_in(self) -> Mapping[str, str]:
        """The macros that say what this program can do."""
        return self._built_in

    def define(self, name: str, value: str, *, again: bool = False) -> None:
        """Define a macro, or with ``again`` (``==``) change one; raise MacroError."""
        if name in self._given:
            return
        if again and name not in self._defined:
            raise MacroError(f'macro "{name}" is redefined before it is defined')
        if not again and name in self._defined:
            raise MacroError(
                f'macro "{name}" is already defined (use "==" to redefine it)'
            )
        if not again:
            self._check_new(name)
        self._defined[name] = value

    def _check_new(self, name: str) -> None:
        for earlier in self._defined:
            if earlier in name:
                raise MacroError(
                    f'macro "{name}" cannot be defined, since its name contains that '
                    f'of the earlier macro "{earlier}"'
                )

    def apply(self, text: str) -> tuple[str, bool]:
        """Return the text with macros replaced, and whether any was.

        Every macro has one pass, in the order of definition; what it puts in may
        contain later macros but is not searched for the same one.
        """
        found = False
        if "_" in text:
            changed = self._apply_built_in(text)
            found = changed is not None
            text = text if changed is None else changed
        for name, value in self._defined.items():
            if name in text:
                text = text.replace(name, value)
                found = True
        return text, found

    def _apply_built_in(self, text: str) -> str | None:
        # Whole words only: "_HAVE_TLS_X" must not count as known because
        # "_HAVE_TLS" is.
        found = False

        def value(match: re.Match[str]) -> str:
            nonlocal found
            preceding = text[match.start() - 1 : match.start()]
            if preceding.isalnum() or match[0] not in self._built_in:
                return match[0]
            found = True
            return self._built_in[match[0]]

        changed = _BUILT_IN.sub(value, text)
        return changed if found else None

    def knows(self, name: str) -> bool:
        """Return whether a macro has exactly this name."""
        return name in self._defined or name in self._built_in


def definition(text: str) -> tuple[str, str, bool] | None:
    """Return name, value and "redefines" of ``NAME = value``; None for other text."""
    match = _DEFINITION.match(text)
    if match is None:
        return None
    return match[1], match[3].strip(), match[2] == "=="


def definition_start(text: str) -> int:
    """Return where the value starts, in a physical line that defines a macro.

    0 for other lines.  The name before it is not searched for macros.
    """
    match = _DEFINITION.match(text.lstrip())
    return len(text) - len(text.lstrip()) + match.start(3) if match else 0
