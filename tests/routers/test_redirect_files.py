"""Tests of alias files and included files."""

from __future__ import annotations

from pathlib import Path

from mta.errors import TaintError
from mta.routers.base import Purpose
from mta.taint import is_tainted
from mta.testing import result_of
from tests.routers.redirecting import TRANSPORTS, RedirectTestCase


class AliasFileTests(RedirectTestCase):
    """An alias file by look-up, as nearly every configuration has one."""

    def setUp(self) -> None:
        """Have a file of aliases."""
        super().setUp()
        path = self.file(
            "root: ann, bob@y.test\n"
            "ann: :fail: left us\n"
            "list: :include:" + self.file("a@y.test\nb@y.test\n") + "\n"
            "program: |/bin/cat\n"
            '"odd name": c@y.test\n'
            "later: :defer: soon\n"
        )
        self.router(
            "redirect",
            data=f"${{lookup{{$local_part}}lsearch{{{path}}}}}",
            domains="x.test:example.com",
            allow_fail="yes",
            allow_defer="yes",
            **TRANSPORTS,
        )
        self.router("accept", transport="local")

    def test_all(self) -> None:
        """Each kind of alias goes its way."""
        for local_part, expected in (
            ("root", (["bob@y.test"], ["left us"], [])),
            ("ROOT", (["bob@y.test"], ["left us"], [])),
            ("list", (["a@y.test", "b@y.test"], [], [])),
            ("later", ([], [], ["soon"])),
            ('"odd name"', (["c@y.test"], [], [])),
            ("nobody", (["nobody@x.test"], [], [])),
        ):
            routes = self.route(f"{local_part}@x.test")
            found = (
                [address.address.text for address in routes.accepted],
                [decision.text for _, decision in routes.failed],
                [decision.text for _, decision in routes.deferred],
            )
            self.assertEqual(found, expected, local_part)

    def test_program(self) -> None:
        """A command from the file may be run: the file is trusted."""
        child = self.accepted("program@x.test")
        self.assertEqual(child.transport, "a_pipe")
        self.assertFalse(is_tainted(child.pipe_command or ""))

    def test_missing(self) -> None:
        """While the file is missing, addresses wait."""
        self.routers.clear()
        self.router("redirect", data="${lookup{$local_part}lsearch{/nonesuch}}")
        routes = self.route("root@x.test")
        self.assertIn("/nonesuch", routes.deferred[0][1].text)


class IncludeTests(RedirectTestCase):
    """``:include:``."""

    def test_included(self) -> None:
        """The items of the file stand in the item's place; nothing is expanded."""
        path = self.file("b@y.test\n$x@y.test, c@y.test\n")
        found = self.children(f"a@y.test, :include:{path}, d@y.test")
        self.assertEqual(
            found, ["a@y.test", "b@y.test", "$x@y.test", "c@y.test", "d@y.test"]
        )

    def test_forbidden(self) -> None:
        """It can be refused."""
        text = self.problem(":include:/x", forbid_include="yes")
        self.assertEqual(text, ":include: is not permitted")

    def test_missing(self) -> None:
        """A file that is not there makes the address wait."""
        path = self.file() + ".none"
        self.assertIn(path, self.problem(f":include:{path}"))

    def test_directory(self) -> None:
        """Files can be limited to a directory, which nothing leads out of."""
        path = self.file("b@y.test")
        folder = str(Path(path).parent)
        self.assertEqual(
            self.children(f":include:{path}", include_directory=folder), ["b@y.test"]
        )
        for wrong in ("/etc/passwd", f"{folder}/../x", f"{folder}x/y"):
            text = self.problem(f":include:{wrong}", include_directory=folder)
            self.assertIn(f"is not in {folder}", text)

    def test_loop(self) -> None:
        """Files that include themselves do not go on for ever."""
        path = Path(self.file())
        path.write_text(f":include:{path}\n")
        self.assertIn("too deeply", self.problem(f":include:{path}"))

    def test_name_of_a_client(self) -> None:
        """What a client sent may not name the file."""
        router = self.router("redirect", data=":include:/lists/$local_part")
        address = self.context.address = self.address("ann@x.test")
        self.assertIsNone(
            result_of(router.applies(address, self.context, Purpose.DELIVERY))
        )
        self.assertRaises(TaintError, result_of, router.route(address, self.context))
