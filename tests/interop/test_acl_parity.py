"""The same ACLs in the same session, here and in the real Exim.

What is compared: the replies to two RCPT commands, and the lines of the main, the
reject and the panic log.  Senders and recipients are all unrouteable.  ``acls.txt``
holds the ACLs, an empty line behind each.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.expansion import ExpansionACLs
from mta.log import printable
from mta.testing import FakeVerification
from tests.acl.memory_hints import MemoryHints
from tests.interop.programs import environment, need_root, program
from tests.reception.serving import Server

ACLS = Path(__file__).with_name("acls.txt")
OPTIONS = """
domainlist ours = example.com : example.net
hostlist friends = 192.0.2.0/24
acl_smtp_rcpt = test
"""
CONFIGURATION = """\
primary_hostname = mx.example
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
keep_environment = LD_LIBRARY_PATH
host_lookup =
queue_only
{options}
begin acl
test:
{acl}
begin routers
all:
  driver = redirect
  data = :fail: no such user here
  allow_fail
"""
SESSION = """\
EHLO x
MAIL FROM:<a@b.example>
RCPT TO:<Bob@example.com>
RCPT TO:<Bob@example.com>
QUIT
"""
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


class Told:
    """What a session was told, and what the logs were."""

    def __init__(self, replies: str, logs: dict[str, list[str]]) -> None:
        lines = replies.splitlines()
        # What comes before the reply to MAIL is not of interest here.
        self.replies = lines[lines.index("250 OK") + 1 :]
        self.logs = logs

    def __str__(self) -> str:
        logs = (f"{name}: {line}" for name in self.logs for line in self.logs[name])
        return "\n".join((*self.replies, *logs))


class ACLParityTests(SynchronousTestCase):
    """Every text of the table."""

    maxDiff = None

    def exims(self, acl: str) -> Told:
        """Return what Exim says."""
        directory = Path(tempfile.mkdtemp(prefix="mta-acl-"))
        try:
            directory.chmod(0o755)
            account = pwd.getpwnam("Debian-exim")
            for folder in ("spool", "log"):
                (directory / folder).mkdir()
                os.chown(directory / folder, account.pw_uid, account.pw_gid)
            path = directory / "exim.conf"
            path.write_text(CONFIGURATION.format(d=directory, options=OPTIONS, acl=acl))
            path.chmod(0o644)
            result = subprocess.run(
                [program("exim4"), "-C", str(path), "-oMa", "192.0.2.7", "-bs"],
                input=SESSION.replace("\n", "\r\n").encode(),
                capture_output=True,
                env=environment(),
                timeout=30,
                check=False,
            )
            logs = {
                name: self.log_lines(directory / "log" / f"{name}log")
                for name in ("main", "reject", "panic")
            }
            return Told(result.stdout.decode(), logs)
        finally:
            shutil.rmtree(directory)

    def log_lines(self, path: Path) -> list[str]:
        """Return a log without times, and without the user who runs the test."""
        if not path.exists():
            return []
        lines = path.read_text().splitlines()
        return [_STAMP.sub("", line).replace(" U=root", "") for line in lines]

    def ours(self, acl: str) -> Told:
        """Return what we say."""
        server = Server(OPTIONS, f"test:\n{acl}")
        server.site.hints = MemoryHints()
        server.site.run_acl = ExpansionACLs(server.policy._acls, server.logs)
        server.verifier.unknown = FakeVerification(
            "fail", "no such user here", True, "route"
        )
        client = server.connect("192.0.2.7")
        replies = client.transport.take()
        for line in SESSION.splitlines():
            replies += client.says(line.encode() + b"\r\n")
            if server.clock.calls:
                server.clock.advance(1)
                replies += client.transport.take()
        logs = {
            "main": server.logs.main_lines,
            "reject": server.logs.reject_lines,
            "panic": server.logs.panic_lines,
        }
        return Told(
            replies.decode(),
            {name: [printable(text) for text, _ in logs[name]] for name in logs},
        )

    def test_texts(self) -> None:
        """Client and logs are told what Exim tells them."""
        need_root("Exim")
        program("exim4")
        different = []
        for acl in ACLS.read_text("utf-8").rstrip("\n").split("\n\n"):
            expected, found = str(self.exims(acl)), str(self.ours(acl))
            if expected != found:
                different.append(f"{acl}\n--- Exim:\n{expected}\n--- here:\n{found}\n")

        self.assertEqual("", "\n".join(different))
