"""The addresses in a header section: are they well-formed, is somebody missing?"""

from __future__ import annotations

from collections.abc import Iterator

from mta.address import Address, AddressError, parse_address
from mta.message import HeaderField, HeaderSection, Message, Recipient

_TO_FIELDS = frozenset({"to", "cc", "resent-to", "resent-cc"})
_ADDRESS_FIELDS = _TO_FIELDS | frozenset(
    "from sender reply-to bcc resent-from resent-sender resent-reply-to resent-bcc".split()
)


def parse_address_list(text: str) -> list[Address]:
    """Return the addresses of a field's value (RFC 5322, section 3.4).

    Raises AddressError.
    """
    return [_mailbox(item) for item in _mailboxes(text)]


def field_addresses(field: HeaderField) -> list[Address]:
    """Return the addresses of a field; raise AddressError naming one that is none."""
    addresses = []
    for item in _mailboxes(_text(field)):
        try:
            addresses.append(_mailbox(item))
        except AddressError as error:
            shown = " ".join(item.split())[:100]
            raise AddressError(f'{error} in "{shown}"') from error
    return addresses


def syntax_fault(section: HeaderSection) -> str:
    """Return what is wrong with the first malformed address; empty where none is."""
    for field in section.fields:
        if field.name.lower() not in _ADDRESS_FIELDS:
            continue
        for item in _mailboxes(_text(field)):
            try:
                if not _mailbox(item).domain:
                    raise AddressError("unqualified address not permitted")
            except AddressError as error:
                shown = " ".join(item.split())[:100]
                return f'{error}: failing address in "{field.name}:" header is: {shown}'
    return ""


def blind_recipient(message: Message, *, ignore_case: bool) -> Recipient | None:
    """Return the first recipient that no To: or Cc: field names."""

    def key(address: Address) -> str:
        return address.key.lower() if ignore_case else address.key

    named: set[str] = set()
    for field in message.header.fields:
        if field.name.lower() in _TO_FIELDS:
            for item in _mailboxes(_text(field)):
                try:
                    named.add(key(_mailbox(item)))
                except AddressError:
                    continue
    for recipient in message.recipients:
        if key(recipient.address) not in named:
            return recipient
    return None


def _text(field: HeaderField) -> str:
    return field.value.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _mailboxes(text: str) -> list[str]:
    """Return the text of every mailbox; comments and group names are taken out."""
    items: list[str] = []
    piece: list[str] = []
    bracketed = False
    for token in _tokens(text):
        if token in ("<", ">"):
            bracketed = token == "<"
        if token in (",", ";") and not bracketed:
            items.append("".join(piece))
            piece = []
        elif token == ":" and not bracketed and "[" not in piece:
            # What stood before was the name of a group.
            piece = []
        else:
            piece.append(token)
    items.append("".join(piece))
    return [item for item in items if item.strip()]


def _tokens(text: str) -> Iterator[str]:
    """Give quoted strings whole, all else by characters, and no comments."""
    position = 0
    while position < len(text):
        character = text[position]
        end = position + 1
        if character == '"':
            end = _end_of_quoted(text, position)
        elif character == "(":
            position = _end_of_comment(text, position)
            continue
        yield text[position:end]
        position = end


def _end_of_quoted(text: str, start: int) -> int:
    position = start + 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return min(position + 1, len(text))


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    position = start
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if depth == 0:
                return position + 1
        position += 1
    return position


def _mailbox(item: str) -> Address:
    """Return the address of ``phrase <address>`` or of a bare address."""
    tokens = list(_tokens(item))
    if "<" not in tokens:
        return parse_address(_compact(item))
    start = tokens.index("<")
    if ">" not in tokens[start:]:
        raise AddressError("missing or malformed closing bracket")
    end = tokens.index(">", start)
    if "".join(tokens[end + 1 :]).strip():
        raise AddressError("text follows the closing bracket")
    return parse_address(_compact("".join(tokens[start + 1 : end])))


def _compact(text: str) -> str:
    """Return an address without white space around its dots and its at sign."""
    text = text.strip()
    if '"' in text or not any(character.isspace() for character in text):
        return text
    for mark in ".@":
        text = mark.join(part.strip() for part in text.split(mark))
    return text
