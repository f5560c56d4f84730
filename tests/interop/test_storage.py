"""The disk is full or broken: what clients hear, and what becomes of the queue."""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from unittest import SkipTest

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send
from tests.interop.programs import free_port, wait_for

WITHOUT_RESERVE = """\
check_spool_space = 0
check_spool_inodes = 0
check_log_space = 0
check_log_inodes = 0
"""
REDIRECTED = """\
redirected:
  driver = redirect
  domains = ! +local_domains
  condition = false
  data = user@ours.test
"""
SMALL = b"a line\r\n" * 100
LARGE = b"a line of some length\r\n" * 10_000
NO_SPACE = (452, b"Space shortage, please try later")


def mount_small(directory: Path) -> None:
    """Put a file system of three megabytes in place of a directory, or skip."""
    if os.geteuid() != 0:
        raise SkipTest("only root can mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", "size=3M,mode=755", "none", str(directory)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise SkipTest(f"cannot mount a file system: {done.stderr.decode()}")


def fill(path: Path) -> None:
    """Write a file until there is no space left."""
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def database(daemon: Daemon) -> Path:
    """Return where the queue is."""
    return daemon.directory / "spool" / "queue" / "queue.db"


class FullDiskTests(DaemonTestCase):
    """The spool's file system has no space left."""

    def small_daemon(self, main: str) -> Daemon:
        daemon = self.sick_daemon(main=main, runs=False)
        spool = daemon.directory / "spool"
        spool.mkdir()
        mount_small(spool)
        self.addCleanup(subprocess.run, ["umount", "-l", str(spool)], check=True)
        daemon.run()
        return daemon

    def test_reserve(self) -> None:
        """Before it is full, MAIL is refused for now and says that space is short."""
        daemon = self.small_daemon("")

        self.assertEqual(NO_SPACE, send(daemon.port))

    def test_full(self) -> None:
        """Messages of every size are refused for now; with space all goes on."""
        daemon = self.small_daemon(WITHOUT_RESERVE)
        self.assertEqual(250, send(daemon.port, "someone@far.test")[0])
        daemon.wait_for_log("== someone@far.test")
        fill(daemon.directory / "spool" / "filling")

        answers = [send(daemon.port, body=body) for body in (SMALL, LARGE) * 2]
        self.assertEqual([NO_SPACE] * 4, answers)

        (daemon.directory / "spool" / "filling").unlink()
        for body in (SMALL, LARGE):
            self.assertEqual(250, send(daemon.port, body=body)[0])
        found = daemon.wait_for_mail(2)
        self.assertEqual(2, len(found))
        self.assertIn(LARGE.replace(b"\r\n", b"\n"), b"".join(found))
        listing = daemon.command("-bp").stdout
        self.assertEqual(1, listing.count(b"someone@far.test"))
        # What happened meanwhile is told when there is space; the waiting message may
        # have been tried then, too.
        told = re.findall(r"is full\n|No space left on device\n", daemon.log("panic"))
        self.assertGreaterEqual(len(told), 4)


class FullMailboxTests(DaemonTestCase):
    """The file system of the mailboxes has no space left."""

    def test_full(self) -> None:
        """Messages wait, and what was begun is removed; with space they arrive."""
        daemon = self.daemon(runs=False)
        folder = daemon.directory / "mail"
        owner = folder.stat()
        mount_small(folder)
        self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], check=True)
        os.chown(folder, owner.st_uid, owner.st_gid)
        daemon.run()
        send(daemon.port)
        daemon.wait_for_mail()
        fill(folder / "filling")

        for body in (SMALL, LARGE):
            self.assertEqual(250, send(daemon.port, body=body)[0])
        daemon.wait_for_log(
            "== user@ours.test R=local T=maildir defer (28): No space left on device: "
            "while writing to "
        )
        self.assertEqual(1, len(daemon.mailbox()))
        (folder / "filling").unlink()

        daemon.wait_for_mail(3)
        wait_for(
            lambda: daemon.command("-bpc").stdout.strip() == b"0", 20, "an empty queue"
        )
        self.assertEqual(3, len(daemon.mailbox()))
        self.assertEqual([], list((folder / "user" / "tmp").iterdir()))


class BrokenSpoolTests(DaemonTestCase):
    """The database is not what was written."""

    def test_row(self) -> None:
        """A row that cannot be read is set aside and told; the others go on."""
        daemon = self.sick_daemon(routers=REDIRECTED)
        for _ in range(3):
            send(daemon.port, "someone@far.test")
        wait_for(lambda: daemon.log().count("== someone@") == 3, 20, "three tries")
        daemon.end()
        with closing(sqlite3.connect(database(daemon))) as connection, connection:
            rows = connection.execute("SELECT id FROM message ORDER BY id")
            broken, *others = [row[0] for row in rows]
            connection.execute(
                "UPDATE message SET record = x'00' WHERE id = ?", (broken,)
            )

        daemon.rewrite("condition = false", "condition = true")
        daemon.run()
        daemon.wait_for_mail(2)

        for message_id in others:
            daemon.wait_for_log(f"{message_id} Completed")
        self.assertRegex(
            daemon.log("panic"), rf"^\S+ \S+ {broken} spool: message set aside: .*\n$"
        )
        with closing(sqlite3.connect(database(daemon))) as connection:
            kept = connection.execute("SELECT id, length(header) FROM broken")
            self.assertEqual([broken], [row[0] for row in kept if row[1]])

    def test_file(self) -> None:
        """A body whose file is gone is set aside, too."""
        daemon = self.sick_daemon()
        send(daemon.port, "someone@far.test", body=LARGE)
        daemon.wait_for_log("== someone@far.test")
        (body,) = (database(daemon).parent / "bodies").iterdir()

        body.unlink()
        self.assertEqual(0, daemon.command("-q").returncode)

        self.assertIn("spool: message set aside: the file of the body", daemon.log())
        self.assertEqual(b"0", daemon.command("-bpc").stdout.strip())

    def check_refused(self, start: int) -> None:
        daemon = self.sick_daemon()
        send(daemon.port, "someone@far.test")
        daemon.end()
        with open(database(daemon), "r+b") as file:
            size = os.path.getsize(file.fileno())
            file.seek(start)
            file.write(b"\xaa" * (size - start))

        started = subprocess.run(
            daemon.daemon_command, capture_output=True, timeout=20, check=False
        )

        self.assertEqual(1, started.returncode)
        shown = started.stdout + started.stderr
        self.assertEqual(1, len(re.findall(rb"mta: cannot \w+ the spool", shown)))
        self.assertNotIn(b"Traceback", shown)
        self.assertIn("daemon abandoned", daemon.log("panic"))
        listed = daemon.command("-bp")
        self.assertEqual(1, listed.returncode)
        self.assertRegex(listed.stderr, rb"^mta: .*\n$")
        submitted = daemon.command("user@ours.test", text=b"hello\n")
        self.assertNotEqual(0, submitted.returncode)

    def test_head(self) -> None:
        """A file that is no database keeps the daemon from starting, with the reason."""
        self.check_refused(0)

    def test_pages(self) -> None:
        """So does one whose pages are broken."""
        self.check_refused(4096)


class SharedSpoolTests(DaemonTestCase):
    """Two daemons work on one spool."""

    def test_two(self) -> None:
        """Each message is delivered once, and a queue run of the one spares the other's."""
        daemon = self.daemon()
        port = free_port()
        command = [*daemon.daemon_command[:-1], f"127.0.0.1.{port}", "-q1s"]
        other = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.addCleanup(other.wait, 10)
        self.addCleanup(other.terminate)
        wait_for(lambda: _greets(port), 20, "the other daemon")

        clients = [
            threading.Thread(target=_send_many, args=(place,))
            for place in (daemon.port, port) * 2
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(60)

        wait_for(lambda: daemon.log().count(" Completed\n") >= 100, 30, "100 messages")
        self.assertEqual(100, len(daemon.mailbox()))
        ids = re.findall(r" (\S+) <= ", daemon.log())
        self.assertEqual(100, len(set(ids)))
        self.assertEqual(100, daemon.log().count(" => user "))


def _greets(port: int) -> bool:
    with contextlib.suppress(OSError), smtplib.SMTP("127.0.0.1", port, timeout=5):
        return True
    return False


def _send_many(port: int) -> None:
    for _ in range(25):
        send(port)
