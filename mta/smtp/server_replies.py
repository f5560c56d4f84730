"""What a server says of its own accord (Exim's texts), with and without the
enhanced status code of RFC 3463 that RFC 2034 puts before a text."""

from __future__ import annotations

from typing import NamedTuple

from mta.smtp.reply import Reply


class OwnReply(NamedTuple):
    """A reply whose octets are ready, plain and with an enhanced status code."""

    code: int
    status: str
    reply: Reply
    plain: bytes
    enhanced: bytes

    def octets(self, enhanced: bool) -> bytes:
        """Return what goes out."""
        return self.enhanced if enhanced else self.plain


def own(code: int, status: str, text: str) -> OwnReply:
    """Return a reply of ours; an empty status stands for one that has none."""
    reply = Reply(code, tuple(text.split("\n")))
    return OwnReply(
        code, status, reply, reply.encode(), with_status(reply, status).encode()
    )


def with_status(reply: Reply, status: str) -> Reply:
    """Return the reply with a status code on each line, unless it has one.

    The status is given for the usual outcome of the command; its class follows the
    reply's code.
    """
    kind = reply.code // 100
    if not status or kind not in (2, 4, 5) or reply.enhanced_status:
        return reply
    prefix = f"{kind}{status[1:]} " if kind == int(status[0]) else f"{kind}.0.0 "
    return Reply(reply.code, tuple(prefix + line for line in reply.lines))


OK = own(250, "2.0.0", "OK")
SENDER_OK = own(250, "2.1.0", "OK")
ACCEPTED = own(250, "2.1.5", "Accepted")
RESET_OK = own(250, "2.0.0", "Reset OK")
START_MESSAGE = own(354, "", 'Enter message, ending with "." on a line by itself')
START_TLS = own(220, "2.0.0", "TLS go ahead")
PROHIBITED = own(550, "5.7.1", "Administrative prohibition")
CANNOT_VERIFY = own(252, "2.7.0", "Administrative prohibition")
ETRN_REFUSED = own(458, "4.7.0", "Administrative prohibition")

NO_PROXY_HEADER = own(
    503, "5.5.1", "Command refused, required Proxy negotiation failed"
)
UNRECOGNIZED = own(500, "5.5.1", "unrecognized command")
TOO_MANY_UNRECOGNIZED = own(500, "5.5.1", "Too many unrecognized commands")
TOO_MANY_NONMAIL = own(554, "5.5.1", "Too many nonmail commands")
NOT_SYNCHRONIZED = own(554, "5.5.0", "SMTP synchronization error")
BARE_LINE_END = own(500, "5.5.2", "Lines must end with CRLF")
ENDLESS_LINE = own(500, "5.5.2", "Line too long")
UNEXPECTED_ARGUMENT = own(501, "5.5.4", "unexpected argument data")
NUL_IN_COMMAND = own(501, "5.5.2", "NUL characters are not allowed in SMTP commands")
BAD_HELO = "Syntactically invalid {verb} argument(s)"
HELO_REQUIRED = own(503, "5.5.1", "HELO or EHLO required")
SENDER_GIVEN = own(503, "5.5.1", "sender already given")
SENDER_NOT_GIVEN = own(503, "5.5.1", "sender not yet given")
TOO_MANY_RECIPIENTS = own(452, "4.5.3", "too many recipients")
TOO_MANY_RECIPIENTS_REJECTED = own(552, "5.5.3", "too many recipients")
MESSAGE_HAS_TOO_MANY = own(554, "5.5.3", "Too many recipients")
NO_RECIPIENT = "Valid RCPT command must precede {verb}"
ALL_REFUSED = "All RCPT commands were rejected with this error:"
TOO_BIG = own(552, "5.3.4", "Message size exceeds maximum permitted")
HEADER_NOT_CANONICAL = own(552, "5.6.0", "Message header not CRLF terminated")

NO_CHUNKING = own(503, "5.5.1", "BDAT command used when CHUNKING not advertised")
ONLY_BDAT = own(503, "5.5.1", "only BDAT permissible after non-LAST BDAT")
ONLY_RSET = own(503, "5.5.1", "only RSET accepted now")

NO_STARTTLS = own(503, "5.5.1", "STARTTLS command used when not advertised")
ALREADY_IN_TLS = own(554, "5.5.1", "Already in TLS")
TLS_UNAVAILABLE = own(454, "4.7.0", "TLS currently unavailable")

NO_AUTH = own(503, "5.5.1", "AUTH command used when not advertised")
ALREADY_AUTHENTICATED = own(503, "5.5.1", "already authenticated")
AUTH_IN_TRANSACTION = own(503, "5.5.1", "not permitted in mail transaction")
AUTH_CANCELLED = own(501, "5.7.0", "Authentication cancelled")
AUTH_NEEDS_MECHANISM = own(501, "5.5.4", "Syntactically invalid AUTH argument(s)")

AUTHENTICATED = own(235, "2.7.0", "Authentication succeeded")
NOT_AUTHENTICATED = own(535, "5.7.8", "Incorrect authentication data")
BAD_BASE64 = own(501, "5.5.2", "Invalid base64 data")
ETRN_ARGUMENT = own(501, "5.5.4", "argument must begin with #")
ETRN_IN_TRANSACTION = own(503, "5.5.1", "ETRN is not permitted inside a transaction")
OUT_OF_SEQUENCE = {
    "MAIL": SENDER_GIVEN,
    "RCPT": SENDER_NOT_GIVEN,
    "AUTH": AUTH_IN_TRANSACTION,
    "ETRN": ETRN_IN_TRANSACTION,
}
LOCAL_PROBLEM = own(421, "4.3.0", "Temporary local problem - please try later")
TEMPORARY_PROBLEM = own(451, "4.3.0", "Temporary local problem - please try later")
TOO_MANY_ERRORS = "Too many syntax or protocol errors"
