"""How each host is to be spoken to, by the options of an smtp transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta.errors import TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import ClientList
from mta.host import Host
from mta.options import split_list
from mta.transports.smtp_choices import expanded, matches
from mta.transports.smtp_hosts import (
    host_key,
    interface_for,
    port_number,
    with_port,
)
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_proxy import announcement_for
from mta.transports.smtp_tls import tls_policy

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
    interfaces = split_list(await expanded(transport.interface, context))
    interface = interface_for(host.ip_address, interfaces)
    with_address = await transport.retry_include_ip_address.value(context)
    key = host_key(host, port, interface, with_address=with_address)
    host = with_port(host, port)
    return HostSettings(
        host=host,
        port=port,
        interface=interface,
        helo=await transport.helo_data.expand(context),
        policy=await tls_policy(transport, host, context),
        retry_key=key,
        is_lmtp=transport.protocol == "lmtp",
        esmtp=not await matches(transport.hosts_avoid_esmtp, host, context),
        pipelining=not await matches(transport.hosts_avoid_pipelining, host, context),
        chunking=await matches(transport.hosts_try_chunking, host, context),
        serialize=await matches(transport.serialize_hosts, host, context),
        clear_after_refusal=transport.tls_tempfail_tryclear,
        keepalive=transport.keepalive,
        passes_tls=not await matches(transport.hosts_nopass_tls, host, context),
        announcement=await announcement_for(transport, context),
    )


def depends_on_nothing(transport: SMTPTransport) -> bool:
    """Return whether the settings for a host are always the same."""
    lists = [v for v in vars(transport).values() if isinstance(v, ClientList)]
    texts = (
        transport.interface,
        transport.port,
        transport.proxy_source,
        *transport.tls_texts,
    )
    return (
        all(one.text.strip() in ("", "*") for one in lists)
        and all(text is None or text.constant is not None for text in texts)
        and transport.helo_data.text
        in ("$primary_hostname", transport.helo_data.constant)
        and transport.retry_include_ip_address.constant is not None
    )
