"""Main options of the SMTP server and its listeners.

They stand apart from what uses them, since every command reads the configuration
and must not load the reactor for it.
"""

from __future__ import annotations

from mta.expand.option_types import (
    Expanded,
    ExpandedInteger,
    ExpandedInterval,
    HostList,
)
from mta.options import (
    Boolean,
    Configurable,
    FixedPoint,
    Integer,
    Option,
    String,
    StringList,
)

DEFAULT_BANNER = "$smtp_active_hostname ESMTP MTA $version_number $tod_full"


class SMTPOptions(Configurable):
    """What the SMTP server offers, demands and tolerates."""

    smtp_banner = Option(
        Expanded, DEFAULT_BANNER, "The text of the greeting, after its code 220."
    )
    accept_8bitmime = Option(Boolean, "true", "Offer 8BITMIME.")
    pipelining_advertise_hosts = Option(HostList, "*", "Hosts offered PIPELINING.")
    chunking_advertise_hosts = Option(HostList, "*", "Hosts offered CHUNKING.")
    smtputf8_advertise_hosts = Option(HostList, "*", "Hosts offered SMTPUTF8.")
    requiretls_advertise_hosts = Option(
        HostList, "*", "Hosts offered REQUIRETLS, inside TLS."
    )
    limits_advertise_hosts = Option(HostList, "*", "Hosts offered LIMITS.")
    dsn_advertise_hosts = Option(HostList, None, "Hosts offered DSN.")
    auth_advertise_hosts = Option(HostList, "*", "Hosts offered AUTH.")
    smtp_enhanced_status_codes = Option(
        Boolean,
        "false",
        "Offer ENHANCEDSTATUSCODES, and begin every reply with such a code.",
    )
    hosts_require_helo = Option(
        HostList, "*", "Hosts that must say HELO or EHLO before MAIL."
    )
    helo_allow_chars = Option(
        String, None, "Further characters that a name in HELO or EHLO may have."
    )
    helo_accept_junk_hosts = Option(
        HostList, None, "Hosts whose argument to HELO or EHLO may be anything."
    )
    helo_verify_hosts = Option(
        HostList, None, "Hosts whose name in HELO or EHLO must be their own."
    )
    helo_try_verify_hosts = Option(
        HostList, None, "Hosts whose name in HELO or EHLO is looked at, no more."
    )
    host_lookup = Option(
        HostList, None, "Hosts whose name is looked up when they connect."
    )
    host_reject_connection = Option(
        HostList, None, "Hosts that are sent away when they connect."
    )
    hosts_connection_nolog = Option(
        HostList, None, "Hosts whose connections are not logged."
    )
    sender_unqualified_hosts = Option(
        HostList, None, "Hosts that may give a sender without a domain."
    )
    recipient_unqualified_hosts = Option(
        HostList, None, "Hosts that may give a recipient without a domain."
    )
    allow_domain_literals = Option(
        Boolean, "false", "Accept addresses such as user@[192.0.2.1]."
    )
    smtp_enforce_sync = Option(
        Boolean, "true", "End sessions whose client does not wait for replies."
    )
    smtp_receive_timeout = Option(
        ExpandedInterval, "5m", "How long to wait for the next octets of a client."
    )
    smtp_accept_max = Option(Integer, "20", "Connections at a time; 0 for no limit.")
    smtp_accept_max_per_host = Option(
        ExpandedInteger, None, "Connections at a time from one IP address."
    )
    smtp_accept_reserve = Option(
        Integer, "0", "How many of smtp_accept_max are for smtp_reserve_hosts only."
    )
    smtp_reserve_hosts = Option(HostList, None, "Hosts for which slots are reserved.")
    smtp_load_reserve = Option(
        FixedPoint, None, "System load above which only smtp_reserve_hosts are served."
    )
    smtp_accept_queue = Option(
        Integer, "0", "Connections above which messages are queued, not delivered."
    )
    smtp_accept_queue_per_connection = Option(
        Integer, "10", "Messages of a connection after which the rest is queued."
    )
    smtp_accept_max_per_connection = Option(
        ExpandedInteger, "1000", "Messages in one connection; 0 for no limit."
    )
    smtp_accept_max_nonmail = Option(
        Integer, "10", "Commands that move no mail in one connection."
    )
    smtp_accept_max_nonmail_hosts = Option(
        HostList, "*", "Hosts for which smtp_accept_max_nonmail holds."
    )
    smtp_max_unknown_commands = Option(
        Integer, "3", "Unknown commands in one connection."
    )
    smtp_max_synprot_errors = Option(
        Integer, "3", "Errors of syntax or sequence in one connection."
    )
    message_size_limit = Option(
        ExpandedInteger, "50M", "The octets that a message may have; 0 for no limit."
    )
    recipients_max = Option(
        ExpandedInteger, "50000", "Recipients of one message; 0 for no limit."
    )
    recipients_max_reject = Option(
        Boolean, "false", "Refuse a whole message that has too many recipients."
    )


class ListenerOptions(Configurable):
    """Where the SMTP server listens."""

    daemon_smtp_ports = Option(
        StringList, "smtp", "Ports to listen on, where an interface names none."
    )
    local_interfaces = Option(
        StringList,
        "<; ::0 ; 0.0.0.0",
        "IP addresses to listen on, perhaps with a port.",
    )
    tls_on_connect_ports = Option(
        StringList, None, "Ports, opened elsewhere, on which TLS begins at once."
    )
    disable_ipv6 = Option(Boolean, "false", "Do not listen on IPv6 addresses.")
    smtp_connect_backlog = Option(
        Integer, "20", "Connections that the system keeps until they are accepted."
    )
    smtp_accept_keepalive = Option(
        Boolean, "true", "Find dead clients by TCP keepalive."
    )
    tcp_nodelay = Option(Boolean, "true", "Send replies at once (TCP_NODELAY).")
