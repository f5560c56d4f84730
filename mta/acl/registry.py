"""Conditions, modifiers and controls: how they are declared, and when they may be
used (Exim chapter 43)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag, auto
from typing import Any, TypeVar

from mta.expand.option_types import Expanded
from mta.interfaces import ICondition, IControl, IModifier
from mta.options import OptionType
from mta.plugins import extension

F = TypeVar("F", bound=Callable[..., Any])


class Phase(Flag):
    """The moments at which an ACL is run (Exim chapter 43, section 2).

    EXPANSION is ``${acl{...}}`` outside of any other ACL.
    """

    # Each member is the only one of its value; Flag's own hash is a slow function.
    __hash__ = object.__hash__

    CONNECT = auto()
    HELO = auto()
    STARTTLS = auto()
    AUTH = auto()
    MAIL = auto()
    MAILAUTH = auto()
    RCPT = auto()
    PREDATA = auto()
    DATA = auto()
    VRFY = auto()
    EXPN = auto()
    ETRN = auto()
    QUIT = auto()
    NOTQUIT = auto()
    NOT_SMTP_START = auto()
    NOT_SMTP = auto()
    EXPANSION = auto()

    @staticmethod
    def every() -> Phase:
        """Return all phases."""
        return ~Phase(0)

    @property
    def title(self) -> str:
        """The phase's name in logs and errors."""
        return _TITLES.get(self, str(self.name))

    @property
    def has_envelope(self) -> Phase:
        """The phase, where the envelope's sender is known; else nothing."""
        return self & _ENVELOPE


_TITLES = {
    Phase.CONNECT: "connection",
    Phase.HELO: "EHLO or HELO",
    Phase.NOT_SMTP_START: "non-SMTP-start",
    Phase.NOT_SMTP: "non-SMTP",
    Phase.EXPANSION: "expansion",
}
_ENVELOPE = Phase.MAIL | Phase.RCPT | Phase.PREDATA | Phase.DATA | Phase.NOT_SMTP

# Phases that concern the message in hand.
MESSAGE = _ENVELOPE
SMTP = ~(Phase.NOT_SMTP | Phase.NOT_SMTP_START | Phase.EXPANSION)
AFTER_SENDER = MESSAGE | Phase.EXPANSION

_condition = extension(ICondition)
_modifier = extension(IModifier)
_control = extension(IControl)


def condition(
    name: str,
    *,
    phases: Phase | None = None,
    argument: OptionType[Any] = Expanded,
) -> Callable[[F], F]:
    """Declare ``async (run, value) -> bool`` as the ACL condition of a name.

    ``argument`` parses what stands behind the equals sign when the configuration is
    read; ``value`` is the result.  In a phase that is not among ``phases`` the
    condition is an error.
    """
    return _condition(name, phases=phases or Phase.every(), argument=argument)


def modifier(
    name: str,
    *,
    phases: Phase | None = None,
    argument: OptionType[Any] = Expanded,
) -> Callable[[F], F]:
    """Declare ``async (run, value) -> None`` as the ACL modifier of a name."""
    return _modifier(name, phases=phases or Phase.every(), argument=argument)


def no_options(text: str) -> str:
    """Refuse everything behind the name of a control that has no options."""
    if text:
        raise ValueError("it takes no options")
    return text


def control(
    name: str,
    *,
    phases: Phase | None = None,
    options: Callable[[str], Any] = no_options,
) -> Callable[[F], F]:
    """Declare ``(run, options) -> None`` as the control of a name.

    ``options`` parses what follows the name, its slash included; it raises
    ValueError.
    """
    return _control(name, phases=phases or Phase.every(), options=options)
