"""Write the reference manual from docstrings and option declarations.

``python -m mta.reference DIRECTORY`` writes it, ``python -m mta.reference operators``
prints one part.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mta import acl, lookups, routers, transports
from mta.assembly import SiteOptions
from mta.expand import conditions, items, operators, variables
from mta.interfaces import (
    ICondition,
    IControl,
    IExpansionCondition,
    IItem,
    ILookup,
    IModifier,
    IOperator,
    IRouter,
    ITransport,
    IVariable,
)
from mta.options import Configurable, Option
from mta.plugins import find
from mta.resolution import DNSOptions
from mta.routers.base import Router
from mta.supported import all_groups
from mta.transports.base import Transport


def main_options() -> str:
    """Return the page of main options."""
    lines = _title("Main options", "=")
    groups: list[type[Configurable]] = [SiteOptions, DNSOptions, *all_groups()]
    for group in groups:
        lines += _title(_sentence(group).rstrip("."), "-")
        lines += _options(group.options().values())
    return "\n".join(lines)


def _drivers(
    title: str, interface: Any, package: Any, generic: type[Configurable]
) -> str:
    lines = [*_title(title, "="), *_title("Generic options", "-")]
    shared = generic.options()
    lines += _options(shared.values())
    for name, driver in find(interface, package).items():
        lines += [*_title(name, "-"), inspect.getdoc(driver) or "", ""]
        own = [o for n, o in driver.options().items() if n not in shared]
        lines += _options(own) or ["It has no options of its own.", ""]
    return "\n".join(lines)


def router_options() -> str:
    """Return the page of routers."""
    return _drivers("Routers", IRouter, routers, Router)


def transport_options() -> str:
    """Return the page of transports."""
    return _drivers("Transports", ITransport, transports, Transport)


def _extensions(title: str, interface: Any, package: Any, sign: str = "") -> str:
    lines = _title(title, "=")
    for name, extension in find(interface, package).items():
        lines += [f"``{sign}{name}``", f"    {_sentence(extension)}", ""]
    return "\n".join(lines)


_PAGES: dict[str, Callable[[], str]] = {
    "main": main_options,
    "routers": router_options,
    "transports": transport_options,
    "lookups": lambda: _extensions("Look-ups", ILookup, lookups),
    "operators": lambda: _extensions("Expansion operators", IOperator, operators),
    "items": lambda: _extensions("Expansion items", IItem, items),
    "conditions": lambda: _extensions(
        "Expansion conditions", IExpansionCondition, conditions
    ),
    "variables": lambda: _extensions(
        "Expansion variables", IVariable, variables, sign="$"
    ),
    "acl_conditions": lambda: _extensions("ACL conditions", ICondition, acl),
    "acl_modifiers": lambda: _extensions("ACL modifiers", IModifier, acl),
    "acl_controls": lambda: _extensions("ACL controls", IControl, acl),
}


def pages() -> Iterator[tuple[str, str]]:
    """Give every page of the manual: file name and text."""
    index = [*_title("Reference", "="), ".. toctree::", ""]
    index += [f"   {name}" for name in _PAGES]
    yield "index.rst", "\n".join(index) + "\n"
    for name, page in _PAGES.items():
        yield f"{name}.rst", page().rstrip("\n") + "\n"


def _title(text: str, rule: str) -> list[str]:
    return [text, rule * len(text), ""]


def _sentence(thing: Any) -> str:
    text = inspect.getdoc(thing) or ""
    return (
        " ".join(text.split("\n\n")[0].split()).replace("*", "\\*").replace("|", "\\|")
    )


def _options(options: Iterable[Option[Any]]) -> list[str]:
    lines = []
    for option in options:
        default = "unset" if option.default is None else f"``{option.default}``"
        if option.default == "":
            default = "empty"
        heading = f"``{option.name}`` ({option.type.name}, {default}"
        if option.repeats:
            heading += ", may be repeated"
        if option.aliases:
            heading += f", also called {', '.join(option.aliases)}"
        sentence = option.sentence.replace("*", "\\*")
        lines += [f"{heading})", f"    {sentence}", ""]
    return lines


def write(directory: Path) -> None:
    """Write every page into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (directory / name).write_text(text, "utf-8")


def main(words: list[str]) -> int:
    """Do what the command line asks."""
    if words in (["--help"], ["-h"]):
        print(__doc__, end="")
        return 0
    if len(words) != 1 or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 1
    if words[0] in _PAGES:
        print(_PAGES[words[0]](), end="")
    else:
        write(Path(words[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
