"""What is said in a callout, once the session has begun, and what answers mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from mta.smtp.client_failure import SessionFailure, Trouble
from mta.smtp.reply import Reply

if TYPE_CHECKING:
    from mta.smtp.client import SMTPClient


@dataclass(frozen=True, slots=True)
class Question:
    """What one host is asked, in the words of the wire.

    ``random_recipient`` is empty where nobody wants to know; ``postmasters`` are
    tried in order after the recipient, until one is accepted.  ``needs_utf8`` says
    that one of the addresses is not ASCII (RFC 6531).
    """

    recipient: str
    sender: str = ""
    random_recipient: str = ""
    postmasters: tuple[str, ...] = ()
    postmaster_sender: str = ""
    needs_utf8: bool = False


class Fact(Enum):
    """What a dialogue can find out for good, or for now."""

    NULL_SENDER = "the null sender is refused"
    RANDOM = "every local part is accepted"
    ADDRESS = "the address is accepted"
    POSTMASTER = "the postmaster is accepted"


class SessionSpoiled(Exception):
    """The host talks no more, since it was asked for a local part that is not there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host makes of a question.

    ``outcome`` is ``"ok"``, ``"fail"`` or ``"defer"``, ``failure`` the word of
    ``$recipient_verify_failure``.  ``command`` and ``reply`` decided it; where there
    is no reply, ``text`` tells why.
    """

    outcome: str
    failure: str = ""
    command: str = ""
    reply: str = ""
    text: str = ""


async def converse(
    client: SMTPClient, question: Question, note: Callable[[Fact, bool], None]
) -> Answer:
    """Ask on a connection that has said EHLO, and note the facts that come out.

    Raises SessionSpoiled, and SessionFailure where the session ends.
    """
    return await _Dialogue(client, question, note).run()


class _Dialogue:
    def __init__(
        self, client: SMTPClient, question: Question, note: Callable[[Fact, bool], None]
    ) -> None:
        self._client = client
        self._question = question
        self._note = note

    async def run(self) -> Answer:
        """Return the answer."""
        question = self._question
        offered = self._client.session.capabilities.keywords
        if question.needs_utf8 and "SMTPUTF8" not in offered:
            text = "SMTPUTF8 is needed, but the host does not offer it"
            return Answer("fail", "mail", text=text)
        command, reply = await self._mail(question.sender)
        if reply.is_permanent and not question.sender:
            self._note(Fact.NULL_SENDER, True)
        if reply.code >= 300:
            return _unless_accepted(reply, "mail", command)
        if question.random_recipient and await self._takes_random():
            return Answer("ok", "random")
        command, reply = await self._rcpt(question.recipient)
        if reply.code < 300 or reply.is_permanent:
            self._note(Fact.ADDRESS, reply.code < 300)
        if reply.code < 300 and question.postmasters:
            return await self._ask_for_postmaster()
        return _unless_accepted(reply, "recipient", command)

    async def _takes_random(self) -> bool:
        """Return whether every local part is accepted.

        Raises SessionSpoiled where another MAIL is of no use after that.
        """
        try:
            _, reply = await self._rcpt(self._question.random_recipient)
            if reply.code < 300:
                self._note(Fact.RANDOM, True)
                return True
            if reply.is_permanent:
                self._note(Fact.RANDOM, False)
            reset = await self._client.ask("RSET")
            _, mail = await self._mail(self._question.sender)
        except SessionFailure as failure:
            if failure.trouble is Trouble.LOST:
                raise SessionSpoiled from failure
            raise
        if reset.code >= 300 or mail.code >= 300:
            raise SessionSpoiled
        return False

    async def _ask_for_postmaster(self) -> Answer:
        reset = await self._client.ask("RSET")
        if reset.code >= 300:
            return _deferred(reset, "RSET")
        command, reply = await self._mail(self._question.postmaster_sender)
        if reply.code < 300:
            for recipient in self._question.postmasters:
                command, reply = await self._rcpt(recipient)
                if reply.code < 300 or not reply.is_permanent:
                    break
            if reply.code < 300 or reply.is_permanent:
                self._note(Fact.POSTMASTER, reply.code < 300)
        return _unless_accepted(reply, "postmaster", command)

    async def _mail(self, sender: str) -> tuple[str, Reply]:
        command = f"MAIL FROM:<{sender}>"
        if self._question.needs_utf8:
            command += " SMTPUTF8"
        return command, await self._client.ask("MAIL", command)

    async def _rcpt(self, recipient: str) -> tuple[str, Reply]:
        command = f"RCPT TO:<{recipient}>"
        return command, await self._client.ask("RCPT", command)


def _unless_accepted(reply: Reply, word: str, command: str) -> Answer:
    if reply.code < 300:
        return Answer("ok", command=command, reply=str(reply))
    if reply.is_permanent:
        return Answer("fail", word, command, str(reply))
    return _deferred(reply, command)


def _deferred(reply: Reply, command: str) -> Answer:
    return Answer("defer", command=command, reply=str(reply))
