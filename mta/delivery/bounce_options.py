"""Main options about reports to senders."""

from __future__ import annotations

from mta.expand.option_types import Expanded
from mta.options import Boolean, Configurable, Integer, IntervalList, Option, String

_LISTS_AND_ROBOTS = (
    "${if or{"
    "{!eq{$h_list-id:$h_list-post:$h_list-subscribe:}{}}"
    "{match{$h_precedence:}{(?i)bulk|list|junk}}"
    "{match{$h_auto-submitted:}{(?i)auto-generated|auto-replied}}"
    "}{no}{yes}}"
)


class BounceOptions(Configurable):
    """Main options about reports to senders."""

    bounce_message_text = Option(
        String, None, "Text that is put at the top of every bounce."
    )
    bounce_return_body = Option(
        Boolean, "true", "Return the body too, not the header section alone."
    )
    bounce_return_linesize_limit = Option(
        Integer, "998", "Return no body that has a longer line than this."
    )
    bounce_return_message = Option(
        Boolean, "true", "Return the message, or at least its header section."
    )
    bounce_return_size_limit = Option(
        Integer,
        "100K",
        "How much of a body is returned; 0 means all of it.",
        aliases=("return_size_limit",),
    )
    delay_warning = Option(
        IntervalList,
        "24h",
        "Times in the queue after which a sender is warned; the last two set the rest.",
    )
    delay_warning_condition = Option(
        Expanded, _LISTS_AND_ROBOTS, "Whether a sender is warned at all."
    )
    dsn_from = Option(
        Expanded,
        "Mail Delivery System <Mailer-Daemon@$qualify_domain>",
        "The author of reports.",
    )
    errors_reply_to = Option(String, None, "The Reply-To: field of reports.")
