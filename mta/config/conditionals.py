"""``.ifdef`` and its kin: which lines of a file count (Exim section 6.6)."""

from __future__ import annotations

from enum import Enum


class Branch(Enum):
    """Where reading stands between an ``.ifdef`` and its ``.endif``."""

    TAKEN = "the lines count"
    WAITING = "no branch was true yet"
    PASSED = "an earlier branch was true"
    DEAD = "the surrounding lines do not count"


# What .elifdef, .elifndef and .else make of a branch: (branch, condition holds).
_NEXT = {
    (Branch.TAKEN, True): Branch.PASSED,
    (Branch.TAKEN, False): Branch.PASSED,
    (Branch.WAITING, True): Branch.TAKEN,
    (Branch.WAITING, False): Branch.WAITING,
    (Branch.PASSED, True): Branch.PASSED,
    (Branch.PASSED, False): Branch.PASSED,
    (Branch.DEAD, True): Branch.DEAD,
    (Branch.DEAD, False): Branch.DEAD,
}
WORDS = frozenset({".ifdef", ".ifndef", ".elifdef", ".elifndef", ".else", ".endif"})


class ConditionalError(ValueError):
    """The conditional directives of a file do not fit together."""


class Conditionals:
    """The conditional directives that are open at one place of one file."""

    def __init__(self) -> None:
        self._open: list[tuple[Branch, bool]] = []
        self._begun: list[int] = []

    @property
    def counts(self) -> bool:
        """Whether the lines at this place are read."""
        return not self._open or self._open[-1][0] is Branch.TAKEN

    @property
    def open_since(self) -> int:
        """The line whose ``.endif`` is still to come; 0 for none."""
        return self._begun[-1] if self._begun else 0

    def obey(self, word: str, is_defined: bool, line: int) -> None:
        """Follow a directive, on whose line a macro was replaced or not."""
        holds = not is_defined if word.endswith("ndef") else is_defined
        if word in (".ifdef", ".ifndef"):
            branch = Branch.TAKEN if holds else Branch.WAITING
            self._open.append((branch if self.counts else Branch.DEAD, False))
            self._begun.append(line)
            return
        if not self._open:
            raise ConditionalError(f'"{word}" without a preceding ".ifdef"')
        branch, had_else = self._open.pop()
        if word == ".endif":
            self._begun.pop()
            return
        if had_else:
            raise ConditionalError(f'"{word}" follows ".else"')
        is_else = word == ".else"
        self._open.append((_NEXT[branch, holds or is_else], is_else))
