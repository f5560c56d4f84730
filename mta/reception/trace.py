"""The Received: field that every message gets (RFC 5321, section 4.4)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from mta.address import Address
from mta.expand.context import Context, Site
from mta.expand.variables.connection import sender_rcvhost
from mta.interfaces import ITemplate
from mta.message import Message

# Exim's own default, but for the name of the program.
DEFAULT_TEXT = (
    r"Received: "
    r"${if def:sender_rcvhost {from $sender_rcvhost\n\t}"
    r"{${if def:sender_ident {from ${quote_local_part:$sender_ident} }}"
    r"${if def:sender_helo_name {(helo=$sender_helo_name)\n\t}}}}"
    r"by $primary_hostname "
    r"${if def:received_protocol {with $received_protocol }}"
    r"${if def:tls_in_ver {($tls_in_ver)}}"
    r"${if def:tls_in_cipher_std { tls $tls_in_cipher_std\n\t}}"
    r"(mta $version_number)\n\t"
    r"${if def:sender_address {(envelope-from <$sender_address>)\n\t}}"
    r"id $message_exim_id"
    r"${if def:received_for {\n\tfor $received_for}}"
)


class DateText:
    """Writes dates as header fields have them, each second once (RFC 5322, 3.3)."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def of(self, moment: float) -> str:
        """Return ``Mon, 01 Jan 2024 00:00:00 +0000`` for a time, in the local zone."""
        second = int(moment)
        if second != self._second:
            self._second = second
            local = time.localtime(second)
            day = _DAYS[local.tm_wday]
            month = _MONTHS[local.tm_mon - 1]
            self._text = time.strftime(f"{day}, %d {month} %Y %H:%M:%S %z", local)
        return self._text


# The names do not depend on the locale.
_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class ReceivedField:
    """Makes the Received: field; ``template`` is ``received_header_text``."""

    def __init__(
        self, template: ITemplate | None, site: Site, date: Callable[[float], str]
    ) -> None:
        # The default is made without expanding it: every message needs it.
        is_default = template is None or template.text == DEFAULT_TEXT
        self._template = None if is_default else template
        self._site = site
        self._date = date

    async def make(self, message: Message, context: Context, now: float) -> bytes:
        """Return the field in octets; empty where the text expands to nothing.

        Raises ExpansionError.
        """
        if self._template is None:
            text = self._default(message)
        else:
            text = (await self._template.expand(context)).strip()
            if not text:
                return b""
        text = f"{text};\n\t{self._date(now)}"
        return _folded(text).encode("utf-8", "surrogateescape")

    def _default(self, message: Message) -> str:
        connection = message.connection
        host = sender_rcvhost(connection)
        if host:
            origin = f"from {host}\n\t"
        else:
            origin = ""
            if connection.ident:
                origin = f"from {_quoted_local_part(connection.ident)} "
            if connection.helo_name:
                origin += f"(helo={connection.helo_name})\n\t"
        security = ""
        if connection.tls is not None:
            security = f"({connection.tls.version})"
            if connection.tls.cipher_std:
                security += f" tls {connection.tls.cipher_std}\n\t"
        sender = plain_text(message.sender)
        path = f"(envelope-from <{sender}>)\n\t" if sender else ""
        recipient = received_for(message)
        end = f"\n\tfor {recipient}" if recipient else ""
        return (
            f"Received: {origin}by {self._site.primary_hostname} "
            f"with {received_protocol(message)} {security}"
            f"(mta {self._site.version})\n\t{path}id {message.message_id}{end}"
        )


def received_protocol(message: Message) -> str:
    """Return how a message came (``$received_protocol``; RFC 6531, section 4.3)."""
    protocol = message.connection.protocol
    return f"utf8{protocol}" if message.smtputf8 else protocol


def received_for(message: Message) -> str:
    """Return the recipient, where there is only one: others are nobody's business."""
    if len(message.recipients) != 1:
        return ""
    return plain_text(message.recipients[0].address)


def plain_text(address: Address) -> str:
    """Return an address as text for a line or a field, where taint is no matter."""
    return "@".join(address) if address.domain else str(address.local_part)


def _quoted_local_part(text: str) -> str:
    if text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# A control character, or a line that would end the field or hold nothing.
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|\n(?![\t ])|\n[\t ]*(?=\n|\Z)")


def _folded(text: str) -> str:
    """Return the text of one field with CRLF; nothing in it can begin another."""
    if _UNFIT.search(text) is not None:
        lines = [_CONTROL.sub("?", line) for line in text.split("\n") if line.strip()]
        first, *others = lines
        text = "\n\t".join([first, *(line.strip() for line in others)])
    return text.replace("\n", "\r\n") + "\r\n"


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
