"""List, show, freeze, thaw, change and remove what waits in the queue."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from mta.address import NULL_PATH, Address, AddressError, parse_address
from mta.assembly import Assembly, login_name
from mta.commands.arguments import Arguments, Mode
from mta.commands.caller import identify_caller
from mta.errors import SpoolError
from mta.log import printable
from mta.message import Message, Recipient
from mta.spool.desk import ClaimedMessage, MessageLocked, MessageMissing, QueueDesk
from mta.spool.listing import QueueEntry
from mta.taint import is_tainted


def open_desk(assembly: Assembly) -> QueueDesk:
    """Return the queue of a configuration."""
    return QueueDesk(os.path.join(assembly.spool, "queue"))


def list_queue(assembly: Assembly, arguments: Arguments) -> int:
    """Print the queue as ``mailq`` does: age, size, id, sender, recipients.

    Without further letters it says behind a recipient why it still waits; programs that
    read listings ask with letters.
    """
    entries = open_desk(assembly).entries()
    flags = arguments.list_flags
    for pattern in arguments.operands:
        entries = [entry for entry in entries if _matches(entry, pattern)]
    now = time.time()
    for entry in entries:
        if "i" in flags:
            print(entry.message_id)
            continue
        print(_heading(entry, now))
        for address, done in entry.recipients:
            if not done:
                reason = "" if flags else entry.reasons.get(address, "")
                reason = f"  ({printable(reason)})" if reason else ""
                print(f"          {address}{reason}")
            elif "u" not in flags:
                print(f"        D {address}")
        print()
    return 0


def _matches(entry: QueueEntry, pattern: str) -> bool:
    texts = [entry.message_id, entry.sender, *(r for r, _ in entry.recipients)]
    return any(pattern.lower() in text.lower() for text in texts)


def _heading(entry: QueueEntry, now: float) -> str:
    age = max(0, int(now - entry.received_at)) // 60
    unit = "m"
    if age > 90:
        age, unit = (age + 30) // 60, "h"
        if age > 72:
            age, unit = (age + 12) // 24, "d"
    line = f"{age:2d}{unit} {_size(entry.size)} {entry.message_id} <{entry.sender}>"
    if entry.problem:
        line += f" *** broken: {entry.problem} ***"
    elif entry.frozen:
        line += " *** frozen ***"
    return line


def _size(octets: int) -> str:
    if octets < 1024:
        return f"{octets:5d}"
    for unit in ("K", "M"):
        value = octets / 1024
        if value < 10:
            return f"{value:4.1f}{unit}"
        if value < 1024 or unit == "M":
            return f"{int(value + 0.5):4d}{unit}"
        octets //= 1024
    return f"{octets:5d}"


def count_queue(assembly: Assembly, arguments: Arguments) -> int:
    """Print the number of messages in the queue."""
    print(open_desk(assembly).counts().messages)
    return 0


def change_messages(assembly: Assembly, arguments: Arguments) -> int:
    """Do what an ``-M`` option asks with each message that is named.

    Returns 1 where it could not be done with one of them.
    """
    desk = open_desk(assembly)
    mode = arguments.mode
    message_ids, values = arguments.operands, []
    if mode in _WITH_VALUES:
        message_ids, values = arguments.operands[:1], arguments.operands[1:]
    status = 0
    for message_id in message_ids:
        status = max(status, _change(assembly, desk, mode, message_id, values))
    return status


_Change = Callable[[Assembly, ClaimedMessage, list[str]], str]


def _change(
    assembly: Assembly, desk: QueueDesk, mode: Mode, message_id: str, values: list[str]
) -> int:
    try:
        with desk.claimed(message_id) as claimed:
            text = _CHANGES[mode](assembly, claimed, values)
            failed = text.startswith("!")
            text = text.removeprefix("!")
    except MessageMissing:
        failed = True
        text = (
            "has been removed or did not exist"
            if mode is Mode.REMOVE
            else "does not exist in the queue"
        )
    except MessageLocked:
        failed = True
        text = "is locked (another process is handling it)"
    except (SpoolError, AddressError) as error:
        failed = True
        text = f"cannot be changed: {error}"
    print(f"Message {message_id} {text}")
    return int(failed)


def _log(assembly: Assembly, claimed: ClaimedMessage, text: str) -> None:
    who = login_name(os.getuid())
    assembly.logs.main(text.format(user=who), claimed.message.message_id)


def _remove(assembly: Assembly, claimed: ClaimedMessage, values: list[str]) -> str:
    caller = identify_caller(assembly)
    # Who sent a message may take it back.
    if not caller.is_admin and claimed.message.connection.caller_uid != caller.uid:
        return "!cannot be removed: permission denied"
    claimed.remove()
    _log(assembly, claimed, "removed by {user}")
    _log(assembly, claimed, "Completed")
    return "has been removed"


def _freeze(assembly: Assembly, claimed: ClaimedMessage, values: list[str]) -> str:
    message = claimed.message
    if message.frozen:
        return "!is already frozen"
    message.frozen = True
    message.frozen_at = time.time()
    message.manually_thawed = False
    claimed.save()
    _log(assembly, claimed, "frozen by {user}")
    return "is now frozen"


def _thaw(assembly: Assembly, claimed: ClaimedMessage, values: list[str]) -> str:
    message = claimed.message
    if not message.frozen:
        return "!is not frozen"
    message.frozen = False
    message.manually_thawed = True
    claimed.save(next_try=time.time())
    _log(assembly, claimed, "unfrozen by {user}")
    return "is no longer frozen"


def _add_recipient(
    assembly: Assembly, claimed: ClaimedMessage, values: list[str]
) -> str:
    for value in values:
        claimed.message.recipients.append(Recipient(_qualified(assembly, value)))
        _log(assembly, claimed, f"recipient <{value}> added by {{user}}")
    claimed.save()
    return "has been modified"


def _mark_all(assembly: Assembly, claimed: ClaimedMessage, values: list[str]) -> str:
    for recipient in claimed.message.recipients:
        recipient.done = True
    claimed.save()
    _log(assembly, claimed, "all recipients marked delivered by {user}")
    return "has been modified"


def _mark_delivered(
    assembly: Assembly, claimed: ClaimedMessage, values: list[str]
) -> str:
    wanted = {_qualified(assembly, value).key for value in values}
    found = [r for r in claimed.message.recipients if r.address.key in wanted]
    if not found:
        return f"!has no recipient {', '.join(values)}"
    for recipient in found:
        recipient.done = True
        _log(assembly, claimed, f"delivery of <{recipient.address}> marked by {{user}}")
    claimed.save()
    return "has been modified"


def _edit_sender(assembly: Assembly, claimed: ClaimedMessage, values: list[str]) -> str:
    sender = values[0].strip()
    if sender in ("<>", ""):
        claimed.message.sender = NULL_PATH
    else:
        claimed.message.sender = _qualified(assembly, sender)
    claimed.save()
    _log(assembly, claimed, f"sender changed to <{claimed.message.sender}> by {{user}}")
    return "has been modified"


def _qualified(assembly: Assembly, text: str) -> Address:
    address = parse_address(text.strip().removeprefix("<").removesuffix(">"))
    if not address.domain:
        address = address._replace(domain=assembly.site.qualify_recipient)
    return address


_WITH_VALUES = frozenset({Mode.ADD_RECIPIENT, Mode.MARK_DELIVERED, Mode.EDIT_SENDER})
_CHANGES: dict[Mode, _Change] = {
    Mode.REMOVE: _remove,
    Mode.FREEZE: _freeze,
    Mode.THAW: _thaw,
    Mode.ADD_RECIPIENT: _add_recipient,
    Mode.MARK_ALL: _mark_all,
    Mode.MARK_DELIVERED: _mark_delivered,
    Mode.EDIT_SENDER: _edit_sender,
}


def show_message(assembly: Assembly, arguments: Arguments) -> int:
    """Print a message's envelope and header section, its body, or both."""
    desk = open_desk(assembly)
    status = 0
    for message_id in arguments.operands:
        try:
            message = desk.load(message_id)
        except MessageMissing:
            print(f"mta: message {message_id} not found", file=sys.stderr)
            status = 1
            continue
        output = sys.stdout.buffer
        if arguments.mode is Mode.SHOW_HEADER:
            output.write(_envelope(message).encode("utf-8", "surrogateescape"))
        if arguments.mode is not Mode.SHOW_BODY:
            output.write(message.header.content.replace(b"\r\n", b"\n"))
        if arguments.mode is Mode.SHOW_MESSAGE:
            output.write(b"\n")
        if arguments.mode is Mode.SHOW_BODY:
            output.write(f"{message_id}-D\n".encode())
        if arguments.mode is not Mode.SHOW_HEADER:
            for chunk in message.body.chunks():
                output.write(chunk.replace(b"\r\n", b"\n"))
        output.flush()
    return status


def _envelope(message: Message) -> str:
    connection = message.connection
    lines = [f"{message.message_id}-H", f"<{message.sender}>"]
    lines.append(f"{int(message.received_at)} {message.warnings}")
    facts = {
        "helo_name": connection.helo_name,
        "host_address": connection.peer_address
        and f"[{connection.peer_address}]:{connection.peer_port}",
        "host_name": connection.host_name or "",
        "interface_address": connection.local_address
        and f"[{connection.local_address}]:{connection.local_port}",
        "received_protocol": connection.protocol,
        "ident": connection.ident,
        "auth_id": connection.authenticated_id,
        "auth_sender": message.authenticated_sender,
        "tls_cipher": connection.tls.cipher if connection.tls else "",
        "body_linecount": str(message.line_count),
        "max_received_linelength": str(message.max_line_length),
        "frozen": str(int(message.frozen_at)) if message.frozen else "",
        "dsn_envid": message.envelope_id,
        "dsn_ret": message.dsn_return,
    }
    facts |= {f"acl_{name}": value for name, value in message.acl_variables.items()}
    for name, value in facts.items():
        if value:
            # Exim marks with a second dash what an outsider chose.
            dash = "--" if is_tainted(value) else "-"
            lines.append(f"{dash}{name} {printable(value)}")
    recipients = [r for r in message.recipients if not r.done]
    lines += [str(len(recipients)), *(str(r.address) for r in recipients), "", ""]
    return "\n".join(lines)


def show_log(assembly: Assembly, arguments: Arguments) -> int:
    """Print what the main log says of a message."""
    path = assembly.logs.path("main")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as log:
            lines = [line for line in log if _mentions(line, arguments.operands)]
    except OSError as error:
        print(f"mta: cannot read {path}: {error.strerror}", file=sys.stderr)
        return 1
    sys.stdout.writelines(lines)
    return 0 if lines else 1


def _mentions(line: str, message_ids: list[str]) -> bool:
    return any(message_id in line for message_id in message_ids)
