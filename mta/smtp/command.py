"""Grammar of command lines and ESMTP parameters (RFC 5321, section 4.1).

Octets come in; what goes out is text marked as tainted.  Nothing here is longer
than the line it was parsed from, and the session bounds lines at ``LINE_LIMIT``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mta.address import NULL_PATH, Address, AddressError, from_wire, parse_address
from mta.errors import RemoteProtocolError
from mta.taint import Tainted

LINE_LIMIT = 16384
XTEXT_LIMIT = 500
_WHITE = b" \t"
_HEXADECIMAL = b"0123456789ABCDEF"
_NOTIFY_WORDS = frozenset({"SUCCESS", "FAILURE", "DELAY"})


class CommandError(RemoteProtocolError):
    """The argument of a command breaks the grammar; the text is for the peer."""

    def __init__(self, text: str, reply_code: int = 501) -> None:
        super().__init__(text, reply_code)


@dataclass(slots=True)
class MailParameters:
    """What a MAIL command says; the DSN values are empty where none were given."""

    sender: Address = NULL_PATH
    text: str = ""
    size: int = 0
    body_type: str = ""
    authenticated_sender: str | None = None
    dsn_return: str = ""
    envelope_id: str = ""
    smtputf8: bool = False
    requiretls: bool = False


@dataclass(slots=True)
class RecipientParameters:
    """What a RCPT command says; the DSN values are empty where none were given."""

    address: Address
    text: str = ""
    notify: tuple[str, ...] = ()
    original: str = ""


class Chunk(NamedTuple):
    """What a BDAT command announces (RFC 3030)."""

    size: int
    is_last: bool


class Extensions(NamedTuple):
    """What the last EHLO reply offered; ``keywords`` are its lines after the first.

    Parameters are understood where their extension was offered.  ``lines`` are the
    octets of the keywords' lines, empty where they have not been made.
    """

    keywords: tuple[str, ...] = ()
    pipelining: bool = False
    chunking: bool = False
    starttls: bool = False
    smtputf8: bool = False
    eight_bit: bool = True
    dsn: bool = False
    mechanisms: tuple[str, ...] = ()
    lines: bytes = b""
    requiretls: bool = False


NO_EXTENSIONS = Extensions()


def parse_mail(
    argument: bytes, extensions: Extensions, *, allow_literal: bool = True
) -> MailParameters:
    """Return what follows ``MAIL``, understood; raise CommandError."""
    rest = _after_keyword(argument, b"FROM", "MAIL")
    path, parameters = _split_path(rest)
    mail = MailParameters(text=from_wire(path))
    for name, value, end in _parameters(parameters):
        if not _set_mail_parameter(mail, name, value, extensions):
            raise _may_not_follow(rest, path, parameters[:end])
    mail.sender = _parse_path(path, rest, mail.smtputf8, allow_literal, null=True)
    return mail


def parse_recipient(
    argument: bytes,
    extensions: Extensions,
    *,
    smtputf8: bool = False,
    allow_literal: bool = True,
) -> RecipientParameters:
    """Return what follows ``RCPT``, understood; raise CommandError."""
    rest = _after_keyword(argument, b"TO", "RCPT")
    path, parameters = _split_path(rest)
    recipient = RecipientParameters(NULL_PATH, from_wire(path))
    for name, value, end in _parameters(parameters):
        if not extensions.dsn or not _set_recipient_parameter(recipient, name, value):
            raise _may_not_follow(rest, path, parameters[:end])
    recipient.address = _parse_path(path, rest, smtputf8, allow_literal, null=False)
    return recipient


def parse_chunk(argument: bytes) -> Chunk:
    """Return what follows ``BDAT``, understood; raise CommandError."""
    words = argument.split()
    if not words or not words[0].isdigit() or len(words[0]) > 18:
        raise CommandError("missing size for BDAT command")
    is_last = len(words) > 1
    if len(words) > 2 or (is_last and words[1].upper() != b"LAST"):
        raise CommandError("unexpected argument data")
    size = int(words[0])
    if size == 0 and not is_last:
        raise CommandError("zero size for BDAT command", 504)
    return Chunk(size, is_last)


def _after_keyword(argument: bytes, keyword: bytes, verb: str) -> bytes:
    before, colon, after = argument.partition(b":")
    if not colon or before.strip(_WHITE).upper() != keyword:
        raise CommandError(f"{verb} must have an address operand")
    rest = after.strip(_WHITE)
    if not rest:
        raise CommandError(f"{verb} must have an address operand")
    return rest


def _split_path(rest: bytes) -> tuple[bytes, bytes]:
    """Part a path from the parameters behind it; quoted strings may hold both."""
    if not rest.startswith(b"<"):
        path, _, parameters = rest.partition(b" ")
        return path, parameters.strip(_WHITE)
    end = _end_of_quoted_path(rest) if b'"' in rest else rest.find(b">")
    if end < 0:
        text = from_wire(rest)
        raise CommandError(f"{text}: malformed address: missing > at the end")
    path, parameters = rest[: end + 1], rest[end + 1 :]
    if parameters and parameters[0] not in _WHITE:
        raise _may_not_follow(rest, path, parameters)
    return path, parameters.strip(_WHITE)


def _end_of_quoted_path(rest: bytes) -> int:
    quoted = escaped = False
    for position, octet in enumerate(rest):
        if escaped:
            escaped = False
        elif octet == 0x5C:
            escaped = quoted
        elif octet == 0x22:
            quoted = not quoted
        elif octet == 0x3E and not quoted:
            return position
    return -1


def _parse_path(
    path: bytes, rest: bytes, smtputf8: bool, allow_literal: bool, *, null: bool
) -> Address:
    inner = path[1:-1].strip(_WHITE) if path.startswith(b"<") else path
    if not inner:
        if null:
            return NULL_PATH
        raise CommandError(f"{from_wire(rest)}: empty address")
    try:
        text = Tainted(inner.decode("utf-8" if smtputf8 else "ascii"))
        return parse_address(text, allow_literal=allow_literal)
    except UnicodeDecodeError as error:
        wanted = "is not UTF-8" if smtputf8 else "needs SMTPUTF8"
        text = from_wire(rest)
        raise CommandError(f"{text}: malformed address: {wanted}") from error
    except AddressError as error:
        raise CommandError(f"{from_wire(rest)}: {error}") from error


def _parameters(octets: bytes) -> list[tuple[str, str, int]]:
    """Return name, value and end position of each parameter."""
    if not octets:
        return []
    found: list[tuple[str, str, int]] = []
    position = 0
    for word in octets.split(b" "):
        end = position + len(word)
        if word := word.strip(_WHITE):
            name, _, value = word.partition(b"=")
            found.append(
                (name.decode("ascii", "replace").upper(), from_wire(value), end)
            )
        position = end + 1
    return found


def _may_not_follow(rest: bytes, path: bytes, parameters: bytes) -> CommandError:
    text = from_wire(rest)
    return CommandError(
        f"{text}: malformed address: {from_wire(parameters)} "
        f"may not follow {from_wire(path)} "
    )


def _set_mail_parameter(
    mail: MailParameters, name: str, value: str, extensions: Extensions
) -> bool:
    """Keep one parameter; return False for one that is not known."""
    if name == "SIZE":
        if not value.isdigit() or not value.isascii() or len(value) > 20:
            return False
        mail.size = int(value)
    elif name == "BODY" and extensions.eight_bit:
        mail.body_type = str(value.upper())
        return mail.body_type in ("7BIT", "8BITMIME")
    elif name == "SMTPUTF8" and extensions.smtputf8:
        mail.smtputf8 = True
        return not value
    elif name == "REQUIRETLS" and extensions.requiretls:
        mail.requiretls = True
        return not value
    elif name == "AUTH" and extensions.mechanisms:
        mail.authenticated_sender = _decode_xtext(value, "AUTH")
    elif name == "RET" and extensions.dsn:
        _refuse_second(mail.dsn_return, name)
        mail.dsn_return = str(value.upper())
        if mail.dsn_return not in ("FULL", "HDRS"):
            raise CommandError("Invalid value for RET parameter")
    elif name == "ENVID" and extensions.dsn:
        _refuse_second(mail.envelope_id, name)
        _decode_xtext(value, name)
        mail.envelope_id = value
    else:
        return False
    return True


def _set_recipient_parameter(
    recipient: RecipientParameters, name: str, value: str
) -> bool:
    """Keep one parameter; return False for one that is not known."""
    if name == "NOTIFY":
        _refuse_second(recipient.notify, name)
        words = tuple(str(word) for word in value.upper().split(","))
        if words != ("NEVER",) and not _NOTIFY_WORDS.issuperset(words):
            raise CommandError("Invalid value for NOTIFY parameter")
        recipient.notify = tuple(dict.fromkeys(words))
    elif name == "ORCPT":
        _refuse_second(recipient.original, name)
        kind, semicolon, original = value.partition(";")
        if not kind or not semicolon or not original:
            raise CommandError("Syntax error in ORCPT parameter")
        _decode_xtext(original, name)
        recipient.original = value
    else:
        return False
    return True


def _refuse_second(earlier: object, name: str) -> None:
    if earlier:
        raise CommandError(f"{name} can be specified once only")


def _decode_xtext(value: str, name: str) -> Tainted:
    """Return the text that xtext stands for (RFC 3461, section 4)."""
    octets = value.encode("utf-8", "surrogateescape")
    if not octets or len(octets) > XTEXT_LIMIT:
        raise CommandError(f"Invalid value for {name} parameter")
    head, *pieces = octets.split(b"+")
    decoded = [head]
    for piece in pieces:
        code = piece[:2]
        if len(code) < 2 or code[0] not in _HEXADECIMAL or code[1] not in _HEXADECIMAL:
            raise CommandError(f"Invalid value for {name} parameter")
        decoded += [bytes([int(code, 16)]), piece[2:]]
    text = from_wire(b"".join(decoded))
    # Such a value ends in a log line or in a field of a report.
    if any(character < " " or character == "\x7f" for character in text):
        raise CommandError(f"Invalid value for {name} parameter")
    return text
