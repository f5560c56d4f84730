"""Conditions about the sender and the recipient."""

from __future__ import annotations

from mta.acl.registry import AFTER_SENDER, Phase, condition
from mta.acl.run import ACLError, ACLRun
from mta.expand.option_types import (
    AddressList,
    DomainList,
    LocalPartList,
    SubjectList,
)
from mta.recipient import RoutedAddress

_WITH_RECIPIENT = Phase.RCPT | Phase.VRFY


def _recipient(run: ACLRun) -> RoutedAddress:
    if run.recipient is None:
        raise ACLError("there is no recipient to test")
    return run.recipient


@condition("domains", phases=_WITH_RECIPIENT, argument=DomainList)
async def domains(run: ACLRun, value: SubjectList) -> bool:
    """True where the recipient's domain is in a domain list."""
    address = _recipient(run)
    match = await value.match(address.domain, run.context)
    if match is None:
        return False
    run.keep(match, "domain_data")
    address.domain_data = match.value
    return True


@condition("local_parts", phases=_WITH_RECIPIENT, argument=LocalPartList)
async def local_parts(run: ACLRun, value: SubjectList) -> bool:
    """True where the recipient's local part is in a list."""
    address = _recipient(run)
    match = await value.match(address.local_part, run.context)
    if match is None:
        return False
    run.keep(match, "local_part_data")
    address.local_part_data = match.value
    return True


@condition("recipients", phases=_WITH_RECIPIENT, argument=AddressList)
async def recipients(run: ACLRun, value: SubjectList) -> bool:
    """True where the recipient is in an address list."""
    match = await value.match(_recipient(run).address.text, run.context)
    if match is None:
        return False
    run.keep(match, "recipient_data")
    return True


@condition("senders", phases=AFTER_SENDER, argument=AddressList)
async def senders(run: ACLRun, value: SubjectList) -> bool:
    """True where the sender is in an address list."""
    message = run.subject.message
    sender = message.sender.text if message is not None else ""
    match = await value.match(sender, run.context)
    if match is None:
        return False
    run.keep(match, "sender_data")
    return True


@condition("sender_domains", phases=AFTER_SENDER, argument=DomainList)
async def sender_domains(run: ACLRun, value: SubjectList) -> bool:
    """True where the sender's domain is in a domain list."""
    message = run.subject.message
    domain = message.sender.domain.lower() if message is not None else ""
    match = await value.match(domain, run.context)
    if match is None:
        return False
    run.keep(match, "sender_data")
    return True
