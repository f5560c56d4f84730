"""The client's side of an SMTP or LMTP session, without input and output.

Methods that send return the octets to write; ``receive`` takes what came back.
(RFC 5321; RFC 2033, LMTP; RFC 2920, pipelining; RFC 3030, BDAT.)
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from mta.errors import LocalProtocolError
from mta.smtp.capabilities import NOTHING, Capabilities, parse_capabilities
from mta.smtp.reply import Reply
from mta.smtp.reply_parser import ReplyParser


class State(Enum):
    """How far a session has come, by what was sent and answered."""

    CONNECTED = "the greeting is awaited"
    GREETED = "EHLO may come"
    READY = "a transaction may begin"
    SECURING = "STARTTLS was sent"
    ENVELOPE = "a transaction is open"
    CONTENT = "content is being sent"
    ENDING = "the content is complete"
    LEAVING = "QUIT was sent"


# What may be sent in which state, and the state that it leads to.
SENDING = {
    (State.GREETED, "EHLO"): State.GREETED,
    (State.GREETED, "HELO"): State.GREETED,
    (State.GREETED, "LHLO"): State.GREETED,
    (State.READY, "STARTTLS"): State.SECURING,
    (State.READY, "RSET"): State.READY,
    (State.READY, "MAIL"): State.ENVELOPE,
    (State.ENVELOPE, "RCPT"): State.ENVELOPE,
    (State.ENVELOPE, "RSET"): State.READY,
    (State.ENVELOPE, "DATA"): State.CONTENT,
    (State.ENVELOPE, "BDAT"): State.CONTENT,
    (State.ENVELOPE, "BDAT LAST"): State.ENDING,
    (State.CONTENT, "BDAT"): State.CONTENT,
    (State.CONTENT, "BDAT LAST"): State.ENDING,
    (State.CONTENT, "."): State.ENDING,
    (State.GREETED, "QUIT"): State.LEAVING,
    (State.READY, "QUIT"): State.LEAVING,
    (State.ENVELOPE, "QUIT"): State.LEAVING,
}

# What a reply does to the state: (verb, it is positive) to the new state.
REPLIES = {
    ("GREETING", True): State.GREETED,
    ("EHLO", True): State.READY,
    ("HELO", True): State.READY,
    ("LHLO", True): State.READY,
    ("STARTTLS", False): State.READY,
    ("DATA", False): State.ENVELOPE,
    ("BDAT", False): State.ENVELOPE,
    ("BDAT LAST", True): State.READY,
    # A refused BDAT leaves the transaction open (RFC 3030, section 2).
    ("BDAT LAST", False): State.ENVELOPE,
    (".", True): State.READY,
    (".", False): State.READY,
}


class ClientSession:
    """One session: its state, what the server offers, and the replies awaited.

    ``awaited`` holds ``(verb, text)`` of each command that has no reply yet; the
    text names it in errors.  ``answered`` holds the replies, in the order of the
    commands, until ``take`` takes them.  ``early`` is a refusal that came while content was
    being sent; the session is of no more use then.
    """

    __slots__ = (
        "_parser",
        "answered",
        "awaited",
        "capabilities",
        "early",
        "is_lmtp",
        "state",
    )

    def __init__(self, *, is_lmtp: bool = False) -> None:
        self.is_lmtp = is_lmtp
        self.state = State.CONNECTED
        self.capabilities: Capabilities = NOTHING
        self.awaited: deque[tuple[str, str]] = deque(
            [("GREETING", "initial connection")]
        )
        self.answered: list[Reply] = []
        self.early: Reply | None = None
        self._parser = ReplyParser()

    @property
    def malformed(self) -> str:
        """The line that was no reply, or that nobody had asked for; else empty."""
        return self._parser.malformed

    @property
    def has_leftovers(self) -> bool:
        """True where octets came that belong to no awaited reply."""
        return not self._parser.is_empty

    def send(self, verb: str, text: str = "", *, shown: str = "") -> bytes:
        """Return the octets of a command line, its reply awaited from now on.

        ``text`` is the whole line (the verb alone by default), ``shown`` what names
        it in errors.  Raises LocalProtocolError where it may not be sent.
        """
        state = SENDING.get((self.state, verb))
        if state is None:
            raise LocalProtocolError(f"{verb} may not be sent in state {self.state}")
        text = text or verb
        if "\r" in text or "\n" in text or "\0" in text:
            raise LocalProtocolError(f"a line end inside the {verb} command")
        self.state = state
        self.awaited.append((verb, shown or text))
        return text.encode("utf-8", "surrogateescape") + b"\r\n"

    def end_content(self, replies: int = 1) -> bytes:
        """Return the final dot; LMTP gives a reply for each accepted recipient."""
        self.state = SENDING[self.state, "."]
        self.awaited.extend([(".", "end of data")] * replies)
        return b".\r\n"

    def send_chunk(self, size: int, *, last: bool, replies: int = 1) -> bytes:
        """Return the BDAT command for so many octets, which are to follow it."""
        if not last:
            return self.send("BDAT", f"BDAT {size}")
        octets = self.send("BDAT LAST", f"BDAT {size} LAST", shown="end of data")
        self.awaited.extend([("BDAT LAST", "end of data")] * (replies - 1))
        return octets

    def hello(self, name: str, *, esmtp: bool = True) -> bytes:
        """Return EHLO (or HELO, or LHLO in an LMTP session)."""
        verb = "LHLO" if self.is_lmtp else "EHLO" if esmtp else "HELO"
        return self.send(verb, f"{verb} {name}")

    def secured(self) -> None:
        """Begin anew inside TLS (RFC 3207, section 4.2).

        Octets that came in clear after the reply to STARTTLS are an injection:
        raises LocalProtocolError, since the caller must look for them first.
        """
        if self.has_leftovers or self.awaited:
            raise LocalProtocolError("clear text is left over")
        self.state = State.GREETED
        self.capabilities = NOTHING

    def receive(self, octets: bytes) -> None:
        """Match what the server sent with the commands that await a reply."""
        awaited = self.awaited
        for reply in self._parser.receive(octets):
            if not awaited:
                if self.state is State.CONTENT and reply.code >= 400:
                    # The server gives up before the end of the content.
                    self.early = reply
                else:
                    self._parser.malformed = str(reply)
                return
            verb = awaited.popleft()[0]
            positive = reply.code < 400 and (verb != "DATA" or reply.code >= 300)
            state = REPLIES.get((verb, positive))
            if state is not None and self.state is not State.LEAVING:
                self.state = state
            if positive and verb in ("EHLO", "LHLO"):
                self.capabilities = parse_capabilities(reply)
            self.answered.append(reply)

    def take(self) -> list[Reply]:
        """Return the replies since the last call."""
        answered, self.answered = self.answered, []
        return answered
