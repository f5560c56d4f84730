"""Main options about callouts (Exim chapter 43, "Callout verification")."""

from __future__ import annotations

from mta.expand.option_types import Expanded
from mta.options import Configurable, Interval, Option


class CalloutOptions(Configurable):
    """Main options about callouts."""

    callout_domain_negative_expire = Option(
        Interval,
        "3h",
        "How long it is remembered that a domain refuses callouts or its postmaster.",
    )
    callout_domain_positive_expire = Option(
        Interval, "7d", "How long other things about a domain are remembered."
    )
    callout_negative_expire = Option(
        Interval, "2h", "How long it is remembered that an address was refused."
    )
    callout_positive_expire = Option(
        Interval, "24h", "How long it is remembered that an address was accepted."
    )
    callout_random_local_part = Option(
        Expanded,
        "$primary_hostname-$tod_epoch-testing",
        "The local part by which callouts find hosts that accept every address.",
    )
