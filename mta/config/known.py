"""What this program knows: names for errors, and the built-in macros."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping

from mta.config.exim_options import EXIM_DRIVERS, EXIM_OPTIONS


def unknown_option(
    name: str, known: Iterable[str], sections: tuple[str, ...], where: str
) -> str:
    """Return the error text for an option that nothing declares.

    ``sections`` are the parts of Exim's manual that an option may be in: ``main``,
    or ``routers`` and a driver's name.
    """
    bare = name.removeprefix("no_").removeprefix("not_")
    known = list(known)
    if bare in known:
        return f'option "{bare}" is not a switch and cannot be negated'
    for section in sections:
        exims = EXIM_OPTIONS.get(section, "").split()
        if name in exims or bare in exims:
            return f'option "{bare}" is known to Exim but not supported here'
    return f'unknown option "{name}" {where}{suggestion(name, known)}'


def unknown_driver(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the error text for a driver that does not exist."""
    names = sorted(known)
    if name in EXIM_DRIVERS.get(kind, "").split():
        text = f'{kind} driver "{name}" is known to Exim but not supported here'
    else:
        text = f'unknown {kind} "{name}"'
    return f"{text}; known: {', '.join(names) or 'none'}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` where a known name is close, else nothing."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f'; did you mean "{close[0]}"?' if close else ""


_PREFIXES = ("_HAVE_", "_OPT_", "_DRIVER_", "_EXP_", "_ACL_", "_LOG_", "_LKUP_")


class BuiltInMacros(Mapping[str, str]):
    """The macros that tell a configuration what is supported, and others.

    ``names`` is called when a line asks for one of these, since collecting every
    driver's options takes longer than reading most configurations; ``others`` are
    names with their values.
    """

    def __init__(
        self,
        names: Callable[[], Iterable[str]],
        others: Mapping[str, str] | None = None,
    ) -> None:
        self._names = names
        self._others = dict(others or {})
        self._macros: dict[str, str] | None = None

    def _filled(self) -> dict[str, str]:
        if self._macros is None:
            names = dict.fromkeys(sorted(self._names()), "y")
            self._macros = {**names, **self._others}
        return self._macros

    def __getitem__(self, name: str) -> str:
        if name in self._others:
            return self._others[name]
        if not name.startswith(_PREFIXES):
            raise KeyError(name)
        return self._filled()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._filled())

    def __len__(self) -> int:
        return len(self._filled())


def feature_macros(features: Iterable[str]) -> Iterator[str]:
    """Give ``_HAVE_x`` for each feature, such as ``TLS`` or ``TLS_OCSP``."""
    for feature in features:
        yield f"_HAVE_{feature.upper()}"


def language_macros(prefix: str, names: Iterable[str]) -> Iterator[str]:
    """Give macros for names under a prefix: ``EXP_COND``, ``ACL_MOD``, ``LOG`` ..."""
    for name in names:
        yield f"_{prefix}_{name.upper()}"


def main_macros(names: Iterable[str]) -> Iterator[str]:
    """Give ``_OPT_MAIN_x`` for each main option."""
    return language_macros("OPT_MAIN", names)


def driver_macros(
    kind: str,
    generic: Iterable[str],
    drivers: Mapping[str, Iterable[str]],
) -> Iterator[str]:
    """Give the macros of one kind of driver: drivers, generic and private options.

    ``drivers`` holds every option name that a driver answers to, by driver.
    """
    shared = set(generic) | {"driver"}
    upper = kind.upper()
    yield from language_macros(f"OPT_{upper}S", shared)
    for driver, names in drivers.items():
        yield f"_DRIVER_{upper}_{driver.upper()}"
        yield from language_macros(f"OPT_{upper}_{driver.upper()}", set(names) - shared)
