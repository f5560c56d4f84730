"""One message's way through a client session, without input and output.

``begin`` gives the first octets; each time that no reply is awaited any more,
``proceed`` gives the next ones, until it gives none.  Then either the content is
wanted (``wants_content``) or the transaction is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mta.smtp.client_session import ClientSession, State
from mta.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class EnvelopeRecipient:
    """A recipient as RCPT names it; ``original`` is the value of ORCPT, in xtext."""

    address: str
    notify: tuple[str, ...] = ()
    original: str = ""


@dataclass(slots=True)
class Envelope:
    """What MAIL and RCPT are to say; the server's keywords decide what they do.

    ``size`` is the declared size, 0 for none.  ``authenticated_sender`` is the
    value of AUTH, None for none and empty for ``<>``.
    """

    sender: str
    recipients: Sequence[EnvelopeRecipient]
    size: int = 0
    body_type: str = ""
    smtputf8: bool = False
    dsn_return: str = ""
    envelope_id: str = ""
    authenticated_sender: str | None = None
    ignore_quota: bool = False
    requiretls: bool = False


_RSET = -1
_MAIL = -2
_DATA = -3
_END = -4
_CHUNK = -5


class ClientTransaction:
    """What was sent for one message, and what the server answered.

    ``mail``, ``content_start`` (to DATA) and ``recipients`` (in the envelope's
    order) are None where no reply came.  ``final`` are the replies to the end of
    the content: one, or in LMTP one for each accepted recipient.
    """

    __slots__ = (
        "_sent",
        "content_start",
        "end_is_sent",
        "envelope",
        "final",
        "mail",
        "recipients",
        "refused_chunk",
        "session",
        "uses_chunks",
        "uses_pipelining",
        "wants_content",
    )

    def __init__(
        self,
        session: ClientSession,
        envelope: Envelope,
        *,
        pipelining: bool = True,
        chunking: bool = True,
    ) -> None:
        offered = session.capabilities.keywords
        self.session = session
        self.envelope = envelope
        self.uses_pipelining = pipelining and "PIPELINING" in offered
        self.uses_chunks = chunking and "CHUNKING" in offered
        self.mail: Reply | None = None
        self.recipients: list[Reply | None] = [None] * len(envelope.recipients)
        self.content_start: Reply | None = None
        self.refused_chunk: Reply | None = None
        self.final: list[Reply] = []
        self.wants_content = False
        self.end_is_sent = False
        self._sent: list[int] = []

    @property
    def mail_text(self) -> str:
        """The MAIL command, as errors name it."""
        return mail_command(self.envelope, self.session)

    @property
    def accepted(self) -> list[int]:
        """The places of the recipients that the server accepted."""
        if self.mail is None or self.mail.code >= 300:
            return []
        return [
            place
            for place, reply in enumerate(self.recipients)
            if reply is not None and reply.code < 300
        ]

    def begin(self, content: bytes | None = None) -> bytes:
        """Return the first commands: all of them where pipelining allows it.

        ``content`` is the whole of it, ready for BDAT; where that can be sent
        together with the commands, it is (``end_is_sent``).
        """
        octets = b""
        if self.session.state is State.ENVELOPE:
            octets = self._send(_RSET, "RSET")
            if not self.uses_pipelining:
                return octets
        octets += self._mail()
        if not self.uses_pipelining:
            return octets
        places = range(len(self.recipients))
        parts = [octets, *[self._rcpt(place) for place in places]]
        if not self.uses_chunks:
            parts.append(self._send(_DATA, "DATA"))
        elif content is not None and not self.session.is_lmtp:
            # LMTP owes as many replies as recipients are accepted: wait for these.
            parts.append(self._last_chunk(content, 1))
        return b"".join(parts)

    def proceed(self) -> bytes:
        """Take the replies; return the next commands, or nothing."""
        last = self._sent[-1] if self._sent else _END
        self.collect()
        if last == _RSET:
            return self._mail()
        if last == _MAIL:
            assert self.mail is not None
            wants_more = self.mail.code < 300 and self.recipients
            return self._rcpt(0) if wants_more else b""
        if last >= 0 and last + 1 < len(self.recipients):
            return self._rcpt(last + 1)
        if last >= 0 and self.accepted:
            if not self.uses_chunks:
                return self._send(_DATA, "DATA")
            self.wants_content = True
        elif last == _DATA and self.session.state is State.CONTENT:
            if self.accepted:
                self.wants_content = True
            else:
                # The server waits for content though it took no recipient (RFC
                # 2920, section 3.1); it gets none.
                return self.end()
        return b""

    def collect(self) -> None:
        """Put the replies that came where they belong."""
        for reply in self.session.take():
            place = self._sent.pop(0)
            if place >= 0:
                self.recipients[place] = reply
            elif place == _MAIL:
                self.mail = reply
            elif place == _DATA:
                self.content_start = reply
            elif place == _END:
                self.final.append(reply)
            elif place == _CHUNK and reply.code >= 300 and not self.refused_chunk:
                self.refused_chunk = reply

    def chunk(self, octets: bytes) -> bytes:
        """Return BDAT with a piece of the content that is not its last."""
        self._sent.append(_CHUNK)
        return self.session.send_chunk(len(octets), last=False) + octets

    def last_chunk(self, octets: bytes) -> bytes:
        """Return BDAT with the last piece of the content."""
        replies = len(self.accepted) if self.session.is_lmtp else 1
        return self._last_chunk(octets, replies)

    def _last_chunk(self, octets: bytes, replies: int) -> bytes:
        self._expect_end(replies)
        command = self.session.send_chunk(len(octets), last=True, replies=replies)
        return command + octets

    def end(self) -> bytes:
        """Return the dot that ends the content."""
        replies = len(self.accepted) if self.session.is_lmtp else 1
        self._expect_end(replies)
        return self.session.end_content(replies)

    def _expect_end(self, replies: int) -> None:
        self._sent.extend([_END] * replies)
        self.wants_content = False
        self.end_is_sent = True

    def _send(self, place: int, verb: str, text: str = "") -> bytes:
        octets = self.session.send(verb, text)
        self._sent.append(place)
        return octets

    def _mail(self) -> bytes:
        return self._send(_MAIL, "MAIL", mail_command(self.envelope, self.session))

    def _rcpt(self, place: int) -> bytes:
        recipient = self.envelope.recipients[place]
        text = f"RCPT TO:<{recipient.address}>"
        if "DSN" in self.session.capabilities.keywords:
            if recipient.notify:
                text += f" NOTIFY={','.join(recipient.notify)}"
            if recipient.original:
                text += f" ORCPT={recipient.original}"
        if (
            self.envelope.ignore_quota
            and "IGNOREQUOTA" in self.session.capabilities.keywords
        ):
            text += " IGNOREQUOTA"
        return self._send(place, "RCPT", text)


def mail_command(envelope: Envelope, session: ClientSession) -> str:
    """Return the MAIL command with the parameters that the server understands."""
    offered = session.capabilities.keywords
    text = f"MAIL FROM:<{envelope.sender}>"
    if envelope.size and "SIZE" in offered:
        text += f" SIZE={envelope.size}"
    if envelope.body_type and "8BITMIME" in offered:
        text += f" BODY={envelope.body_type}"
    if envelope.smtputf8 and "SMTPUTF8" in offered:
        text += " SMTPUTF8"
    if envelope.requiretls and "REQUIRETLS" in offered:
        text += " REQUIRETLS"
    if "DSN" in offered:
        if envelope.dsn_return:
            text += f" RET={envelope.dsn_return}"
        if envelope.envelope_id:
            text += f" ENVID={envelope.envelope_id}"
    if envelope.authenticated_sender is not None and "AUTH" in offered:
        text += f" AUTH={xtext(envelope.authenticated_sender) or '<>'}"
    return text


def xtext(text: str) -> str:
    """Return the text in xtext (RFC 3461, section 4): other octets as ``+XX``."""
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}"
        for octet in octets
    )
