"""What the header section of an arriving message gets and loses (Exim chapter 47).

Messages that were submitted, by a local caller or in submission mode, are completed;
all lose the fields that only a final delivery may add.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parseaddr
from typing import NamedTuple

from mta.acl.effects import Submission
from mta.address import Address, AddressError, parse_address
from mta.errors import ForcedFailure
from mta.expand.context import Context
from mta.expand.option_types import Expanded
from mta.interfaces import ITemplate
from mta.message import HeaderSection, Message
from mta.options import Boolean, Configurable, Option, StringList
from mta.taint import Tainted

_NOT_IN_ADDRESS = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]")
_NOT_IN_DOMAIN = re.compile(r"[^A-Za-z0-9.-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")


class FixUpOptions(Configurable):
    """How the header sections of arriving messages are completed and cleaned."""

    return_path_remove = Option(
        Boolean, "true", "Remove Return-path: fields from arriving messages."
    )
    envelope_to_remove = Option(
        Boolean, "true", "Remove Envelope-to: fields from arriving messages."
    )
    delivery_date_remove = Option(
        Boolean, "true", "Remove Delivery-date: fields from arriving messages."
    )
    message_id_header_domain = Option(
        Expanded, None, "The domain in a Message-ID: field that is added."
    )
    message_id_header_text = Option(
        Expanded, None, "A text before the @ of a Message-ID: field that is added."
    )
    local_from_check = Option(
        Boolean,
        "true",
        "Add a Sender: field where From: of a submitted message is not the sender.",
    )
    local_sender_retain = Option(
        Boolean, "false", "Keep the Sender: field of a submitted message."
    )
    local_from_prefix = Option(
        StringList, None, "Prefixes that From: may have before the sender's local part."
    )
    local_from_suffix = Option(
        StringList, None, "Suffixes that From: may have after the sender's local part."
    )

    @property
    def unwanted_fields(self) -> tuple[str, ...]:
        """The names of fields that only a final delivery adds, in lower case."""
        return tuple(
            name
            for name, unwanted in (
                ("return-path", self.return_path_remove),
                ("envelope-to", self.envelope_to_remove),
                ("delivery-date", self.delivery_date_remove),
            )
            if unwanted
        )


class Originator(NamedTuple):
    """The local caller that submits a message.

    ``full_name`` is empty where no name is to be used in a field.  ``is_trusted``
    callers may say who they are.  ``sender_given``: the sender came from the command
    line.
    """

    login: str = ""
    full_name: str = ""
    is_trusted: bool = False
    sender_given: bool = False


class FixUps:
    """Completes the header sections of submitted messages."""

    def __init__(
        self,
        options: FixUpOptions,
        *,
        qualify_domain: str,
        primary_hostname: str,
        date: Callable[[float], str],
    ) -> None:
        self._options = options
        self._qualify_domain = qualify_domain
        self._primary_hostname = primary_hostname
        self._date = date

    async def complete(
        self,
        message: Message,
        context: Context,
        *,
        submission: Submission | None,
        originator: Originator | None,
        now: float,
    ) -> bool:
        """Add what a submitted message lacks; return whether it got a Message-ID:.

        The sender of the message becomes what Sender: says, where that is added.
        """
        section = message.header
        names = {field.name.lower() for field in section.fields}
        resent = any(name.startswith("resent-") for name in names)
        prefix = "Resent-" if resent else ""
        add = section.insert if resent else section.append
        has_id = f"{prefix}message-id".lower() in names
        if not has_id:
            identifier = await self._identifier(message.message_id, context)
            add(f"{prefix}Message-Id: <{identifier}>\r\n".encode())
        if f"{prefix}from".lower() not in names:
            author = self._author(message, submission, originator)
            if author:
                add(_encoded(f"{prefix}From: {author}"))
        self._check_sender(message, prefix, submission, originator)
        if f"{prefix}date".lower() not in names:
            add(f"{prefix}Date: {self._date(now)}\r\n".encode())
        return not has_id

    async def _identifier(self, message_id: str, context: Context) -> str:
        options = self._options
        text = await _expanded(options.message_id_header_text, context)
        domain = await _expanded(options.message_id_header_domain, context)
        text = "." + _NOT_IN_ADDRESS.sub("-", text) if text else ""
        domain = _NOT_IN_DOMAIN.sub("-", domain) or self._primary_hostname
        return f"E{message_id}{text}@{domain}"

    def _author(
        self,
        message: Message,
        submission: Submission | None,
        originator: Originator | None,
    ) -> str:
        name = ""
        if originator is not None:
            name = originator.full_name
        elif submission is not None:
            name = submission.name or ""
        address = message.sender.text
        if not address:
            if originator is None:
                address = self._submitter(message, submission)
            elif not originator.sender_given:
                address = f"{originator.login}@{self._qualify_domain}"
        return _named(name, address) if address else ""

    def _submitter(self, message: Message, submission: Submission | None) -> str:
        """Return the address of the user who authenticated, empty if none did."""
        user = message.connection.authenticated_id
        if not user or submission is None or submission.domain == "":
            return user
        return f"{user}@{submission.domain or self._qualify_domain}"

    def _check_sender(
        self,
        message: Message,
        prefix: str,
        submission: Submission | None,
        originator: Originator | None,
    ) -> None:
        untrusted = originator is not None and not originator.is_trusted
        if submission is None and not untrusted:
            return
        retained = submission is not None and submission.sender_retain
        if not self._options.local_sender_retain and not retained:
            message.header.remove(f"{prefix}Sender")
        if retained or not self._options.local_from_check:
            return
        if originator is not None:
            sender = f"{originator.login}@{self._qualify_domain}"
            name = originator.full_name
        else:
            sender = self._submitter(message, submission)
            name = (submission.name or "") if submission is not None else ""
        if not sender:
            return
        if not self._is_author(message.header, prefix, sender):
            message.header.append(_encoded(f"{prefix}Sender: {_named(name, sender)}"))
        if originator is None and message.sender:
            message.sender = _address(sender, message.sender)

    def _is_author(self, section: HeaderSection, prefix: str, sender: str) -> bool:
        fields = section.named(f"{prefix}From")
        if not fields:
            return True
        text = fields[-1].value.decode("utf-8", "surrogateescape")
        author = parseaddr(text.replace("\r\n", ""))[1]
        local_part, at, domain = author.rpartition("@")
        if not at:
            return author.lower() == sender.partition("@")[0].lower()
        local_part = self._without_affixes(local_part)
        return f"{local_part}@{domain}".lower() == sender.lower()

    def _without_affixes(self, local_part: str) -> str:
        for prefix in self._options.local_from_prefix or ():
            rest = _without_prefix(local_part, prefix)
            if rest is not None:
                local_part = rest
                break
        for suffix in self._options.local_from_suffix or ():
            rest = _without_prefix(local_part[::-1], suffix[::-1])
            if rest is not None:
                return rest[::-1]
        return local_part


def _without_prefix(local_part: str, prefix: str) -> str | None:
    """Return the local part without a prefix, in which ``*`` begins any text."""
    if not prefix.startswith("*"):
        if local_part.lower().startswith(prefix.lower()):
            return local_part[len(prefix) :]
        return None
    start = local_part.lower().rfind(prefix[1:].lower())
    return None if start < 0 else local_part[start + len(prefix) - 1 :]


def _named(name: str, address: str) -> str:
    # A user may have authenticated with any octets at all.
    address = _CONTROL.sub("?", address)
    if not name:
        return address
    if not _PLAIN_PHRASE.match(name):
        printable = "".join(c for c in name if c.isprintable())
        if not printable.isascii():
            return f"{_encoded_word(printable)} <{address}>"
        name = '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def _encoded_word(text: str) -> str:
    """Return a phrase as encoded words of at most 75 characters (RFC 2047)."""
    words = []
    start = 0
    while start < len(text):
        # Five characters are at most 20 octets, 60 characters when encoded.
        end = start + 5
        octets = text[start:end].encode("utf-8", "replace")
        words.append("=?utf-8?Q?" + "".join(f"={octet:02X}" for octet in octets) + "?=")
        start = end
    return "\r\n ".join(words)


def _encoded(field: str) -> bytes:
    return f"{field}\r\n".encode("utf-8", "surrogateescape")


def _address(text: str, otherwise: Address) -> Address:
    try:
        return parse_address(Tainted(text))
    except AddressError:
        return otherwise


async def _expanded(template: ITemplate | None, context: Context) -> str:
    if template is None:
        return ""
    try:
        return await template.expand(context)
    except ForcedFailure:
        return ""
