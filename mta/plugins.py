"""Extensions: how one is declared, and how those of a kind are found.

Built-in extensions are the modules of a package (``mta/routers/accept.py``);
somebody else's are the same files in a ``twisted/plugins/`` folder of theirs.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from types import ModuleType
from typing import Any, TypeVar

from zope.interface import alsoProvides, directlyProvides
from zope.interface.interface import InterfaceClass

from mta.errors import ConfigurationError

T = TypeVar("T")


def extension(
    interface: InterfaceClass,
) -> Callable[..., Callable[[T], T]]:
    """Return the decorator that declares extensions of one kind.

    The decorator takes the name that a configuration uses, and facts that become
    attributes of the extension.
    """

    def declare(name: str, **facts: Any) -> Callable[[T], T]:
        def mark(extension: T) -> T:
            for fact, value in {"extension_name": name, **facts}.items():
                setattr(extension, fact, value)
            directlyProvides(extension, interface)
            if (plugin := sys.modules.get("twisted.plugin")) is not None:
                alsoProvides(extension, plugin.IPlugin)
            return extension

        return mark

    return declare


def find(interface: InterfaceClass, package: ModuleType) -> dict[str, Any]:
    """Return every extension of a kind, by name, in the order of the names.

    Raises ConfigurationError where two extensions have one name.
    """
    found: dict[str, Any] = {}
    for candidate in chain(_built_in(interface, package), _elsewhere(interface)):
        name = candidate.extension_name
        if found.setdefault(name, candidate) is not candidate:
            raise ConfigurationError(f"two extensions are called {name!r}")
    return dict(sorted(found.items()))


def find_one(interface: InterfaceClass, package: ModuleType, name: str) -> Any:
    """Return the extension of a name, importing no other built-in module.

    For drivers, whose module has the driver's name.  None where there is none.
    """
    if name.isidentifier() and name != "base":
        full_name = f"{package.__name__}.{name}"
        if importlib.util.find_spec(full_name) is not None:
            for candidate in _in_module(interface, importlib.import_module(full_name)):
                if candidate.extension_name == name:
                    return candidate
    return find(interface, package).get(name)


def _built_in(interface: InterfaceClass, package: ModuleType) -> Iterator[Any]:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield from _in_module(interface, importlib.import_module(module.name))


def _elsewhere(interface: InterfaceClass) -> Iterator[Any]:
    if _has_plugins_of_others():
        from twisted.plugin import getPlugins  # noqa: PLC0415 - start-up time

        yield from getPlugins(interface)  # type: ignore[arg-type]


# Twisted's plugins, and ours that tell twistd of services.
_WITHOUT_EXTENSIONS = ("twisted_", "cred_", "__", "mta_plugin.", "mta_ocsp_plugin.")


@cache
def _has_plugins_of_others() -> bool:
    """Return whether a ``twisted/plugins`` folder holds what is neither Twisted's
    nor ours.

    Looking costs nothing, while Twisted's own search takes a fifth of a second.
    """
    for path in sys.path:
        try:
            names = os.listdir(os.path.join(path or ".", "twisted", "plugins"))
        except OSError:
            continue
        for name in names:
            is_ours = name.startswith(_WITHOUT_EXTENSIONS)
            if name.endswith((".py", ".pyc")) and not is_ours:
                return True
    return False


def _in_module(interface: InterfaceClass, module: ModuleType) -> Iterator[Any]:
    for value in list(vars(module).values()):
        own = getattr(value, "__module__", None) == module.__name__
        if own and hasattr(value, "extension_name") and provides(interface, value):
            yield value


def provides(interface: InterfaceClass, value: Any) -> bool:
    """Return whether a value was declared as an extension of a kind."""
    return bool(interface.providedBy(value))
