"""The condition ``dnslists``: is the client, or a name, on a list in the DNS?

Exim chapter 43, section "Using DNS lists".
"""

from __future__ import annotations

from dataclasses import dataclass

from mta.acl.dns_list_items import DNSList, Unknown, parse_items, query_name
from mta.acl.registry import condition
from mta.acl.run import ACLError, ACLRun
from mta.errors import TemporaryFailure
from mta.expand.option_types import template_of
from mta.host import Outcome
from mta.interfaces import IResolver, ITemplate
from mta.options import Source

NAME_LIMIT = 255
_LISTED = "127."


@dataclass(frozen=True, slots=True)
class DNSLists:
    """The argument; ``items`` where nothing in it is expanded."""

    template: ITemplate
    items: list[Unknown | DNSList] | None = None


class _DNSListsType:
    name = "DNS lists"

    def parse(self, text: str, source: Source) -> DNSLists:
        template = template_of(text, source)
        if template.constant is None:
            return DNSLists(template)
        try:
            return DNSLists(template, parse_items(template.constant))
        except ValueError as error:
            raise source.error(str(error)) from error


@condition("dnslists", argument=_DNSListsType())
async def dnslists(run: ACLRun, value: DNSLists) -> bool:
    """True where a DNS list has the client's address, or a key that is given."""
    resolver = run.context.site.resolver
    if resolver is None:
        raise ACLError("dnslists: there is no resolver to ask")
    items = value.items
    if items is None:
        try:
            items = parse_items(await value.template.expand(run.context))
        except ValueError as error:
            raise ACLError(f"dnslists: {error}") from error
    unknown = Unknown.EXCLUDED
    for item in items:
        if isinstance(item, Unknown):
            unknown = item
        elif await _is_listed(item, unknown, resolver, run):
            return True
    return False


async def _is_listed(
    item: DNSList, unknown: Unknown, resolver: IResolver, run: ACLRun
) -> bool:
    """Return whether one of an item's keys is on its list; tell where, if so."""
    keys = item.keys
    if keys is None:
        address = run.subject.connection.peer_address
        keys = (address,) if address else ()
    doubtful = ""
    for key in keys:
        listed = await _answer(item, key, resolver, run)
        if listed is None:
            doubtful = doubtful or key
        elif listed:
            _tell(item, key, listed, run)
            return True
    if not doubtful or unknown is Unknown.EXCLUDED:
        _log_doubt(doubtful, item, "assumed not in list", run)
        return False
    if unknown is Unknown.DEFERRED:
        _log_doubt(doubtful, item, "returned DEFER", run)
        raise TemporaryFailure("", log_text=f"DNS list {item.domain} cannot be asked")
    _log_doubt(doubtful, item, "assumed in list", run)
    _tell(item, doubtful, [], run)
    return True


async def _answer(
    item: DNSList, key: str, resolver: IResolver, run: ACLRun
) -> list[str] | None:
    """Return the addresses that a list has for a key, None where that is unknown."""
    addresses = await _addresses(key, item.domain, resolver, run)
    if not addresses:
        return addresses
    if item.restriction is not None and not item.restriction.fits(addresses):
        return []
    if item.told_domain != item.domain:
        # The text comes from the first domain, which has to have the key, too.
        confirmed = await _addresses(key, item.told_domain, resolver, run)
        return addresses if confirmed else confirmed
    return addresses


async def _addresses(
    key: str, domain: str, resolver: IResolver, run: ACLRun
) -> list[str] | None:
    name = query_name(key, domain)
    if len(name) > NAME_LIMIT:
        run.logs.panic(
            f"dnslist query is too long (ignored): {name[:100]}...", run.message_id
        )
        return []
    answer = await resolver.query(name, "A")
    if answer.outcome is Outcome.AGAIN:
        return None
    found = []
    for address in answer.records:
        if str(address).startswith(_LISTED):
            found.append(str(address))
        else:
            run.logs.main(
                f"DNS list lookup for {key} at {domain} returned {address}; "
                "not in 127.0/8 and discarded",
                run.message_id,
            )
    return found


def _log_doubt(key: str, item: DNSList, text: str, run: ACLRun) -> None:
    if key and run.logs.selects("dnslist_defer"):
        run.logs.main(
            f"DNS list lookup defer (probably timeout) for "
            f"{query_name(key, item.domain)}: {text}",
            run.message_id,
        )


def _tell(item: DNSList, key: str, addresses: list[str], run: ACLRun) -> None:
    """Leave where a key was found for later expansions."""
    values = run.context.values
    values["dnslist_domain"] = item.told_domain
    values["dnslist_matched"] = key
    values["dnslist_value"] = ", ".join(addresses)
    # The text is looked up when somebody wants it.
    values["dnslist_name"] = query_name(key, item.told_domain)
