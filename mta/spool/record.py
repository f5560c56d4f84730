"""A message's record: everything but its content, as octets.

The record is JSON.  A text is itself; a tainted text is a list of that one text, so
that a value which came from the network is still known for one after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from operator import attrgetter
from types import NoneType
from typing import Any

from mta.address import NULL_PATH, Address
from mta.connection import Connection, TLSFacts
from mta.message import Message, Recipient
from mta.taint import Tainted

VERSION = 1


class RecordError(ValueError):
    """The octets are not a record that this version can read."""


def _marked(text: str | None) -> Any:
    return [text] if isinstance(text, Tainted) else text


def _unmarked(value: Any) -> Any:
    return Tainted(value[0]) if type(value) is list else value


class _Attributes:
    """The attributes of one class that a record holds, as a list in their order.

    Later versions may add names at the end: a shorter list leaves the others alone.
    """

    def __init__(self, standard: Any, names: str) -> None:
        self._names = names.split()
        self._get: Callable[[Any], tuple[Any, ...]] = attrgetter(*self._names)
        self._types = [type(value) for value in self._get(standard)]

    def values(self, source: Any) -> list[Any]:
        """Return the values of an instance."""
        return [
            [value] if type(value) is Tainted else value for value in self._get(source)
        ]

    def restore(self, target: Any, values: list[Any]) -> None:
        """Set the attributes of a fresh instance; raise RecordError."""
        if len(values) > len(self._names):
            raise RecordError("the record was written by a later version")
        for name, kind, value in zip(self._names, self._types, values, strict=False):
            if kind in (str, NoneType):
                text = value[0] if type(value) is list else value
                if not isinstance(text, str) and (
                    kind is not NoneType or text is not None
                ):
                    raise RecordError(f"{name} is not a text")
                setattr(target, name, _unmarked(value))
            elif isinstance(value, (int, float)):
                setattr(target, name, kind(value))
            else:
                raise RecordError(f"{name} is not a number")


_MESSAGE = _Attributes(
    Message(),
    "message_id received_at declared_size body_type smtputf8 dsn_return envelope_id "
    "frozen frozen_at manually_thawed queue_only local_error warnings "
    "original_message_id sender_verified authenticated_sender bounce_recipient "
    "line_count max_line_length requiretls tls_optional",
)
_CONNECTION = _Attributes(
    Connection(),
    "peer_address peer_port local_address local_port connection_id started_at "
    "host_name host_lookup_failed host_lookup_deferred host_dnssec helo_name "
    "helo_verified helo_dnssec esmtp "
    "ident authenticator authenticated_id authenticated_sender "
    "authentication_failed local_protocol caller_uid caller_gid caller_login "
    "message_count",
)
_TLS = _Attributes(
    TLSFacts("", ""),
    "version cipher cipher_std bits sni peer_dn verified ocsp on_connect",
)


def encode(message: Message) -> bytes:
    """Return the record of a message, without header section and body."""
    connection = message.connection
    record = {
        "version": VERSION,
        "message": _MESSAGE.values(message),
        "sender": _address(message.sender),
        "recipients": [_recipient(one) for one in message.recipients],
        "connection": _CONNECTION.values(connection),
    }
    if connection.tls is not None:
        record["tls"] = _TLS.values(connection.tls)
    if message.acl_variables:
        record["message_variables"] = _variables(message.acl_variables)
    if connection.acl_variables:
        record["connection_variables"] = _variables(connection.acl_variables)
    return _dumps(record).encode("ascii")


_dumps: Callable[[Any], str] = json.JSONEncoder(
    separators=(",", ":"), check_circular=False
).encode


def _address(address: Address) -> list[Any]:
    return [_marked(address[0]), _marked(address[1])]


def _variables(variables: dict[str, str]) -> dict[str, Any]:
    return {name: _marked(value) for name, value in variables.items()}


def _recipient(recipient: Recipient) -> list[Any]:
    fields = _address(recipient.address)
    if (
        recipient.done
        or recipient.notify
        or recipient.original
        or recipient.errors_to is not None
        or recipient.done_children
        or recipient.reason
    ):
        fields += [
            recipient.done,
            list(recipient.notify),
            _marked(recipient.original),
            _marked(recipient.errors_to),
            [_marked(child) for child in recipient.done_children],
            str(recipient.reason),
        ]
    return fields


def decode(octets: bytes) -> Message:
    """Return the message of a record; its header section and body are empty.

    Raises RecordError.
    """
    try:
        record = json.loads(octets)
        if record["version"] != VERSION:
            raise RecordError("the record was written by another version")
        return _message(record)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RecordError(f"unreadable record: {error}") from error


def _message(record: dict[str, Any]) -> Message:
    message = Message(
        sender=_read_address(record["sender"]),
        recipients=[_read_recipient(one) for one in record["recipients"]],
        acl_variables=_read_variables(record.get("message_variables", {})),
        connection=_read_connection(record),
    )
    _MESSAGE.restore(message, record["message"])
    return message


def _read_address(fields: Any) -> Address:
    local_part, domain = (_unmarked(part) for part in fields[:2])
    if not isinstance(local_part, str) or not isinstance(domain, str):
        raise RecordError("an address is not a text")
    if not local_part and not domain:
        return NULL_PATH
    return Address(local_part, domain)


def _read_recipient(fields: list[Any]) -> Recipient:
    recipient = Recipient(_read_address(fields))
    if len(fields) > 2:
        recipient.done = bool(fields[2])
        recipient.notify = tuple(fields[3])
        recipient.original = _unmarked(fields[4])
        recipient.errors_to = _unmarked(fields[5])
        recipient.done_children = [_unmarked(child) for child in fields[6]]
    if len(fields) > 7:
        recipient.reason = _text(fields[7])
    return recipient


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise RecordError("a reason is not a text")
    return value


def _read_variables(variables: dict[str, Any]) -> dict[str, str]:
    return {name: _unmarked(value) for name, value in variables.items()}


def _read_connection(record: dict[str, Any]) -> Connection:
    connection = Connection(
        acl_variables=_read_variables(record.get("connection_variables", {}))
    )
    _CONNECTION.restore(connection, record["connection"])
    if "tls" in record:
        connection.tls = TLSFacts("", "")
        _TLS.restore(connection.tls, record["tls"])
    return connection


def read_envelope(
    octets: bytes,
) -> tuple[str, list[tuple[str, bool]], dict[str, str]]:
    """Return a record's sender, and its recipients with whether each is done.

    The third value says by recipient why it still waits.  Raises RecordError.
    """
    try:
        record = json.loads(octets)
        recipients = [(str(_read_address(one)), one) for one in record["recipients"]]
        return (
            str(_read_address(record["sender"])),
            [(text, len(one) > 2 and bool(one[2])) for text, one in recipients],
            {text: _text(one[7]) for text, one in recipients if len(one) > 7},
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RecordError(f"unreadable record: {error}") from error
