"""Tests of what must hold before a router is used."""

from __future__ import annotations

import os
import pwd
from unittest.mock import patch

from mta.errors import TaintError
from mta.routers.base import Verdict
from mta.taint import is_tainted
from mta.testing import result_of
from tests.routers.routing import RouterTestCase

UNROUTEABLE = "Unrouteable address"
ACCOUNT = pwd.struct_passwd(("ann", "x", 1001, 1002, "Ann", "/home/ann", "/bin/sh"))


def accounts(name: str) -> pwd.struct_passwd:
    """Stand for the system's accounts, of which there is one."""
    if name == "ann":
        return ACCOUNT
    raise KeyError(name)


class LocalUserTests(RouterTestCase):
    """``check_local_user``."""

    def setUp(self) -> None:
        """Have one account."""
        super().setUp()
        patcher = patch("pwd.getpwnam", accounts)
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_account(self) -> None:
        """An account's name is taken, and its uid, group and home with it."""
        self.router("accept", check_local_user="yes")

        address = self.accepted("Ann@x.test")

        self.assertEqual((address.user, address.group), (1001, 1002))
        self.assertEqual(address.home, "/home/ann")
        self.assertEqual(address.local_part_data, "ann")
        self.assertFalse(is_tainted(address.local_part_data or ""))
        self.assertEqual(self.takers("bob@x.test"), [UNROUTEABLE])

    def test_home(self) -> None:
        """``$home`` can be used by the router, and set for it and for the transport."""
        self.router(
            "accept",
            check_local_user="yes",
            router_home_directory="/mail/$local_part_data",
            address_data="$home",
            transport_home_directory="/t",
            transport_current_directory="/c",
        )

        address = self.accepted("ann@x.test")

        self.assertEqual(address.address_data, "/mail/ann")
        self.assertEqual((address.home, address.current_directory), ("/t", "/c"))

    def test_other_user(self) -> None:
        """A user named by the configuration comes before the account's."""
        self.router("accept", check_local_user="yes", user="mail", group="staff")

        address = self.accepted("ann@x.test")

        self.assertEqual((address.user, address.group), ("mail", "staff"))

    def test_user_of_a_client(self) -> None:
        """What a client sent may not name the user."""
        router = self.router("accept", user="$local_part")
        address = self.address("ann@x.test")
        self.decide(router, address)

        self.assertRaises(TaintError, result_of, router.finish(address, self.context))


class AffixTests(RouterTestCase):
    """``local_part_prefix`` and ``local_part_suffix``."""

    def parts(self, text: str, **options: str) -> tuple[str, ...] | None:
        """Return prefix, local part and suffix of an accepted address, and ``_v``."""
        router = self.router("accept", **options)
        address = self.address(f"{text}@x.test")
        if self.decide(router, address).verdict is not Verdict.ACCEPT:
            return None
        return (
            address.prefix,
            address.local_part,
            address.suffix,
            address.prefix_variable,
            address.suffix_variable,
        )

    def test_prefix(self) -> None:
        """The first prefix of the list that fits is taken off."""
        for text, expected in (
            ("owner-ann", ("owner-", "ann", "", "", "")),
            ("Request-Ann", ("request-", "ann", "", "", "")),
            ("ann", None),
            ("owner-", ("owner-", "", "", "", "")),
        ):
            found = self.parts(text, local_part_prefix="owner- : request-")
            self.assertEqual(found, expected, text)

    def test_wild_prefix(self) -> None:
        """An asterisk stands for as much as it can."""
        found = self.parts("a-b-ann", local_part_prefix="*-")
        self.assertEqual(found, ("a-b-", "ann", "", "a-b", ""))

    def test_suffix(self) -> None:
        """The same at the end."""
        found = self.parts("ann-owner", local_part_suffix="-request : -owner")
        self.assertEqual(found, ("", "ann", "-owner", "", ""))

    def test_wild_suffix(self) -> None:
        """The longest suffix is taken off."""
        found = self.parts("ann+x+y", local_part_suffix="+*")
        self.assertEqual(found, ("", "ann", "+x+y", "", "x+y"))

    def test_optional(self) -> None:
        """A local part without one will do where the option says so."""
        options = {"local_part_suffix": "+*", "local_part_suffix_optional": "yes"}
        self.assertEqual(self.parts("ann", **options), ("", "ann", "", "", ""))
        self.assertEqual(self.parts("ann+", **options), ("", "ann", "+", "", ""))

    def test_both(self) -> None:
        """Prefix and suffix may be asked for together; both must be there."""
        options = {"local_part_prefix": "x-", "local_part_suffix": "-y"}
        self.assertEqual(self.parts("x-a-y", **options), ("x-", "a", "-y", "", ""))
        self.assertIsNone(self.parts("x-a", **options))

    def test_caseful(self) -> None:
        """Affixes are found whatever their case, and keep it where asked for."""
        found = self.parts("X-Ann", local_part_prefix="x-", caseful_local_part="yes")
        self.assertEqual(found, ("X-", "Ann", "", "", ""))

    def test_for_one_router(self) -> None:
        """The next router sees the whole local part again."""
        self.router("accept", local_part_prefix="x-", condition="no")
        self.router("accept")

        address = self.accepted("x-ann@x.test")

        self.assertEqual((address.prefix, address.local_part), ("", "x-ann"))

    def test_quoted(self) -> None:
        """Quoting that only the wire needs is no part of the local part."""
        found = self.parts('"x-a b"', local_part_prefix="x-")
        self.assertEqual(found, ("x-", "a b", "", "", ""))


class RequiredFilesTests(RouterTestCase):
    """``require_files``."""

    def verdict(self, files: str) -> Verdict:
        """Return what a router with the option says."""
        router = self.router("accept", require_files=files)
        return self.decide(router, "ann@x.test").verdict

    def test_there(self) -> None:
        """All files must exist; with an exclamation mark, not exist."""
        there = self.file()
        for text, expected in (
            (there, Verdict.ACCEPT),
            ("/nonesuch", Verdict.SKIP),
            (f"{there}:/nonesuch", Verdict.SKIP),
            ("!/nonesuch", Verdict.ACCEPT),
            (f"! {there}", Verdict.SKIP),
            (f"{there}/below", Verdict.SKIP),
            ("", Verdict.ACCEPT),
            (f"${{if eq{{a}}{{b}}{{x}}fail}}:{there}", Verdict.ACCEPT),
        ):
            self.assertEqual(self.verdict(text), expected, text)

    def test_name_of_a_client(self) -> None:
        """What a client sent may not name the file: the address waits."""
        self.assertEqual(self.verdict("/home/$local_part"), Verdict.DEFER)

    def test_trusted_name(self) -> None:
        """What the system's accounts gave may."""
        path = self.file()
        folder, name = os.path.split(path)
        router = self.router(
            "accept",
            local_parts=name,
            require_files=f"{folder}/$local_part_data",
            caseful_local_part="yes",
        )
        self.assertEqual(self.decide(router, f"{name}@x.test").verdict, Verdict.ACCEPT)

    def test_relative(self) -> None:
        """A name without its folder cannot be looked at."""
        self.assertEqual(self.verdict("a/b"), Verdict.DEFER)

    def test_reader(self) -> None:
        """A user's name means that the files after it must be readable by the user."""
        secret, public = self.file(mode=0o600), self.file(mode=0o644)
        stranger = os.getuid() + 77
        for folder in _folders(public):
            if not os.stat(folder).st_mode & 0o001:
                self.skipTest("others may not look at the scratch folder")
        for text, expected in (
            (f"{stranger}:{public}", Verdict.ACCEPT),
            (f"{stranger},{stranger}:{secret}", Verdict.DEFER),
            (f"{stranger},{stranger}:+{secret}", Verdict.SKIP),
            (f"{stranger},{stranger}:!+{secret}", Verdict.ACCEPT),
            (f"{os.getuid()}:{secret}", Verdict.ACCEPT),
            (f"no-such-user-here:{public}", Verdict.SKIP),
        ):
            self.assertEqual(self.verdict(text), expected, text)


def _folders(path: str) -> list[str]:
    found = []
    while path != "/":
        path = os.path.dirname(path)
        found.append(path)
    return found
