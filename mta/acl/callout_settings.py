"""The argument of ``callout`` in a verification: limits, cache, sender, postmaster."""

from __future__ import annotations

from typing import Any

from mta.address import NULL_PATH, Address, parse_address
from mta.callout import Callout, CalloutSender
from mta.options import parse_interval

_LIMITS = {"connect": "connect_limit", "maxwait": "total_limit"}
_WORDS: dict[str, dict[str, Any]] = {
    "defer_ok": {"defers_ok": True},
    "no_cache": {"uses_cache": False},
    "random": {"random": True},
    "postmaster": {"postmaster": True, "postmaster_sender": NULL_PATH},
    "fullpostmaster": {
        "postmaster": True,
        "full_postmaster": True,
        "postmaster_sender": NULL_PATH,
    },
}
_SENDERS = {
    "use_sender": CalloutSender.MESSAGE,
    "use_postmaster": CalloutSender.POSTMASTER,
}
_UNSUPPORTED = ("hold", "use_tptsender")
# The value of these may come from anywhere: it is parsed as an address.
ADDRESS_WORDS = ("mailfrom", "postmaster_mailfrom")


class CalloutDraft:
    """A callout that is being read, one parameter after the other.

    ``what`` is the kind of verification that it belongs to.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._settings: dict[str, Any] = {}

    def take(self, text: str) -> None:
        """Take a parameter as it is written; raise ValueError."""
        name, equals, value = text.partition("=")
        name, value = name.strip().lower(), value.strip()
        if not name and not equals:
            return
        if name in _UNSUPPORTED:
            raise ValueError(f'callout: "{name}" is not supported')
        if equals:
            self._take_value(name, value)
        elif name in _WORDS:
            self._settings.update(_WORDS[name])
        elif name in _SENDERS:
            self._take_sender(name)
        elif name in _LIMITS or name in ADDRESS_WORDS:
            raise ValueError(f'callout: a value is missing behind "{name}="')
        elif name[0].isdigit():
            self._settings["response_limit"] = _limit(name)
        else:
            raise ValueError(f'callout: unknown parameter "{name}"')

    def finished(self) -> Callout:
        """Return the callout."""
        return Callout(**self._settings)

    def _take_value(self, name: str, value: str) -> None:
        if name in _LIMITS:
            self._settings[_LIMITS[name]] = _limit(value)
        elif name == "mailfrom":
            if self._what != "header_sender":
                raise ValueError('callout: "mailfrom" is for "header_sender" alone')
            self._settings["sender"] = CalloutSender.GIVEN
            self._settings["given_sender"] = _address(value)
        elif name == "postmaster_mailfrom":
            self._settings["postmaster"] = True
            self._settings["postmaster_sender"] = _address(value)
        elif name in _WORDS or name in _SENDERS:
            raise ValueError(f'callout: "{name}" takes no value')
        else:
            raise ValueError(f'callout: unknown parameter "{name}"')

    def _take_sender(self, name: str) -> None:
        if self._what != "recipient":
            raise ValueError(f'callout: "{name}" is for "recipient" alone')
        sender = _SENDERS[name]
        if self._settings.get("sender", sender) is not sender:
            raise ValueError('callout: only one of "use_sender" and "use_postmaster"')
        self._settings["sender"] = sender


def _limit(text: str) -> float:
    seconds = parse_interval(text)
    if not seconds:
        raise ValueError(f'callout: "{text}" leaves no time')
    return float(seconds)


def _address(text: str) -> Address:
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    return parse_address(text) if text else NULL_PATH
