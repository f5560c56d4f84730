"""A small program's options and drivers, to read configurations with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.config.configuration import Configuration, Drivers
from mta.config.sections import read_configuration
from mta.errors import ConfigurationErrors
from mta.expand.option_types import Expanded
from mta.options import (
    Boolean,
    Configurable,
    Integer,
    Interval,
    OctalInteger,
    Option,
    RepeatedOption,
    Source,
    String,
)
from mta.testing import PlainLanguage


class NameOptions(Configurable):
    """Main options of one part."""

    primary_hostname = Option(String, None, "A name.")
    acl_smtp_rcpt = Option(Expanded, None, "An ACL.")
    accept_8bitmime = Option(Boolean, "true", "A switch.")


class LimitOptions(Configurable):
    """Main options of another part."""

    receive_timeout = Option(Interval, "5m", "A time.")
    recipients_max = Option(Integer, "50K", "A number.", aliases=("rcpt_max",))


class ExampleRouter(Configurable):
    """A driver with the options that the tests use."""

    extension_name = "accept"

    condition = RepeatedOption(String, "A condition.")
    transport = Option(Expanded, None, "A transport.")
    pass_router = Option(String, None, "A router.")
    redirect_router = Option(String, None, "A router.")
    more = Option(Boolean, "true", "A switch.")
    first = Option(Integer, None, "One of two.")
    second = Option(Integer, None, "The other.")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.first is not None and self.second is not None:
            raise self.source.error("first and second cannot both be set")


class ExampleTransport(Configurable):
    """Another driver."""

    extension_name = "appendfile"

    mode = Option(OctalInteger, "0600", "A mode.")
    file = Option(Expanded, None, "A file.")


class LinesOfACLs:
    """Keeps the lines of ACLs; refuses the line "bad"."""

    def parse(self, name: str, lines: list[tuple[str, Source]]) -> list[str]:
        """Return the texts of the lines."""
        for text, source in lines:
            if text == "bad":
                raise source.error("this line is bad")
        return [text for text, _ in lines]


def drivers(**classes: type[Configurable]) -> Drivers:
    """Return drivers by name."""
    return Drivers(classes.get, lambda: classes)


class ConfigurationCase(SynchronousTestCase):
    """Reads configurations that a test writes."""

    def read(self, text: str, macros: Mapping[str, str] | None = None) -> Configuration:
        """Return what a configuration with this text says."""
        self.path = os.path.abspath(self.mktemp())
        with open(self.path, "w") as file:
            file.write(text)
        return read_configuration(
            [self.path],
            macros=macros or {},
            language=PlainLanguage(),
            acl_language=LinesOfACLs(),
            main_groups=[NameOptions, LimitOptions],
            drivers={
                "router": drivers(accept=ExampleRouter),
                "transport": drivers(appendfile=ExampleTransport),
            },
            built_in_macros={"_HAVE_X": "y"},
            check_permissions=False,
        )

    def errors(self, text: str) -> list[str]:
        """Return the errors that a configuration gives, as ``line: text``."""
        found = self.assertRaises(ConfigurationErrors, self.read, text)
        return [f"{error.line}: {error.text}" for error in found.errors]
