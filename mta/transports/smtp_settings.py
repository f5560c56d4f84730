"""How each host is to be spoken to, by the options of an smtp transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import ClientList
from mta.host import Host
from mta.interfaces import ITemplate
from mta.options import split_list
from mta.taint import untainted
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.transports.smtp_hosts import (
    host_key,
    interface_for,
    port_number,
    with_port,
)
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_proxy import announcement_for

if TYPE_CHECKING:
    from mta.transports.smtp import SMTPTransport

PORTS = {"smtp": 25, "lmtp": 24, "smtps": 465, "submissions": 465}


async def settings_for(
    transport: SMTPTransport, host: Host, context: Context
) -> HostSettings:
    """Return how a host is to be spoken to; raise TemporaryFailure or ExpansionError."""
    default = PORTS[transport.protocol]
    port = default if host.port is None else host.port
    if host.port is None and transport.port is not None:
        try:
            port = port_number(await transport.port.expand(context))
        except ValueError as error:
            raise TemporaryFailure(str(error)) from error
    interfaces = split_list(await _expanded(transport.interface, context))
    interface = interface_for(host.ip_address, interfaces)
    with_address = await transport.retry_include_ip_address.value(context)
    key = host_key(host, port, interface, with_address=with_address)
    host = with_port(host, port)
    return HostSettings(
        host=host,
        port=port,
        interface=interface,
        helo=await transport.helo_data.expand(context),
        policy=await _tls_policy(transport, host, context),
        retry_key=key,
        is_lmtp=transport.protocol == "lmtp",
        esmtp=not await _matches(transport.hosts_avoid_esmtp, host, context),
        pipelining=not await _matches(transport.hosts_avoid_pipelining, host, context),
        chunking=await _matches(transport.hosts_try_chunking, host, context),
        serialize=await _matches(transport.serialize_hosts, host, context),
        clear_after_refusal=transport.tls_tempfail_tryclear,
        keepalive=transport.keepalive,
        announcement=await announcement_for(transport, context),
    )


async def _tls_policy(
    transport: SMTPTransport, host: Host, context: Context
) -> ClientTLSPolicy:
    if transport.protocol in ("smtps", "submissions"):
        start = Start.ON_CONNECT
    elif await _matches(transport.hosts_require_tls, host, context):
        # Before the other list: what must not go in clear never does.
        start = Start.REQUIRED
    elif await _matches(transport.hosts_avoid_tls, host, context):
        return ClientTLSPolicy(Start.NEVER, Verify.NEVER)
    else:
        start = Start.OFFERED
    verify = Verify.NEVER
    must, may = transport.tls_verify_hosts, transport.tls_try_verify_hosts
    if _is_empty(must) and _is_empty(may):
        # Exim chapter 30: as it was before there were two lists.
        verify = Verify.REQUIRE
    elif await _matches(must, host, context):
        verify = Verify.REQUIRE
    elif await _matches(may, host, context):
        verify = Verify.TRY
    certificates = await _expanded(transport.tls_verify_certificates, context)
    named = await _matches(transport.tls_verify_cert_hostnames, host, context)
    return ClientTLSPolicy(
        start,
        verify,
        host.name if named and verify is not Verify.NEVER else "",
        await _expanded(transport.tls_sni, context),
        untainted(certificates, "tls_verify_certificates") or "system",
    )


def depends_on_nothing(transport: SMTPTransport) -> bool:
    """Return whether the settings for a host are always the same."""
    lists = [v for v in vars(transport).values() if isinstance(v, ClientList)]
    texts = (
        transport.interface,
        transport.port,
        transport.proxy_source,
        transport.tls_sni,
        transport.tls_verify_certificates,
    )
    return (
        all(one.text.strip() in ("", "*") for one in lists)
        and all(text is None or text.constant is not None for text in texts)
        and transport.helo_data.text
        in ("$primary_hostname", transport.helo_data.constant)
        and transport.retry_include_ip_address.constant is not None
    )


async def _expanded(template: ITemplate | None, context: Context) -> str:
    """Return an option's text; a forced failure is as if it were not set."""
    if template is None:
        return ""
    try:
        return (await template.expand(context)).strip()
    except ForcedFailure:
        return ""


async def _matches(hosts: ClientList | None, host: Host, context: Context) -> bool:
    if hosts is None:
        return False
    if hosts.text == "*":
        return True
    return await hosts.match_host(host, context) is not None


def _is_empty(hosts: ClientList | None) -> bool:
    return hosts is None or not hosts.text.strip()
