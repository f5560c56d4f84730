"""What a client's address alone decides when it connects."""

from __future__ import annotations

from typing import NamedTuple

from mta.reception.extensions import Hosts
from mta.reception.options import SMTPOptions


class Standing(NamedTuple):
    """How a client that is served is treated."""

    is_logged: bool = True
    requires_helo: bool = True
    accepts_junk_helo: bool = False
    counts_nonmail: bool = True


def common_standing(options: SMTPOptions) -> Standing | None:
    """Return the standing of every client; None where clients differ.

    Most configurations name no hosts in these options, so that nothing need be
    looked at for each connection.
    """
    if (
        options.host_lookup is not None
        or options.host_reject_connection is not None
        or options.smtp_accept_max_per_host is not None
        or options.smtp_accept_reserve > 0
        or options.smtp_load_reserve is not None
    ):
        return None
    found = [
        _constant(hosts)
        for hosts in (
            options.hosts_connection_nolog,
            options.hosts_require_helo,
            options.helo_accept_junk_hosts,
            options.smtp_accept_max_nonmail_hosts,
        )
    ]
    if None in found:
        return None
    unlogged, helo, junk, nonmail = map(bool, found)
    return Standing(not unlogged, helo, junk, nonmail)


def _constant(hosts: Hosts | None) -> bool | None:
    """Return whether all hosts are in a list, or none; None where some are."""
    if hosts is None:
        return False
    return True if hosts.text == "*" else None
