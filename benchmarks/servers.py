"""The servers that are measured against each other, each in two settings.

One instance only takes messages into its durable queue; the other relays to a sink, or
delivers to a Maildir.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from benchmarks.accounting import ControlGroup
from tests.interop.peers import Exim, Peer, Postfix, need_root

CHECKOUT = Path(__file__).resolve().parent.parent

_OURS = """\
primary_hostname = ours.test
spool_directory = {d}/spool
dns_servers = <; 127.0.0.1:9
smtp_accept_max = 2500
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = accept
acl_smtp_data = accept
tls_advertise_hosts =
{extra}
begin routers
local:
  driver = accept
  domains = ours.test
  transport = maildir
onward:
  driver = manualroute
  route_list = * 127.0.0.1::{next} byname
  self = send
  transport = smtp
begin transports
maildir:
  driver = appendfile
  directory = {d}/mail
  maildir_format
  user = {user}
  delivery_date_add
  envelope_to_add
  return_path_add
smtp:
  driver = smtp
  allow_localhost
begin retry
* * F,1h,1s
"""


class Measured(Peer):
    """A server in a control group of its own."""

    group: ControlGroup

    def start(self, command: list[str], *, seconds: float = 20) -> None:
        """Start the program inside of its group."""
        self.group = ControlGroup(f"{type(self).__name__}-{self.port}")
        super().start(self.group.wrap(command), seconds=seconds)

    def stop(self) -> None:
        """End the program, and remove its group."""
        super().stop()
        self.group.remove()


class Ours(Measured):
    """This program as a host of the domain ``ours.test``."""

    domain = "ours.test"

    def __init__(self, next_port: int = 9, extra: str = "") -> None:
        super().__init__()
        need_root("the comparison")
        account = pwd.getpwnam("mail")
        self.maildir = self.directory / "mail"
        self.maildir.mkdir()
        os.chown(self.maildir, account.pw_uid, account.pw_gid)
        configuration = self.write(
            "mta.conf",
            _OURS.format(d=self.directory, next=next_port, user="mail", extra=extra),
        )
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        twistd = Path(sys.executable).with_name("twistd")
        self.start(
            [
                str(twistd),
                "--nodaemon",
                "--pidfile=",
                "mta",
                "--quiet",
                "--config",
                str(configuration),
                "--listen",
                f"127.0.0.1.{self.port}",
            ]
        )

    def completed(self) -> int:
        """Return how many messages have left the queue."""
        log = self.directory / "spool" / "log" / "mainlog"
        return log.read_text().count(" Completed\n") if log.exists() else 0


class MeasuredExim(Measured, Exim):
    """Exim, which counts its completed messages."""

    domain = "exim.test"

    def __init__(self, next_port: int = 9, extra: str = "") -> None:
        Exim.__init__(self, next_port, extra, queue_interval="")

    def completed(self) -> int:
        """Return how many messages have left the queue."""
        return self.log().count(" Completed\n")


class MeasuredPostfix(Measured, Postfix):
    """Postfix, which counts its completed messages."""

    domain = "postfix.test"

    def completed(self) -> int:
        """Return how many messages have left the queue."""
        return self.log().count(": removed\n")


KINDS: dict[str, type[Ours] | type[MeasuredExim] | type[MeasuredPostfix]] = {
    "ours": Ours,
    "postfix": MeasuredPostfix,
    "exim": MeasuredExim,
}
QUEUE_ONLY = {
    "ours": "queue_only",
    "exim": "queue_only",
    "postfix": "smtpd_recipient_restrictions = check_client_access static:HOLD, "
    "permit_mynetworks, reject",
}
