"""What ACLs have switched on, for a connection and for the message in hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mta.smtp.reply import Reply


class Submission(NamedTuple):
    """The message comes from a user's own program and is to be completed.

    ``domain`` and ``name`` are None where they were not given.
    """

    sender_retain: bool = False
    domain: str | None = None
    name: str | None = None


@dataclass(slots=True, eq=False)
class Controls:
    """The controls that are on.

    Of the connection: ``enforce_sync`` (None: as the main option says),
    ``multiline_replies``, ``pipelining`` (may be advertised), and
    ``auth_unadvertised`` (AUTH is taken though it was not advertised).  Of the
    message: the others.  ``fake_reply`` is sent in place of the final 250.
    """

    enforce_sync: bool | None = None
    multiline_replies: bool = True
    pipelining: bool = True
    auth_unadvertised: bool = False
    frozen: bool = False
    queue_only: bool = False
    submission: Submission | None = None
    suppress_local_fixups: bool = False
    fake_reply: Reply | None = None

    def reset_message(self) -> None:
        """Switch off what concerned one message."""
        self.frozen = False
        self.queue_only = False
        self.submission = None
        self.suppress_local_fixups = False
        self.fake_reply = None
