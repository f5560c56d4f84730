"""The states of a server session, and the events that it yields.

``TRANSITIONS`` says which verb is understood in which state, and which state
follows when it is accepted; a pair that is absent is a command out of sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from mta.smtp.command import MailParameters, RecipientParameters


class State(Enum):
    """How far a session has come."""

    # Each member is the only one of its value; Enum's own hash is a slow function.
    __hash__ = object.__hash__

    CONNECTED = "the greeting has not been sent"
    GREETED = "no HELO or EHLO was accepted"
    READY = "no transaction"
    SENDER = "MAIL was accepted"
    RECIPIENTS = "RCPT was accepted"
    CONTENT = "content is arriving"
    CHUNKS = "a chunk is complete, but not the last"
    CHUNKS_REFUSED = "the chunks cannot become a message"
    CHALLENGED = "a response to an AUTH challenge is awaited"
    CLOSED = "nothing more is read"


def _moves(state: State, always: str, **moves: State) -> dict[str, State]:
    """Return a row of the table; the verbs of ``always`` leave the state as it is."""
    return {**dict.fromkeys(always.split(), state), **moves}


_G, _R, _S, _T = State.GREETED, State.READY, State.SENDER, State.RECIPIENTS
_B, _F, _C, _X = State.CHUNKS, State.CHUNKS_REFUSED, State.CONTENT, State.CLOSED
_HELLO = {"HELO": _R, "EHLO": _R, "STARTTLS": _G}
_ASK = "NOOP HELP VRFY EXPN"

TRANSITIONS: Mapping[State, Mapping[str, State]] = {
    State.CONNECTED: {},
    _G: _moves(_G, f"{_ASK} ETRN RSET AUTH", **_HELLO, MAIL=_S, QUIT=_X),
    _R: _moves(_R, f"{_ASK} ETRN RSET AUTH", **_HELLO, MAIL=_S, QUIT=_X),
    _S: _moves(_S, _ASK, **_HELLO, RCPT=_T, RSET=_R, QUIT=_X),
    _T: _moves(_T, f"{_ASK} RCPT", **_HELLO, DATA=_C, BDAT=_C, RSET=_R, QUIT=_X),
    _B: _moves(_B, "NOOP", BDAT=_C, RSET=_R, QUIT=_X),
    _F: _moves(_F, "NOOP", RSET=_R, QUIT=_X),
    State.CONTENT: {},
    State.CHALLENGED: {},
    State.CLOSED: {},
}


class HelloReceived(NamedTuple):
    """HELO or EHLO, with a name that fits the syntax."""

    verb: str
    name: str


class MailReceived(NamedTuple):
    """MAIL begins a transaction."""

    parameters: MailParameters


class RecipientReceived(NamedTuple):
    """RCPT names one recipient."""

    parameters: RecipientParameters


class DataRequested(NamedTuple):
    """DATA: content follows if it is accepted."""


class ContentBegun(NamedTuple):
    """The first BDAT was understood: content follows, nothing is asked."""


class ContentReceived(NamedTuple):
    """Content, canonical; the last piece awaits the verdict on the message."""

    octets: bytes
    is_end: bool


class ResetReceived(NamedTuple):
    """RSET gives up the transaction."""


class QueryReceived(NamedTuple):
    """VRFY, EXPN or ETRN with its argument."""

    verb: str
    argument: str


class TLSRequested(NamedTuple):
    """STARTTLS: the handshake begins if it is accepted."""


class AuthenticationRequested(NamedTuple):
    """AUTH with a mechanism that was advertised; None where no response came along."""

    mechanism: str
    response: bytes | None


class ResponseReceived(NamedTuple):
    """A line that answers a challenge."""

    response: bytes


class QuitReceived(NamedTuple):
    """QUIT ends the session."""


class ErrorNoted(NamedTuple):
    """The peer broke the rules and was told; ``selector`` names the log selector."""

    selector: str
    command: bytes
    text: str


class Dropped(NamedTuple):
    """The last reply is out and the session is over.

    ``reason`` is a word of ``$smtp_notquit_reason``, ``text`` for the log.
    ``pending`` are the octets that came too early, where that was the reason.
    """

    reason: str
    text: str
    command: bytes
    pending: bytes = b""


Event = (
    HelloReceived
    | MailReceived
    | RecipientReceived
    | DataRequested
    | ContentBegun
    | ContentReceived
    | ResetReceived
    | QueryReceived
    | TLSRequested
    | AuthenticationRequested
    | ResponseReceived
    | QuitReceived
    | ErrorNoted
    | Dropped
)
