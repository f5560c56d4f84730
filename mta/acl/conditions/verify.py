"""``verify = ...``: is an address, a name or a header section what it should be?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mta.acl.argument_parts import split_at_slashes
from mta.acl.header_addresses import blind_recipient, syntax_fault
from mta.acl.registry import MESSAGE, Phase, condition
from mta.acl.run import ACLError, ACLRun, SenderFailure
from mta.address import Address, AddressError, parse_address
from mta.errors import TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import template_of
from mta.host import Outcome
from mta.interfaces import ITemplate, Verification
from mta.lists.host_names import (
    forward_addresses,
    look_up_host_name,
    plain_address,
)
from mta.options import Source

_KIND = re.compile(r"([a-z_]+)\s*(=?)", re.ASCII)
# What stands before the colon of each field, even where that is no field's name.
_NAME_OCTETS = re.compile(rb"(?m)^([^:\s][^:\r\n]*):")
_AFTER_CONTENT = Phase.DATA | Phase.NOT_SMTP


@dataclass(frozen=True, slots=True)
class Verifying:
    """What is to be verified, and with which options.

    ``address`` is what stands behind ``sender=``, None where the envelope's sender is
    meant.
    """

    kind: str
    options: frozenset[str]
    phases: Phase
    address: ITemplate | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    options: frozenset[str]
    phases: Phase
    check: Callable[[ACLRun, Verifying], Any]


class _VerifyingType:
    """The argument of ``verify``: a kind, maybe an address, options after slashes."""

    name = "verification"

    def parse(self, text: str, source: Source) -> Verifying:
        head, *options = split_at_slashes(text)
        match = _KIND.match(head)
        name = match[1] if match is not None else head.strip()
        kind = _KINDS.get(name)
        if match is None or kind is None:
            known = ", ".join(_KINDS)
            raise source.error(f'cannot verify "{name}"; known: {known}')
        rest = head[match.end() :].strip()
        for option in options:
            if option not in kind.options:
                raise source.error(f'"{name}" has no option "{option}" here')
        if name == "sender" and match[2]:
            address = template_of(rest, source)
            return Verifying(name, frozenset(options), kind.phases, address)
        if rest or match[2]:
            raise source.error(f'there is text behind "{name}": "{rest}"')
        return Verifying(name, frozenset(options), kind.phases)


@condition("verify", argument=_VerifyingType())
async def verify(run: ACLRun, value: Verifying) -> bool:
    """True where what the argument names can be verified."""
    kind = _KINDS[value.kind]
    try:
        result: bool = await kind.check(run, value)
        if run.message:
            run.context.values["acl_verify_message"] = run.message
    except TemporaryFailure:
        if "defer_ok" in value.options:
            run.explain("")
            run.show_details = False
            return True
        raise
    return result


async def _verify_recipient(run: ACLRun, value: Verifying) -> bool:
    if run.recipient is None:
        raise ACLError("there is no recipient to verify")
    found = await _verified(run, "recipient", run.recipient.address)
    run.context.values["recipient_verify_failure"] = found.failure
    if found.data:
        run.recipient.address_data = found.data
    if found.outcome == "ok":
        return True
    run.explain(found.text)
    if found.outcome == "defer":
        run.show_details = found.user_text
        raise TemporaryFailure(found.text)
    return False


async def _verify_sender(run: ACLRun, value: Verifying) -> bool:
    message = run.subject.early_message()
    sender = message.sender
    if value.address is not None:
        sender = _parsed(await value.address.expand(run.context))
    if not sender:
        return True
    found = await _verified(run, "sender", sender)
    run.context.values["sender_verify_failure"] = found.failure
    if found.data:
        run.context.values["sender_address_data"] = found.data
    if found.outcome == "ok":
        if value.address is None:
            message.sender_verified = True
        return True
    deferred = found.outcome == "defer"
    if deferred and "defer_ok" in value.options:
        return True
    _keep_failure(run, sender, found, value)
    if not deferred:
        run.explain("Sender verify failed")
        return False
    run.explain("Could not complete sender verify")
    run.show_details = found.user_text
    raise TemporaryFailure("Could not complete sender verify")


def _parsed(text: str) -> Address:
    try:
        return parse_address(text.strip()) if text.strip() else Address("", "")
    except AddressError as error:
        raise ACLError(f'"{text[:100]}" cannot be verified: {error}') from error


def _keep_failure(
    run: ACLRun, sender: Address, found: Verification, value: Verifying
) -> None:
    """Remember what the client and the log are to be told once."""
    earlier = run.subject.sender_failure
    if earlier is None or earlier.address != sender.text:
        earlier = run.subject.sender_failure = SenderFailure(
            sender.text, found.outcome == "defer", found.text, found.text
        )
    if "no_details" in value.options:
        earlier.told = True


async def _verified(run: ACLRun, what: str, address: Address) -> Verification:
    """Return the result for an address, asked once in the life of a message."""
    known = run.subject.verifications
    key = (what, address.key)
    if key not in known:
        if run.verifier is None:
            raise ACLError("there is nothing to verify addresses with")
        # Routing must not disturb the variables of this ACL.
        own = run.context
        context = Context(
            own.site, own.connection, own.message, values=dict(own.values)
        )
        ask = (
            run.verifier.verify_recipient
            if what == "recipient"
            else run.verifier.verify_sender
        )
        known[key] = await ask(address, context)
    found: Verification = known[key]
    return found


async def _verify_helo(run: ACLRun, value: Verifying) -> bool:
    connection = run.subject.connection
    if connection.helo_verified or not connection.peer_address:
        return True
    name = connection.helo_name.lower().rstrip(".")
    if not name:
        return False
    if name.startswith("["):
        literal = name.strip("[]").removeprefix("ipv6:")
        connection.helo_verified = _same_address(literal, connection.peer_address)
        return connection.helo_verified
    resolver = run.context.site.resolver
    if resolver is None:
        raise ACLError("there is no resolver to verify a name with")
    await look_up_host_name(connection, resolver)
    names = (connection.host_name or "", *connection.host_aliases)
    if name in (known.lower() for known in names):
        connection.helo_verified = True
        return True
    forward = await forward_addresses(name, resolver)
    connection.helo_verified = any(
        _same_address(connection.peer_address, found) for found in forward.records
    )
    if not connection.helo_verified and forward.outcome is Outcome.AGAIN:
        raise TemporaryFailure("could not look up the name in HELO")
    return connection.helo_verified


def _same_address(one: str, other: str) -> bool:
    try:
        first = ipaddress.ip_address(plain_address(one))
        return first == ipaddress.ip_address(plain_address(other))
    except ValueError:
        return False


async def _verify_reverse_host_lookup(run: ACLRun, value: Verifying) -> bool:
    connection = run.subject.connection
    if not connection.peer_address:
        return True
    resolver = run.context.site.resolver
    if resolver is None:
        raise ACLError("there is no resolver to look a host name up with")
    if await look_up_host_name(connection, resolver):
        return True
    if connection.host_lookup_deferred:
        log_text = "host lookup deferred for reverse lookup check"
        raise TemporaryFailure("", log_text=log_text)
    run.explain(
        "",
        "host lookup failed for reverse lookup check "
        f"(no host name found for IP address {connection.peer_address})",
    )
    return False


async def _verify_certificate(run: ACLRun, value: Verifying) -> bool:
    tls = run.subject.connection.tls
    if tls is not None and tls.verified:
        return True
    run.explain("no verified certificate")
    return False


async def _verify_header_names(run: ACLRun, value: Verifying) -> bool:
    for name in _NAME_OCTETS.findall(run.subject.early_message().header.content):
        if not name.isascii():
            shown = name.decode("ascii", "backslashreplace")
            run.explain(f'Invalid character in header "{shown}" found')
            return False
    return True


async def _verify_header_syntax(run: ACLRun, value: Verifying) -> bool:
    fault = syntax_fault(run.subject.early_message().header)
    if not fault:
        return True
    run.explain(fault)
    return False


async def _verify_not_blind(run: ACLRun, value: Verifying) -> bool:
    message = run.subject.early_message()
    ignore_case = "case_insensitive" in value.options
    blind = blind_recipient(message, ignore_case=ignore_case)
    if blind is None:
        return True
    run.explain("bcc recipient detected")
    return False


_KINDS = {
    "recipient": _Kind(frozenset({"defer_ok"}), Phase.RCPT, _verify_recipient),
    "sender": _Kind(frozenset({"defer_ok", "no_details"}), MESSAGE, _verify_sender),
    "helo": _Kind(frozenset(), Phase.every(), _verify_helo),
    "reverse_host_lookup": _Kind(
        frozenset({"defer_ok"}), Phase.every(), _verify_reverse_host_lookup
    ),
    "certificate": _Kind(
        frozenset(),
        ~(Phase.CONNECT | Phase.NOT_SMTP | Phase.NOT_SMTP_START),
        _verify_certificate,
    ),
    "header_names_ascii": _Kind(frozenset(), _AFTER_CONTENT, _verify_header_names),
    "header_syntax": _Kind(frozenset(), _AFTER_CONTENT, _verify_header_syntax),
    "not_blind": _Kind(
        frozenset({"case_insensitive"}), _AFTER_CONTENT, _verify_not_blind
    ),
}
