"""Main options about the queue and its deliveries."""

from __future__ import annotations

from mta.expand.option_types import DomainList, ExpandedInteger
from mta.options import Boolean, Configurable, Integer, Interval, Option


class QueueOptions(Configurable):
    """When messages are delivered, how many at once, and for how long they may fail."""

    auto_thaw = Option(
        Interval, "0s", "Thaw a message that was frozen for this long; 0s means never."
    )
    deliver_max_parallel = Option(
        Integer, "100", "How many messages are delivered at once (an option of ours)."
    )
    hold_domains = Option(
        DomainList, None, "Domains to which nothing is delivered, except by force."
    )
    ignore_bounce_errors_after = Option(
        Interval, "10w", "Discard a bounce that cannot be delivered after this long."
    )
    queue_domains = Option(
        DomainList, None, "Domains that are delivered to in queue runs only."
    )
    queue_only = Option(
        Boolean, "false", "Deliver nothing on arrival, but in queue runs only."
    )
    queue_run_max = Option(
        ExpandedInteger, "5", "How many queue runs may be active; 0 means any number."
    )
    remote_max_parallel = Option(
        Integer, "6", "How many deliveries of one message are made at once."
    )
    timeout_frozen_after = Option(
        Interval, "0s", "Give up a message that is frozen and so old; 0s means never."
    )
