"""A refusal as the client reads it and as the logs tell it (Exim chapter 43)."""

from __future__ import annotations

from mta.acl.log_text import host_and_ident, tls_fields
from mta.acl.modifiers import write_to
from mta.acl.registry import Phase
from mta.acl.replies import reply_lines, split_code
from mta.acl.run import ACLOutcome, ACLRun, ACLVerdict
from mta.interfaces import ILogs
from mta.log import printable
from mta.message import Message
from mta.reception.transaction import Transaction
from mta.smtp.reply import Reply

PROHIBITION = "Administrative prohibition"
LOCAL_PROBLEM = "Temporary local problem - please try later"
ARGUMENT_LIMIT = 100

DENY_CODES = {Phase.AUTH: 503, Phase.VRFY: 252, Phase.ETRN: 458}
_WITH_SENDER = Phase.RCPT | Phase.DATA
_FAILURE_TITLES = {
    "mail": "Callback setup failed while verifying",
    "postmaster": "Postmaster verification failed while checking",
}
_FIELD_LETTERS = {
    "received": "P",
    "from": "F",
    "to": "T",
    "cc": "C",
    "bcc": "B",
    "sender": "S",
    "reply-to": "R",
    "message-id": "I",
}


def coded_reply(
    default: int, text: str, logs: ILogs, *, any_class: bool = False
) -> Reply:
    """Return a reply of an ACL's message, which may begin with codes.

    A code whose class is another one than the default's is not used.
    """
    code, status, rest = split_code(text)
    if code and not any_class and code // 100 != default // 100:
        logs.panic(
            "configured error code starts with incorrect digit "
            f'(expected {default // 100}) in "{text}"'
        )
        code, status = 0, ""
    lines = reply_lines(rest)
    if status:
        lines = tuple(f"{status} {line}" for line in lines)
    return Reply(code or default, lines)


def refusal(verdict: ACLVerdict, run: ACLRun, transaction: Transaction) -> Reply:
    """Return the reply to a command that an ACL refuses."""
    denied = verdict.outcome in (ACLOutcome.DENY, ACLOutcome.DROP)
    if denied:
        default = DENY_CODES.get(run.phase, 550)
        text = verdict.message or PROHIBITION
    else:
        default = 451
        shown = verdict.show_details and verdict.outcome is ACLOutcome.DEFER
        text = verdict.message if shown and verdict.message else LOCAL_PROBLEM
    reply = coded_reply(default, text, run.logs, any_class=run.phase is Phase.VRFY)
    lines = (*sender_failure_lines(transaction, run, denied), *reply.lines)
    if not transaction.controls.multiline_replies:
        lines = reply.lines[:1]
    return Reply(reply.code, lines)


def sender_failure_lines(
    transaction: Transaction, run: ACLRun, denied: bool
) -> tuple[str, ...]:
    """Return why the sender could not be verified, once; and log it."""
    failure = transaction.sender_failure
    if failure is None or failure.told:
        return ()
    failure.told = True
    if not denied or run.logs.selects("sender_verify_fail"):
        reason = f": {failure.log_text}" if failure.log_text else ""
        client = host_and_ident(run.subject.connection, run.logs)
        outcome = "defer" if failure.deferred else "fail"
        run.logs.reject(
            f"{client} sender verify {outcome} for <{failure.address}>{reason}",
            run.message_id,
        )
    if not failure.user_text:
        return ()
    if not denied:
        shown = run.return_error_details
        return reply_lines(failure.user_text) if shown else ()
    title = _FAILURE_TITLES.get(failure.failure, "Verification failed for")
    return (f"{title} <{failure.address}>", *reply_lines(failure.user_text))


def log_refusal(verdict: ACLVerdict, run: ACLRun) -> None:
    """Write the line of a refused command to the logs that are to have it."""
    if run.phase is Phase.CONNECT and not run.logs.selects("connection_reject"):
        return
    connection, logs = run.subject.connection, run.logs
    temporarily = verdict.outcome in (ACLOutcome.DEFER, ACLOutcome.ERROR)
    text = (
        f"{host_and_ident(connection, logs)}{tls_fields(connection, logs)} "
        f"{_sender_fields(run)}{'temporarily ' if temporarily else ''}"
        f"rejected {_what(run)}{first_line(verdict.log_message)}"
    )
    detail = ""
    if run.phase is Phase.DATA and logs.selects("rejected_header"):
        detail = rejected_content(run.subject.message)
    write_to(run, run.log_targets, text, detail)


def first_line(log_message: str) -> str:
    """Return a log message as it ends a line, empty where there is none."""
    return ": " + log_message.partition("\n")[0] if log_message else ""


def _sender_fields(run: ACLRun) -> str:
    message = run.subject.message
    if not run.phase & _WITH_SENDER or message is None:
        return ""
    connection = run.subject.connection
    text = f"F=<{message.sender.text}> "
    if connection.authenticator:
        text += f"A={connection.authenticator}"
        if connection.authenticated_id:
            text += f":{connection.authenticated_id}"
        text += " "
    return text


def _what(run: ACLRun) -> str:
    """Return what is refused: a command with its argument, a connection, a message."""
    if run.phase is Phase.CONNECT:
        return 'connection in "connect" ACL'
    if run.phase is Phase.PREDATA:
        return "DATA"
    if run.phase is Phase.DATA:
        return "after DATA"
    argument = command_argument(run.subject.connection.command_argument)
    if run.phase is Phase.AUTH:
        argument = argument.partition(" ")[0]
    return f"{run.phase.title} {argument}".rstrip()


def command_argument(argument: str) -> str:
    """Return a command's argument as typed, cut, and without TO: or FROM:."""
    head, colon, rest = argument.partition(":")
    if colon and head.strip().upper() in ("TO", "FROM"):
        argument = rest.strip()
    return argument[:ARGUMENT_LIMIT]


def rejected_content(message: Message | None) -> str:
    """Return envelope and header section as the reject log has them."""
    if message is None:
        return ""
    lines = [f"Envelope-from: <{message.sender.text}>"]
    for number, recipient in enumerate(message.recipients):
        start = "    " if number else "Envelope-to: "
        lines.append(f"{start}<{recipient.address.text}>")
    for field in message.header.fields:
        text = field.content.decode("utf-8", "surrogateescape").rstrip("\r\n")
        letter = _FIELD_LETTERS.get(field.name.lower(), " ")
        lines.append(f"{letter} {text}")
    parts = "\n".join(lines).replace("\r\n", "\n").split("\n")
    return "".join(f"{printable(part)}\n" for part in parts)
