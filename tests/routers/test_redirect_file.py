"""Tests of the files that redirection data may come from."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TaintError, TemporaryFailure
from mta.routers.base import Verdict
from mta.routers.redirect_file import FileRules, read_list
from mta.taint import Tainted
from tests.routers.redirecting import RedirectTestCase


class ReadListTests(SynchronousTestCase):
    """Whether a file may be trusted."""

    def setUp(self) -> None:
        """Have a file."""
        self.path = str(Path(self.mktemp()).absolute())
        self.write("b@y.test\n")

    def write(self, content: str, mode: int = 0o644) -> None:
        """Give the file a content and a mode."""
        Path(self.path).write_text(content)
        os.chmod(self.path, mode)

    def failure(self, path: str = "", rules: FileRules | None = None) -> str:
        """Return why a file cannot be used now."""
        error = self.assertRaises(
            TemporaryFailure, read_list, path or self.path, rules or FileRules()
        )
        return error.log_text

    def test_content(self) -> None:
        """The content is given as it is, octets that are no text included."""
        Path(self.path).write_bytes(b"b\xff@y.test\n")
        text = read_list(self.path, FileRules())
        assert text is not None
        self.assertEqual(text.encode("utf-8", "surrogateescape"), b"b\xff@y.test\n")

    def test_mode(self) -> None:
        """A file that others may write is refused; which modes can be chosen."""
        for mode in (0o664, 0o646):
            self.write("b", mode)
            self.assertIn(f"bad mode (0{mode:o})", self.failure())
            self.assertEqual(read_list(self.path, FileRules(forbidden_mode=0)), "b")

    def test_owner(self) -> None:
        """Owner and group must be among those that are allowed."""
        status = os.stat(self.path)
        own, group = frozenset({status.st_uid}), frozenset({status.st_gid})
        other = frozenset({status.st_uid + 1})
        other_group = frozenset({status.st_gid + 1})
        self.assertTrue(read_list(self.path, FileRules(owners=own, groups=group)))
        self.assertIn("bad owner", self.failure(rules=FileRules(owners=other)))
        self.assertIn("bad group", self.failure(rules=FileRules(groups=other_group)))

    def test_missing(self) -> None:
        """A file that is not there is no error, unless its folder is missing too."""
        folder = os.path.dirname(self.path)
        self.assertIsNone(read_list(f"{folder}/nonesuch", FileRules()))
        missing = f"{folder}/nonesuch/file"
        self.assertIn("failed to stat", self.failure(missing))
        self.assertIsNone(read_list(missing, FileRules(ignore_enotdir=True)))

    def test_not_a_folder(self) -> None:
        """A path through a file is an error, unless that is to be ignored."""
        self.assertIn("Not a directory", self.failure(f"{self.path}/x"))
        rules = FileRules(ignore_enotdir=True)
        self.assertIsNone(read_list(f"{self.path}/x", rules))

    def test_no_access(self) -> None:
        """A file that may not be opened is an error, unless that is to be ignored."""
        if os.geteuid() == 0:
            self.skipTest("root may open every file")
        self.write("b", 0)
        self.assertIn("Permission denied", self.failure())
        self.assertIsNone(read_list(self.path, FileRules(ignore_eacces=True)))

    def test_no_file(self) -> None:
        """Neither a folder nor a named pipe is read, nor waited for."""
        pipe = self.path + ".pipe"
        os.mkfifo(pipe)
        self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))
        for path in (pipe, os.path.dirname(self.path)):
            self.assertIn("is not a regular file", self.failure(path))

    def test_size(self) -> None:
        """A file of any size is not read into memory."""
        os.truncate(self.path, 10_000_001)
        self.assertIn("is too long", self.failure())

    def test_name(self) -> None:
        """The name must be absolute, and not be a client's."""
        self.assertIn("is not an absolute path", self.failure("a/b"))
        self.assertRaises(TaintError, read_list, Tainted(self.path), FileRules())


class FileOptionTests(RedirectTestCase):
    """``file``, in place of ``data``."""

    def verdict(self, path: str, **texts: str) -> Verdict:
        """Return what a router with a file says of ``ann@x.test``."""
        router = self.router("redirect", file=path, **texts)
        return self.decide(router, "ann@x.test").verdict

    def test_list(self) -> None:
        """The file's items are followed; nothing in it is expanded."""
        path = self.file("b@y.test\n# c@y.test\n$d@y.test,\n")
        decision = self.decide(self.router("redirect", file=path), "ann@x.test")
        found = [child.address.text for child in decision.children]
        self.assertEqual(found, ["b@y.test", "$d@y.test"])

    def test_absent(self) -> None:
        """Without the file, or with an empty one, the address goes on."""
        self.assertEqual(self.verdict(self.file() + ".none"), Verdict.DECLINE)
        self.assertEqual(self.verdict(self.file("# nobody\n")), Verdict.DECLINE)
        forced = "${if eq{a}{b}{x}fail}"
        self.assertEqual(self.verdict(forced), Verdict.DECLINE)

    def test_modemask(self) -> None:
        """A file that its group may write is trusted only where the mask says so."""
        path = self.file("b@y.test", mode=0o664)
        routes = self.router("redirect", file=path)
        self.routers = {"r1": routes}
        self.assertIn("bad mode", self.route("ann@x.test").deferred[0][1].text)
        self.assertEqual(self.verdict(path, modemask="002"), Verdict.REDIRECT)

    def test_owners(self) -> None:
        """Owners are checked where the option names some."""
        path = self.file("b@y.test")
        status = os.stat(path)
        for owner, group, name in (
            (status.st_uid, status.st_gid, ""),
            (status.st_uid + 1, status.st_gid, "bad owner"),
            (status.st_uid, status.st_gid + 1, "bad group"),
        ):
            self.routers.clear()
            self.router("redirect", file=path, owners=f"{owner}", owngroups=f"{group}")
            self.router("accept")
            deferred = self.route("ann@x.test").deferred
            self.assertEqual([name in d.text for _, d in deferred], [True] * bool(name))

    def test_check_owner(self) -> None:
        """The check can be switched off."""
        path = self.file("b@y.test")
        other = f"{os.stat(path).st_uid + 1}"
        verdict = self.verdict(path, owners=other, check_owner="no")
        self.assertEqual(verdict, Verdict.REDIRECT)

    def test_name_of_a_client(self) -> None:
        """What a client sent may not name the file: the address waits."""
        self.router("redirect", file="/forward/$local_part")
        self.assertIn("ainted", self.route("ann@x.test").deferred[0][1].text)
