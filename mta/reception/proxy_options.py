"""Main options of the PROXY protocol (Exim chapter 58)."""

from __future__ import annotations

from mta.expand.option_types import HostList
from mta.options import Configurable, Integer, Interval, Option


class ProxyOptions(Configurable):
    """Which hosts are proxies, and what is expected of them."""

    hosts_proxy = Option(
        HostList,
        None,
        "Proxies: hosts whose connections must begin with a PROXY header.",
        aliases=("proxy_required_hosts",),
    )
    proxy_protocol_timeout = Option(
        Interval, "3s", "The time in which the whole PROXY header must come."
    )
    smtp_accept_max_per_proxy = Option(
        Integer, "0", "Connections at a time from one proxy; 0 for no limit."
    )
