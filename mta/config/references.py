"""Names that one part of a configuration uses and another must define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mta.config.configuration import Configuration
from mta.config.known import suggestion
from mta.config.section import Problems
from mta.options import Configurable, Setting

_TRANSPORTS = (
    "transport",
    "pipe_transport",
    "file_transport",
    "directory_transport",
    "reply_transport",
)
_VERBS = frozenset("accept defer deny discard drop require warn".split())


def check_references(configuration: Configuration, problems: Problems) -> None:
    """Add an error for every constant name that stands for nothing."""
    routers = list(configuration.routers)
    for name, router in configuration.routers.items():
        for setting in _constants(router, _TRANSPORTS):
            _check(setting, "transport", configuration.transports, problems)
        for setting in _constants(router, ("pass_router",)):
            if _check(setting, "router", routers, problems):
                _check_later(setting, name, routers, problems)
        for setting in _constants(router, ("redirect_router",)):
            _check(setting, "router", routers, problems)
    for group in configuration.groups.values():
        names = [name for name in group.settings if name.startswith("acl_")]
        for setting in _constants(group, names):
            if _is_acl_name(setting.text):
                _check(setting, "ACL", configuration.acls, problems)


def _constants(subject: Configurable, names: Iterable[str]) -> Iterator[Setting]:
    settings: dict[str, list[Setting]] = getattr(subject, "settings", {})
    for name in names:
        for setting in settings.get(name, ()):
            if setting.text and "$" not in setting.text:
                yield setting


def _is_acl_name(text: str) -> bool:
    # Anything else is a file or the text of an ACL (Exim section 43.4).
    return not text.startswith("/") and len(text.split()) == 1 and text not in _VERBS


def _check(
    setting: Setting, kind: str, known: Iterable[str], problems: Problems
) -> bool:
    name = setting.text.strip()
    names = list(known)
    if name in names:
        return True
    problems.add(
        setting.source.error(f'unknown {kind} "{name}"{suggestion(name, names)}')
    )
    return False


def _check_later(
    setting: Setting, name: str, routers: list[Any], problems: Problems
) -> None:
    target = setting.text.strip()
    if routers.index(target) <= routers.index(name):
        problems.add(
            setting.source.error(f'router "{target}" must come after "{name}"')
        )
