"""What a response of the DNS says, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from mta.dns.associations import ask_for_opaque, association
from mta.host import Answer, Outcome


def read_answer(message: dns.message.Message, kind: str, *, trusted: bool) -> Answer:
    """Return what a response says of the records of one kind."""
    code = message.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Answer(Outcome.AGAIN, text=dns.rcode.to_text(code))
    if not isinstance(message, dns.message.QueryMessage):
        return Answer(Outcome.AGAIN, text="no answer to a query")
    ask_for_opaque(message)
    try:
        chain = message.resolve_chaining()
    except dns.exception.DNSException as error:
        return Answer(Outcome.AGAIN, text=f"bad answer: {error}")
    secure = trusted and bool(message.flags & dns.flags.AD)
    ttl = chain.minimum_ttl
    if chain.answer is None:
        none = Outcome.NO_DATA if code == dns.rcode.NOERROR else Outcome.NO_DOMAIN
        return Answer(none, (), secure, ttl)
    value_of = _VALUES.get(kind, str)
    records = tuple(value_of(record) for record in chain.answer)
    name = _name(chain.canonical_name) if chain.cnames else ""
    return Answer(Outcome.FOUND, records, secure, ttl, name=name)


def authority_of(message: dns.message.Message) -> str:
    """Return the zone that a server answers for itself, empty where it does not.

    Exim chapter 14, "dns_trust_aa".  RFC 1035, section 4.1.1: the AA bit is about the
    first name alone, and an alias may lead out of the zone.
    """
    if not message.flags & dns.flags.AA:
        return ""
    kind = dns.rdatatype.NS if message.answer else dns.rdatatype.SOA
    zones = [records.name for records in message.authority if records.rdtype == kind]
    names = [records.name for records in (*message.question, *message.answer)]
    if not zones or not all(name.is_subdomain(zones[0]) for name in names):
        return ""
    return _name(zones[0]).lower()


def _name(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True) if name.labels != (b"",) else ""


_VALUES: dict[str, Callable[[Any], Any]] = {
    "A": lambda record: record.address,
    "AAAA": lambda record: record.address,
    "MX": lambda record: (record.preference, _name(record.exchange)),
    "PTR": lambda record: _name(record.target),
    "CNAME": lambda record: _name(record.target),
    "NS": lambda record: _name(record.target),
    "TXT": lambda record: b"".join(record.strings),
    "SPF": lambda record: b"".join(record.strings),
    "SRV": lambda record: (
        record.priority,
        record.weight,
        record.port,
        _name(record.target),
    ),
    "TLSA": lambda record: association(record.data),
}


def joined(answers: list[Answer]) -> Answer:
    """Return one answer for a name that was asked for several kinds."""
    found = [answer for answer in answers if answer]
    if found:
        return Answer(
            Outcome.FOUND,
            tuple(record for answer in found for record in answer.records),
            all(answer.secure for answer in found),
            min(answer.ttl for answer in found),
            name=found[0].name if len({answer.name for answer in found}) == 1 else "",
        )
    for outcome in (Outcome.AGAIN, Outcome.NO_DATA):
        for answer in answers:
            if answer.outcome is outcome:
                return answer
    return answers[0] if answers else Answer(Outcome.NO_DATA)
