"""Real mail programs as peers, on loopback ports, from scratch directories."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from tests.interop.programs import (
    Peer,
    answers,
    environment,
    free_port,
    need_root,
    peers_root,
    program,
    wait_for,
)

__all__ = [
    "Dovecot",
    "Exim",
    "Peer",
    "Postfix",
    "SMTPSink",
    "answers",
    "environment",
    "free_port",
    "need_root",
    "peers_root",
    "program",
    "wait_for",
]


class SMTPSink(Peer):
    """Postfix's smtp-sink: takes every message and throws it away."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        sink = program("smtp-sink")
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.start([sink, *user, *options, f"127.0.0.1:{self.port}", "200"])


class Exim(Peer):
    """Exim as a host of the domain ``exim.test``.

    Mail for ``exim.test`` goes to one Maildir; all else to ``next_port``.
    """

    def __init__(
        self,
        next_port: int = 9,
        extra: str = "",
        transport: str = "",
        queue_interval: str = "1s",
    ) -> None:
        super().__init__()
        need_root("Exim")
        exim = program("exim4")
        account = pwd.getpwnam("Debian-exim")
        for folder in ("spool", "log", "mail"):
            (self.directory / folder).mkdir()
            os.chown(self.directory / folder, account.pw_uid, account.pw_gid)
        self.maildir = self.directory / "mail"
        self.write(
            "exim.conf",
            _EXIM.format(
                d=self.directory,
                exim=exim,
                next=next_port,
                extra=extra,
                transport=transport,
            ),
        )
        (self.directory / "exim.conf").chmod(0o644)
        self.command = [exim, "-C", str(self.directory / "exim.conf")]
        self.start(
            [
                *self.command,
                "-bdf",
                *([f"-q{queue_interval}"] if queue_interval else []),
                "-oX",
                f"127.0.0.1.{self.port}",
                "-oP",
                str(self.directory / "pid"),
            ]
        )

    def log(self) -> str:
        """Return the main log so far."""
        path = self.directory / "log" / "mainlog"
        return path.read_text(errors="replace") if path.exists() else ""


_EXIM = """\
primary_hostname = exim.test
exim_path = {exim}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
keep_environment = LD_LIBRARY_PATH
domainlist local_domains = exim.test
acl_smtp_rcpt = accept
acl_smtp_data = accept
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
queue_run_max = 5
hosts_connection_nolog = *
pipelining_connect_advertise_hosts =
{extra}
begin routers
local:
  driver = accept
  domains = +local_domains
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
  user = Debian-exim
  delivery_date_add
  envelope_to_add
  return_path_add
smtp:
  driver = smtp
  allow_localhost
  {transport}
begin retry
* * F,1h,1s
"""


class Postfix(Peer):
    """Postfix as a host of the domain ``postfix.test``.

    Mail for ``postfix.test`` goes to one Maildir; all else to ``next_port``.
    """

    def __init__(self, next_port: int = 9, extra: str = "") -> None:
        super().__init__()
        need_root("Postfix")
        self._programs = Path(program("master")).parent
        self.maildir = self.directory / "mail" / "postfix.test" / "user"
        self._make_queue()
        self._write_configuration(next_port, extra)
        master = str(self._programs / "master")
        self.start([master, "-c", str(self.directory / "etc"), "-d"])

    def log(self) -> str:
        """Return the log so far."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _make_queue(self) -> None:
        account = pwd.getpwnam("postfix")
        private = (
            "active bounce corrupt defer deferred flush hold incoming private saved "
            "trace"
        )
        for name in private.split():
            folder = self.directory / "queue" / name
            folder.mkdir(parents=True)
            folder.chmod(0o700)
            os.chown(folder, account.pw_uid, -1)
        for name, mode in (("public", 0o710), ("maildrop", 0o730), ("pid", 0o755)):
            folder = self.directory / "queue" / name
            folder.mkdir()
            shutil.chown(folder, "root" if name == "pid" else "postfix", "postdrop")
            folder.chmod(mode)
        for name in ("data", "mail"):
            (self.directory / name).mkdir()
            os.chown(self.directory / name, account.pw_uid, account.pw_gid)

    def _write_configuration(self, next_port: int, extra: str) -> None:
        root = peers_root()
        base = root / "usr" if root is not None else Path("/usr")
        account = pwd.getpwnam("postfix")
        self.write(
            "etc/main.cf",
            _MAIN_CF.format(
                d=self.directory,
                base=base,
                programs=self._programs,
                next=next_port,
                uid=account.pw_uid,
                gid=account.pw_gid,
                extra=extra,
                libraries=environment().get("LD_LIBRARY_PATH", ""),
            ),
        )
        self.write("etc/master.cf", _MASTER_CF.format(port=self.port))


_MAIN_CF = """\
compatibility_level = 3.6
daemon_directory = {programs}
command_directory = {base}/sbin
shlib_directory = {base}/lib/postfix
meta_directory = {d}/etc
queue_directory = {d}/queue
data_directory = {d}/data
mail_owner = postfix
setgid_group = postdrop
import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH={libraries}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = static:postfix.test/user/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtp_dns_support_level = disabled
smtp_host_lookup = native
relayhost = [127.0.0.1]:{next}
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 100
minimal_backoff_time = 1s
queue_run_delay = 1s
maillog_file = {d}/log
maillog_file_prefixes = {d}
{extra}
"""

_MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Dovecot(Peer):
    """Dovecot as an LMTP server that knows the user ``user@dovecot.test``."""

    def __init__(self) -> None:
        super().__init__()
        need_root("Dovecot")
        dovecot = program("dovecot")
        program("lmtp")
        shutil.chown(self.directory, "mail", "mail")
        self.maildir = self.directory / "mail" / "user"
        (self.directory / "mail").mkdir()
        shutil.chown(self.directory / "mail", "mail", "mail")
        account = pwd.getpwnam("mail")
        self.write(
            "users",
            f"user@dovecot.test::{account.pw_uid}:{account.pw_gid}::"
            f"{self.directory}/mail/user::\n",
        )
        path = self.write(
            "dovecot.conf",
            _DOVECOT.format(d=self.directory, port=self.port, uid=account.pw_uid),
        )
        self.start([dovecot, "-F", "-c", str(path)])


_DOVECOT = """\
base_dir = {d}/base
state_dir = {d}/state
log_path = {d}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
first_valid_uid = 1
mail_location = maildir:~/
default_internal_user = mail
default_internal_group = mail
default_login_user = nobody
userdb {{
  driver = passwd-file
  args = {d}/users
}}
passdb {{
  driver = passwd-file
  args = {d}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
