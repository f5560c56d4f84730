"""Values that came from the network, marked as such.

A tainted value may be compared, logged and sent, but is refused as a file name, a
command, a query or an option that selects code (Exim chapter 11, "tainted data").
The mark is the type, so it travels with the value; string methods that give a part
or a changed copy of a tainted value give a tainted value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

from mta.errors import TaintError


class Tainted(str):
    """A string whose content an outsider chose.

    ``quoter`` names the look-up type for whose queries it is quoted; it is unset
    where it is not.
    """

    __slots__ = ("quoter",)

    quoter: str

    def __add__(self, other: str) -> Tainted:
        return Tainted(str.__add__(self, other))

    def __radd__(self, other: str) -> Tainted:
        return Tainted(str.__add__(other, self))

    def __getitem__(self, key: SupportsIndex | slice) -> Tainted:
        return Tainted(str.__getitem__(self, key))

    def __mod__(self, value: Any) -> Tainted:
        return Tainted(str.__mod__(self, value))

    def split(self, *args: Any, **options: Any) -> list[str]:
        return [Tainted(part) for part in str.split(self, *args, **options)]

    def splitlines(self, *args: Any, **options: Any) -> list[str]:
        return [Tainted(part) for part in str.splitlines(self, *args, **options)]

    def partition(self, separator: str) -> tuple[str, str, str]:
        head, middle, tail = str.partition(self, separator)
        return Tainted(head), middle, Tainted(tail)

    def rpartition(self, separator: str) -> tuple[str, str, str]:
        head, middle, tail = str.rpartition(self, separator)
        return Tainted(head), middle, Tainted(tail)


def _keeping(name: str) -> Any:
    plain = getattr(str, name)

    def method(self: str, *args: Any, **options: Any) -> Tainted:
        return Tainted(plain(self, *args, **options))

    method.__name__ = name
    return method


_KEEPING = (
    "lower upper strip lstrip rstrip replace title capitalize casefold swapcase "
    "translate removeprefix removesuffix expandtabs zfill ljust rjust center"
)
for _name in _KEEPING.split():
    setattr(Tainted, _name, _keeping(_name))


def is_tainted(value: str) -> bool:
    """Return whether an outsider chose some of the value."""
    return isinstance(value, Tainted)


def carry(result: str, *sources: str) -> str:
    """Return the result, tainted if any of the strings it was made from is.

    Where all that are tainted are quoted for one look-up type, so is the result.
    """
    for source in sources:
        if isinstance(source, Tainted):
            if not hasattr(source, "quoter"):
                return Tainted(result)
            quoters = {getattr(s, "quoter", "") for s in sources if is_tainted(s)}
            return quoted_for(result, quoters.pop() if len(quoters) == 1 else "")
    return result


def quoted_for(text: str, quoter: str) -> Tainted:
    """Return a tainted text that is quoted for the queries of a look-up type."""
    result = Tainted(text)
    if quoter:
        result.quoter = quoter
    return result


def is_quoted_for(text: str, quoter: str) -> bool:
    """Return whether a text may stand in the queries of a look-up type."""
    return not is_tainted(text) or getattr(text, "quoter", "") == quoter


def join(parts: Iterable[str]) -> str:
    """Join strings; one tainted part taints the whole."""
    parts = list(parts)
    return carry("".join(parts), *parts)


def untainted(value: str, use: str) -> str:
    """Return the value for a use that only trusted values are allowed in.

    ``use`` completes "tainted ... not permitted", for instance ``"file name"``.
    Raises TaintError for a tainted value.
    """
    if isinstance(value, Tainted):
        raise TaintError(f"Tainted {use} {quoted(value)} not permitted")
    return value


def quoted(value: str, limit: int = 100) -> str:
    """Return the value in quotes, printable and cut, for a log line or an error."""
    text = "".join(
        character if character.isprintable() else f"\\x{ord(character):02x}"
        for character in value[:limit].encode("utf-8", "replace").decode("utf-8")
    )
    return f'"{text}{"..." if len(value) > limit else ""}"'
