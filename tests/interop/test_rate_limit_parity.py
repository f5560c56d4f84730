"""The same rate limits in the same sessions, here and in the real Exim."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.acl.memory_hints import MemoryHints
from tests.interop.programs import environment, need_root, program
from tests.reception.serving import Server

OPTIONS = """
acl_smtp_connect = c
acl_smtp_helo = h
acl_smtp_mail = m
acl_smtp_rcpt = r
acl_smtp_predata = p
acl_smtp_data = d
"""
# Each condition in an ACL, and in a log line the rate that it left.
CONDITIONS = {
    "c": (
        "0 / 1h / per_conn / strict",
        "0 / 1h / per_conn / strict / other/key",
        "0 / 1h / readonly",
        "0 / 1h / per_byte",
    ),
    "h": (
        "0 / 1h / per_cmd / strict / commands",
        "0 / 1h / per_cmd / strict / commands",
        "0 / 1h / per_conn / strict",
    ),
    "m": (
        "0 / 1h / per_cmd / strict / commands",
        "0 / 1h / readonly",
        "0 / 1h / strict",
        "0 / 1h / strict / count=5",
        "0 / 1h / readonly",
        "0 / 1h / per_byte / strict / octets",
        "0 / 1h / per_rcpt / from-mail",
        "1K / 1h / leaky / per_mail / count=2.5 / more",
        "1.5K / 1h / LEAKY / Per_Mail / Count=2.5 / even-more",
        "2.5 / 1h / per_mail / full",
        "0 / 1h / strict / unique=$sender_address / senders",
        "0 / 1h / readonly / unique=nobody / senders",
    ),
    "r": (
        "0 / 1h / per_rcpt / strict / recipients",
        "0 / 1h / per_rcpt / strict / recipients",
        "0 / 1h / per_addr / strict / addresses",
        "0 / 1h / per_mail / strict / $local_part",
        "1 / 1h / per_rcpt / leaky / one",
        "3 / 1h / per_rcpt / leaky / three",
        "3 / 1h / per_rcpt / readonly / three",
        "9 / 60m / per_cmd / from-$sender_host_address",
        "0 / 1h / per_rcpt / strict / unique=$local_part / local-parts",
    ),
    "p": (
        "0 / 1h / per_rcpt / strict / all",
        "0 / 1h / per_addr / addresses",
        "0 / 1h / per_cmd / strict / content",
    ),
    "d": (
        "0 / 1h / per_rcpt / strict / all",
        "0 / 1h / per_cmd / strict / content",
        "0 / 1h / per_conn / strict",
    ),
}
SESSION = """\
EHLO x
MAIL FROM:<a@b.example> SIZE=1000
RCPT TO:<one@x.example>
RCPT TO:<two@x.example>
RCPT TO:<one@x.example>
DATA
Subject: test

text
.
MAIL FROM:<c@b.example> SIZE=500
RCPT TO:<three@x.example>
RSET
MAIL FROM:<a@b.example>
RCPT TO:<four@x.example>
QUIT
"""
CONNECTIONS = 3
_LOGGED = re.compile(r"rate ((?:over|under) \w+) ([0-9.]+) (.*)")
CONFIGURATION = """\
primary_hostname = exim.test
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
keep_environment = LD_LIBRARY_PATH
host_lookup =
queue_only
{options}
begin acl
{acls}
"""


def acls() -> str:
    """Return ACLs that log the rate of each condition, and whether it is true."""
    lines = []
    for name, conditions in CONDITIONS.items():
        lines.append(f"{name}:")
        for number, limit in enumerate(conditions):
            text = f"{name}{number} $sender_rate $sender_rate_limit $sender_rate_period"
            for sign, word in (("", "over"), ("!", "under")):
                lines.append(f"  warn {sign}ratelimit = {limit}")
                lines.append(f"       logwrite = rate {word} {text}")
        lines.append("  accept")
    return "\n".join(lines)


def rates(lines: list[str]) -> list[str]:
    """Return what the ACLs logged, with three digits of each rate.

    What a rate loses between two commands is less than that.
    """
    found = []
    for line in lines:
        match = _LOGGED.search(line)
        if match is not None:
            found.append(f"{match[1]} {float(match[2]):.3g} {match[3]}")
    return found


class RateLimitParityTests(SynchronousTestCase):
    """Rates and verdicts in three connections of one client."""

    maxDiff = None

    def exims(self) -> list[str]:
        """Return what Exim logs."""
        need_root("Exim")
        exim = program("exim4")
        directory = Path(tempfile.mkdtemp(prefix="mta-rates-"))
        self.addCleanup(shutil.rmtree, directory)
        directory.chmod(0o755)
        account = pwd.getpwnam("Debian-exim")
        for folder in ("spool", "log"):
            (directory / folder).mkdir()
            os.chown(directory / folder, account.pw_uid, account.pw_gid)
        path = directory / "exim.conf"
        path.write_text(CONFIGURATION.format(d=directory, options=OPTIONS, acls=acls()))
        path.chmod(0o644)
        for _ in range(CONNECTIONS):
            subprocess.run(
                [exim, "-C", str(path), "-oMa", "192.0.2.7", "-bs"],
                input=SESSION.replace("\n", "\r\n").encode(),
                stdout=subprocess.DEVNULL,
                env=environment(),
                timeout=30,
                check=True,
            )
        return rates((directory / "log" / "mainlog").read_text().splitlines())

    def ours(self) -> list[str]:
        """Return what we log."""
        server = Server(OPTIONS, acls())
        hints = MemoryHints()
        server.site.hints = hints
        for _ in range(CONNECTIONS):
            client = server.connect("192.0.2.7")
            for line in SESSION.splitlines():
                hints.now += 0.001
                client.says(line.encode() + b"\r\n")
            self.assertTrue(client.transport.is_closed)
        self.assertEqual([], server.panics)
        return rates(server.logs.lines)

    def test_sessions(self) -> None:
        """Every condition has the same rate and is as true as in Exim."""
        expected = self.exims()

        self.assertEqual(expected, self.ours())
        self.assertGreater(len(expected), 150)
