"""What ``-bP`` shows of a configuration (Exim section 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mta.config.configuration import LIST_KINDS, Configuration
from mta.config.settings import is_boolean
from mta.config.values import parse_assignment
from mta.errors import ConfigurationError
from mta.options import Configurable, Option, format_interval

HIDDEN = "<value not displayable>"
KINDS = ("router", "transport", "authenticator")


def describe(
    configuration: Configuration,
    names: list[str],
    *,
    is_admin: bool = True,
    values_only: bool = False,
) -> list[str]:
    """Return the lines that answer ``-bP`` with these arguments.

    Raises ConfigurationError with the text to print where a name is unknown.
    """
    view = _View(configuration, is_admin, values_only)
    if not names:
        return list(view.main_options())
    if names[0] in (*KINDS, "macro"):
        if len(names) < 2:
            raise ConfigurationError(f"{names[0]} name missing")
        return [line for name in names[1:] for line in view.named(names[0], name)]
    return [line for name in names for line in view.one(name)]


class _View:
    """A configuration as one caller may see it."""

    def __init__(
        self, configuration: Configuration, is_admin: bool, values_only: bool
    ) -> None:
        self._configuration = configuration
        self._is_admin = is_admin
        self._values_only = values_only

    def main_options(self) -> Iterator[str]:
        """Give every main option, in the order of the names."""
        shown = {
            name: (group, option)
            for group in self._configuration.groups.values()
            for name, option in group.options().items()
        }
        for _, (group, option) in sorted(shown.items()):
            yield from self._option(group, option)

    def one(self, name: str) -> Iterator[str]:
        """Give what an argument that stands alone asks for."""
        if name.startswith("+"):
            return self._list(name[1:])
        for kind in KINDS:
            if name == f"{kind}_list":
                return iter(self._configuration.instances(kind))
            if name == f"{kind}s":
                return self._instances(kind)
        if name == "macros":
            return iter([f"{k}={v}" for k, v in self._configuration.macros.items()])
        if name == "config":
            return self._lines()
        if name in ("config_file", "configure_file"):
            return iter([self._configuration.path])
        return self._main_option(name)

    def named(self, kind: str, name: str) -> Iterator[str]:
        """Give one macro or one driver instance."""
        if kind == "macro":
            if name not in self._configuration.macros:
                raise ConfigurationError(f"macro {name} not found")
            text = self._configuration.macros[name]
            return iter([text if self._values_only else f"{name}={text}"])
        instance = self._configuration.instances(kind).get(name)
        if instance is None:
            raise ConfigurationError(f"{kind} {name} not found")
        return self._instance(instance)

    def _instances(self, kind: str) -> Iterator[str]:
        for name, instance in self._configuration.instances(kind).items():
            yield ""
            yield f"{name} {kind}:"
            yield from self._instance(instance)

    def _instance(self, instance: Any) -> Iterator[str]:
        driver = getattr(type(instance), "extension_name", "")
        yield driver if self._values_only else f"driver = {driver}"
        for option in instance.options().values():
            yield from self._option(instance, option)

    def _main_option(self, name: str) -> Iterator[str]:
        for group in self._configuration.groups.values():
            option = group.option_names().get(name)
            if option is not None:
                return self._option(group, option)
        raise ConfigurationError(f"{name} is not a known option")

    def _option(self, owner: Configurable, option: Option[Any]) -> Iterator[str]:
        settings = owner.settings.get(option.name, [])
        if any(setting.hidden for setting in settings) and not self._is_admin:
            yield HIDDEN if self._values_only else f"{option.name} = {HIDDEN}"
            return
        if option.repeats:
            texts = [setting.text for setting in settings] or [""]
        else:
            texts = [settings[-1].text if settings else option.default or ""]
        for text in texts:
            yield self._shown(option, text, owner)

    def _shown(self, option: Option[Any], text: str, owner: Configurable) -> str:
        if is_boolean(option) and text.lower() in ("true", "yes", "false", "no", ""):
            is_on = text.lower() in ("true", "yes")
            if self._values_only:
                return "true" if is_on else "false"
            return option.name if is_on else f"no_{option.name}"
        value = getattr(owner, option.name)
        if option.type.name == "time" and isinstance(value, int):
            text = format_interval(value)
        elif option.type.name == "octal integer" and isinstance(value, int):
            text = f"0{value:o}"
        return text if self._values_only else f"{option.name} = {text}"

    def _list(self, name: str) -> Iterator[str]:
        found = False
        for keyword, kind in LIST_KINDS.items():
            setting = self._configuration.list_settings[kind].get(name)
            if setting is None:
                continue
            found = True
            hidden = setting.hidden and not self._is_admin
            text = HIDDEN if hidden else setting.text
            yield text if self._values_only else f"{keyword} {name} = {text}"
        if not found:
            raise ConfigurationError(f"no list called {name} was found")

    def _lines(self) -> Iterator[str]:
        for line in self._configuration.lines:
            if line.text.startswith("hide ") and not self._is_admin:
                try:
                    name = parse_assignment(line).name
                except ConfigurationError:  # a named list
                    name = " ".join(line.text.partition("=")[0].split()[1:])
                yield f"hide {name} = {HIDDEN}"
            else:
                yield line.text
