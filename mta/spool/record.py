"""A message's record: everything but its content, as octets.

The record is JSON.  A text is itself; a tainted text is a list of that one text, so
that a value which came from the network is still known for one after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from operator import attrgetter
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
    """The attributes of one class that a record holds: texts and other values."""

    def __init__(self, standard: Any, texts: str, values: str) -> None:
        names = f"{texts} {values}".split()
        self.texts = frozenset(texts.split())
        self.values = frozenset(values.split())
        self.standard = standard
        self._get: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        self._defaults = tuple(zip(names, self._get(standard), strict=True))

    def differing(self, source: Any) -> dict[str, Any]:
        """Return what is not as in a fresh instance; most of it always is."""
        found: dict[str, Any] = {}
        for value, (name, default) in zip(
            self._get(source), self._defaults, strict=True
        ):
            if value != default:
                found[name] = [value] if isinstance(value, Tainted) else value
        return found

    def restore(self, target: Any, record: dict[str, Any]) -> None:
        """Set the attributes that a record names; raise RecordError."""
        for name, value in record.items():
            if name in self.texts:
                text = _unmarked(value)
                if not isinstance(text, str):
                    raise RecordError(f"{name} is not a text")
                setattr(target, name, text)
            elif name in self.values:
                if not isinstance(value, (int, float)):
                    raise RecordError(f"{name} is not a number")
                setattr(target, name, type(getattr(self.standard, name))(value))
            else:
                raise RecordError(f"unknown field {name}")


_MESSAGE = _Attributes(
    Message(),
    "message_id body_type dsn_return envelope_id original_message_id "
    "authenticated_sender bounce_recipient",
    "received_at declared_size smtputf8 frozen frozen_at manually_thawed queue_only "
    "local_error warnings sender_verified line_count max_line_length",
)
_CONNECTION = _Attributes(
    Connection(),
    "peer_address local_address connection_id host_name helo_name ident authenticator "
    "authenticated_id authenticated_sender local_protocol caller_login",
    "peer_port local_port started_at host_lookup_failed host_lookup_deferred "
    "helo_verified esmtp authentication_failed caller_uid caller_gid message_count",
)
_TLS = _Attributes(
    TLSFacts("", ""),
    "version cipher cipher_std sni peer_dn",
    "bits verified ocsp on_connect",
)


def encode(message: Message) -> bytes:
    """Return the record of a message, without header section and body."""
    record = _MESSAGE.differing(message)
    record["version"] = VERSION
    record["sender"] = _address(message.sender)
    record["recipients"] = [_recipient(one) for one in message.recipients]
    if message.acl_variables:
        record["acl_variables"] = _variables(message.acl_variables)
    record["connection"] = _connection(message.connection)
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
    ):
        fields += [
            recipient.done,
            list(recipient.notify),
            _marked(recipient.original),
            _marked(recipient.errors_to),
            [_marked(child) for child in recipient.done_children],
        ]
    return fields


def _connection(connection: Connection) -> dict[str, Any]:
    record = _CONNECTION.differing(connection)
    if connection.acl_variables:
        record["acl_variables"] = _variables(connection.acl_variables)
    if connection.tls is not None:
        record["tls"] = _TLS.differing(connection.tls)
    return record


def decode(octets: bytes) -> Message:
    """Return the message of a record; its header section and body are empty.

    Raises RecordError.
    """
    try:
        record = json.loads(octets)
        if record.pop("version") != VERSION:
            raise RecordError("the record was written by another version")
        return _message(record)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RecordError(f"unreadable record: {error}") from error


def _message(record: dict[str, Any]) -> Message:
    message = Message(
        sender=_read_address(record.pop("sender")),
        recipients=[_read_recipient(one) for one in record.pop("recipients")],
        acl_variables=_read_variables(record.pop("acl_variables", {})),
        connection=_read_connection(record.pop("connection")),
    )
    _MESSAGE.restore(message, record)
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
    return recipient


def _read_variables(variables: dict[str, Any]) -> dict[str, str]:
    return {name: _unmarked(value) for name, value in variables.items()}


def _read_connection(record: dict[str, Any]) -> Connection:
    connection = Connection(
        acl_variables=_read_variables(record.pop("acl_variables", {}))
    )
    tls = record.pop("tls", None)
    if tls is not None:
        connection.tls = TLSFacts("", "")
        _TLS.restore(connection.tls, tls)
    _CONNECTION.restore(connection, record)
    return connection


def read_envelope(octets: bytes) -> tuple[str, list[tuple[str, bool]]]:
    """Return a record's sender, and its recipients with whether each is done.

    Raises RecordError.
    """
    try:
        record = json.loads(octets)
        return str(_read_address(record["sender"])), [
            (str(_read_address(one)), len(one) > 2 and bool(one[2]))
            for one in record["recipients"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RecordError(f"unreadable record: {error}") from error
