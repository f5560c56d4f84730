"""What an smtp transport's options say for one host and one message."""

from __future__ import annotations

from mta.errors import ForcedFailure
from mta.expand.context import Context
from mta.expand.option_types import ClientList
from mta.host import Host
from mta.interfaces import ITemplate


async def expanded(template: ITemplate | None, context: Context) -> str:
    """Return an option's text; a forced failure is as if it were not set."""
    if template is None:
        return ""
    try:
        return (await template.expand(context)).strip()
    except ForcedFailure:
        return ""


async def matches(hosts: ClientList | None, host: Host, context: Context) -> bool:
    """Return whether a host is in a list; none is in a list that is not set."""
    if hosts is None:
        return False
    if hosts.text == "*":
        return True
    return await hosts.match_host(host, context) is not None


def ascii_name(name: str) -> str:
    """Return a host's name as DNS and certificates have it (A-labels, no last dot)."""
    if name.isascii():
        return name.removesuffix(".").lower()
    # It loads dnspython.
    from mta.dns.names import canonical_name  # noqa: PLC0415

    return canonical_name(name)


def is_empty(hosts: ClientList | None) -> bool:
    """Return whether a list is not set, or has nothing in it."""
    return hosts is None or not hosts.text.strip()
