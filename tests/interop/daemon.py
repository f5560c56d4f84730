"""Our own daemon as a process, started, killed and looked at from outside."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.interop.programs import Peer, wait_for

CHECKOUT = Path(__file__).resolve().parent.parent.parent

MAIN = """\
primary_hostname = ours.test
spool_directory = {d}/spool
dns_servers = <; 127.0.0.1:{dns}
smtp_accept_max = 200
domainlist local_domains = ours.test
hostlist relay_from_hosts = 127.0.0.1
acl_smtp_rcpt = acl_check_rcpt
tls_advertise_hosts = *
{main}
begin acl
acl_check_rcpt:
  accept domains = +local_domains
  accept hosts = +relay_from_hosts
  deny message = relay not permitted
begin routers
{routers}
local:
  driver = accept
  domains = +local_domains
  local_parts = user : sender : postmaster
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {d}/mail/$local_part_data
  maildir_format
{user}
  delivery_date_add
  envelope_to_add
  return_path_add
smtp:
  driver = smtp
  allow_localhost
{transport}
begin retry
{retry}
"""
ONWARD = """\
onward:
  driver = manualroute
  domains = ! +local_domains
  route_list = * 127.0.0.1::{port} byname
  self = send
  transport = smtp
"""
# To give as ``routers``, where the hosts of other domains are in the DNS.
BY_DNS = """\
by_dns:
  driver = dnslookup
  domains = ! +local_domains
  self = send
  transport = smtp
"""


class Daemon(Peer):
    """Our MTA as the host of the domain ``ours.test``.

    Mail for ``user``, ``sender`` and ``postmaster`` there goes to Maildirs; all else to
    ``next_port``.  Further lines may be given for the main section, before the routers,
    for the smtp transport, and in place of the retry rules.  It runs from the start,
    or where ``runs`` is false when told to.
    """

    def __init__(
        self,
        next_port: int = 9,
        *,
        main: str = "",
        routers: str = "",
        transport: str = "",
        retry: str = "* * F,1h,1s",
        dns_port: int = 9,
        runs: bool = True,
    ) -> None:
        super().__init__()
        user = ""
        (self.directory / "mail").mkdir()
        if os.geteuid() == 0:
            account = pwd.getpwnam("mail")
            os.chown(self.directory / "mail", account.pw_uid, account.pw_gid)
            user = "  user = mail"
        self.configuration = self.write(
            "mta.conf",
            MAIN.format(
                d=self.directory,
                dns=dns_port,
                main=main,
                routers=routers + ONWARD.format(port=next_port),
                transport=transport,
                retry=retry,
                user=user,
            ),
        )
        self.configuration.chmod(0o644)
        if runs:
            self.run()

    @property
    def daemon_command(self) -> list[str]:
        """The command that starts the daemon; its last word is where it listens."""
        return [
            str(Path(sys.executable).with_name("twistd")),
            "--nodaemon",
            "--pidfile=",
            "mta",
            "--config",
            str(self.configuration),
            "--listen",
            f"127.0.0.1.{self.port}",
        ]

    def run(self) -> None:
        """Start the daemon, at first or again."""
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        self.start(self.daemon_command)

    def rewrite(self, before: str, after: str) -> None:
        """Put something in place of a text of the configuration.

        A daemon that runs is started again.
        """
        text = self.configuration.read_text()
        assert before in text, before
        self.configuration.write_text(text.replace(before, after))
        if self.process is not None:
            self.end()
            self.run()

    def kill(self) -> None:
        """End the daemon as a crash of the system does."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def end(self) -> int:
        """End the daemon as an administrator does; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(30)
        self.process = None
        return status

    def command(
        self, *words: str, text: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the command on the daemon's configuration and spool."""
        return subprocess.run(
            [sys.executable, "-m", "mta", "-C", str(self.configuration), *words],
            input=text,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.directory,
        )

    def log(self, name: str = "main") -> str:
        """Return a log so far."""
        path = self.directory / "spool" / "log" / f"{name}log"
        return path.read_text(errors="replace") if path.exists() else ""

    def mailbox(self, name: str = "user") -> list[bytes]:
        """Return the messages of a Maildir, oldest first."""
        return list(self._messages(name))

    def _messages(self, name: str) -> Iterator[bytes]:
        folder = self.directory / "mail" / name / "new"
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    yield path.read_bytes()

    def wait_for_log(self, text: str, seconds: float = 20) -> None:
        """Wait until the main log has a text."""
        try:
            wait_for(lambda: text in self.log(), seconds, text)
        except AssertionError:
            print(self.log())
            raise

    def wait_for_mail(
        self, count: int = 1, name: str = "user", seconds: float = 20
    ) -> list[bytes]:
        """Wait for so many messages in a Maildir; return them."""
        try:
            wait_for(lambda: len(self.mailbox(name)) >= count, seconds, "mail")
        except AssertionError:
            print(self.log())
            raise
        return self.mailbox(name)
