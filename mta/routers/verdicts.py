"""What a router can say of an address (Exim chapter 15)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mta.errors import TemporaryFailure
from mta.recipient import RoutedAddress


class Verdict(Enum):
    """What a router says of an address."""

    ACCEPT = "accept"
    DECLINE = "decline"
    PASS = "pass"
    FAIL = "fail"
    DEFER = "defer"
    DISCARD = "discard"
    REDIRECT = "redirect"
    SKIP = "skip"
    REROUTE = "reroute"


class Purpose(Enum):
    """Why an address is routed."""

    DELIVERY = "delivery"
    VERIFY_SENDER = "verify sender"
    VERIFY_RECIPIENT = "verify recipient"
    ADDRESS_TEST = "address test"
    EXPN = "expn"


@dataclass(slots=True)
class Decision:
    """A verdict and what goes with it.

    ACCEPT: the address itself has been given ``hosts`` and ``transport``.
    REDIRECT: ``children`` take its place.  REROUTE: the one child starts anew with
    another domain (``self = reroute``).  FAIL, DEFER: ``text`` says why;
    ``user_text`` is True where the administrator wrote it (``:fail:``), so that a
    peer may read it, and ``code`` an SMTP reply code with it.  ``freeze`` freezes
    the message with a DEFER.  ``error`` and ``error_name`` are as in
    ``mta.recipient.Outcome``.
    """

    verdict: Verdict
    text: str = ""
    children: list[RoutedAddress] = field(default_factory=list)
    user_text: bool = False
    code: str = ""
    freeze: bool = False
    error: int = 0
    error_name: str = ""


def deferral(error: TemporaryFailure) -> Decision:
    """Return the decision to try again that a failure means."""
    return Decision(Verdict.DEFER, error.log_text, error=error.facts.get("error", -1))
