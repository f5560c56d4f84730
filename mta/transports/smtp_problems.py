"""What a failure at a remote host means for host, message and recipients.

(Exim chapter 48, "Errors in outgoing SMTP"; chapter 32 for the names.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from errno import ECONNREFUSED, ETIMEDOUT
from typing import TYPE_CHECKING

from mta.host import Host
from mta.smtp.reply import Reply

if TYPE_CHECKING:
    from mta.smtp.client_failure import SessionFailure

# Exim's numbers for what no errno says.
SMTP_CLOSED = -18
SMTP_FORMAT = -19
UNKNOWN_HOST = -32
DNS_DEFER = -36
TLS_FAILURE = -37
TLS_REQUIRED = -38
CONNECT_TIMEOUT = -43
RCPT_4XX = -44
MAIL_4XX = -45
DATA_4XX = -46
UTF8_FORWARD = -49
HOST_IS_LOCAL = -50
HOST_RETRY = -54


class Scope(Enum):
    """Whom a failure concerns, and so which hint is kept."""

    HOST = "the host: other messages need not try it either"
    MESSAGE = "this message at this host"
    DEMAND = "this message at this host, which no waiting mends: no hint is kept"
    RECIPIENT = "one recipient"
    PERMANENT = "the addresses: they fail for good"


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure, as outcomes, logs and retry rules name it.

    ``number``, ``name`` and ``report_text`` are those of ``mta.recipient.Outcome``.
    ``log_text`` is for the line about the host, where an errno needs words.
    ``is_ours`` says that the fault is in our own files.
    """

    scope: Scope
    text: str
    number: int = 0
    name: str = ""
    status: str = ""
    reply: str = ""
    words: str = ""
    report_text: str = ""
    is_ours: bool = False

    @property
    def log_text(self) -> str:
        """What stands behind ``H=name [address]`` in the line about the host."""
        if not self.words:
            return f": {self.text}"
        if self.text in ("", self.words):
            return f" {self.words}"
        return f": {self.text}: {self.words}"


def session_problem(
    failure: SessionFailure, host: Host, *, pipelined: bool = False
) -> Problem:
    """Return what the end of a session means for all that was not settled before."""
    kind = failure.trouble.name
    if kind == "CONNECT":
        return _connect_problem(failure, host)
    if kind == "TLS":
        return tls_problem(f"TLS session: {failure.text}")
    if kind == "REFUSED":
        assert failure.reply is not None
        return refusal(failure.reply, failure.verb, failure.command)
    command = failure.command
    if pipelined and failure.verb in ("MAIL", "RCPT", "DATA"):
        command = f"pipelined {command}"
    after_end = failure.verb in (".", "BDAT LAST")
    if kind == "TIMEOUT":
        return Problem(
            Scope.MESSAGE if after_end or failure.verb == "MAIL" else Scope.HOST,
            f"SMTP timeout after {command}",
            ETIMEDOUT,
            f"timeout{_suffix(host)}",
            "4.4.2",
            words="Connection timed out",
        )
    scope = Scope.MESSAGE if after_end else Scope.HOST
    if kind == "LOST":
        text = f"Remote host closed connection in response to {command}"
        return Problem(scope, text, SMTP_CLOSED, "lost_connection", "4.4.2")
    text = f"Malformed SMTP reply in response to {command}: {failure.text}"
    return Problem(scope, text, SMTP_FORMAT, "", "4.5.0")


def _connect_problem(failure: SessionFailure, host: Host) -> Problem:
    if failure.number == ETIMEDOUT:
        name, number = f"timeout_connect{_suffix(host)}", CONNECT_TIMEOUT
        return Problem(
            Scope.HOST, failure.text, number, name, "4.4.1", words=failure.text
        )
    name = f"refused{_suffix(host)}" if failure.number == ECONNREFUSED else ""
    if failure.number > 0:
        return Problem(
            Scope.HOST, "", failure.number, name, "4.4.1", words=failure.text
        )
    return Problem(Scope.HOST, failure.text, -1, name, "4.4.1")


def tls_problem(text: str, number: int = TLS_FAILURE, report_text: str = "") -> Problem:
    """Return the problem of a host with which TLS does not come about."""
    return Problem(
        Scope.HOST, text, number, "tls_required", "4.7.5", report_text=report_text
    )


def refusal(
    reply: Reply, verb: str, command: str, *, pipelined: bool = False
) -> Problem:
    """Return what a reply other than the hoped-for one means."""
    if pipelined and verb in ("MAIL", "DATA"):
        command = f"pipelined {command}"
    said = str(reply)
    text = f"SMTP error from remote mail server after {command}: {said}"
    status = reply.enhanced_status
    if reply.code >= 500:
        return Problem(Scope.PERMANENT, text, 0, "", status or "5.0.0", said)
    status = status or "4.0.0"
    if verb == "RCPT":
        name = f"rcpt_{reply.code}"
        return Problem(Scope.RECIPIENT, text, RCPT_4XX, name, status, said)
    if verb == "MAIL":
        name = f"mail_{reply.code}"
        return Problem(Scope.MESSAGE, text, MAIL_4XX, name, status, said)
    if verb in ("DATA", "BDAT", "BDAT LAST", "."):
        name = f"data_{reply.code}"
        return Problem(Scope.MESSAGE, text, DATA_4XX, name, status, said)
    return Problem(Scope.HOST, text, 0, "", status, said)


def _suffix(host: Host) -> str:
    return "_MX" if host.preference >= 0 else "_A"
