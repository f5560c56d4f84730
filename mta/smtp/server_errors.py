"""What went wrong in a session: counted against limits, remembered until DATA."""

from __future__ import annotations

from mta.smtp import server_replies as replies
from mta.smtp.reply import Reply
from mta.smtp.server_replies import OwnReply, own
from mta.smtp.server_verbs import VERBS, SessionRules, Verb

_FREE_ONCE = frozenset(verb.name for verb in VERBS.values() if verb.first_is_free)
_FREE_PER_MESSAGE = _FREE_ONCE - {"AUTH"}


class Patience:
    """How much nonsense a client may still talk (Exim chapter 14)."""

    __slots__ = ("_errors", "_free", "_nonmail", "_rules", "_unknown")

    def __init__(self, rules: SessionRules) -> None:
        self._rules = rules
        self._errors = self._nonmail = self._unknown = 0
        self._free = _FREE_ONCE

    def ends_with_unknown(self) -> bool:
        """Count an unknown command; true if it is one too many."""
        self._unknown += 1
        return self._unknown > self._rules.maximum_unknown

    def ends_with_error(self) -> bool:
        """Count an error of syntax or sequence; true if it is one too many."""
        self._errors += 1
        return self._errors > self._rules.maximum_errors

    def ends_with_nonmail(self, verb: Verb) -> bool:
        """Count a command that moves no mail; true if it is one too many."""
        if verb.name in self._free:
            self._free -= {verb.name}
            return False
        self._nonmail += 1
        return self._nonmail > self._rules.maximum_nonmail

    def begin_message(self) -> None:
        """Let RSET and its like be free once more."""
        self._free |= _FREE_PER_MESSAGE

    def begin_tls(self) -> None:
        """Let one EHLO and one AUTH be free inside TLS."""
        self._free |= {"EHLO", "HELO", "AUTH"}


class Refusals:
    """What was refused in the transaction, so that DATA can say it again.

    Commands that were pipelined behind a refused one are no errors.
    """

    __slots__ = ("_differ", "_text", "some")

    def __init__(self) -> None:
        self.some = False
        self._text = ""
        self._differ = False

    def note(self, recipient_reply: bytes = b"") -> None:
        """Remember that MAIL, or RCPT with this reply, was refused."""
        text = recipient_reply.decode("utf-8", "surrogateescape").rstrip("\r\n")
        self._differ = self._differ or (self._text not in ("", text))
        self._text = self._text or text
        self.some = True

    def without_recipient(self, verb: str) -> OwnReply:
        """Return the reply to DATA or BDAT where no recipient was accepted."""
        last = replies.NO_RECIPIENT.format(verb=verb)
        if not self._text or self._differ:
            return own(503, "5.5.1", last)
        lines = self._text.replace("\r\n", "\n")
        return own(503, "5.5.1", f"{replies.ALL_REFUSED}\n{lines}\n{last}")


def with_last_line(reply: OwnReply) -> OwnReply:
    """Return the reply to the error that is one too many."""
    lines = (*reply.reply.lines, replies.TOO_MANY_ERRORS)
    return own(reply.code, reply.status, "\n".join(Reply(reply.code, lines).lines))
