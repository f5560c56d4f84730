"""Modules that are loaded when they are first needed, which spares start-up time.

A daemon that gives up its privileges loads them before: the user that it becomes need
not be able to read them, as where Python stands in root's home.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules

_PACKAGES = ("dns", "delivery", "lookups", "ocsp", "smtp", "tls", "transports")
# What Python itself and the libraries load when it is first asked for.
_OTHERS = (
    "crypt",
    "ctypes",
    "encodings.idna",
    "grp",
    "hmac",
    "idna",
    "json",
    "mta.hints",
    "pwd",
    "twisted.internet.threads",
)


def load_the_rest() -> None:
    """Load what would be loaded later."""
    for name in _OTHERS:
        with suppress(ImportError):
            # Not every Python has all of them; whoever needs one tells.
            import_module(name)
    for name in _PACKAGES:
        package = import_module(f"mta.{name}")
        for module in iter_modules(package.__path__):
            import_module(f"mta.{name}.{module.name}")
