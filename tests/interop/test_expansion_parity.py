"""Both Exim and this program expand a table of strings; the results must be equal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import MTAError
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.lookups.base import Lookups
from mta.options import Source
from mta.testing import FakeResolver, result_of
from tests.interop.programs import environment, need_root, program

TABLE = Path(__file__).with_name("expansions.txt")
LISTS = {
    "domain": {"ours": "example.com : *.example.org"},
    "address": {"people": "ann@example.com"},
    "host": {"nets": "<; 192.0.2.0/24 ; 2001:db8::/32"},
    "local_part": {"lps": "ann : bob"},
}
FILES = {
    "ls": 'ann: Ann A.\n"quoted key": q\nbob:  b1\n  b2\n# c\n*.example.com: part\n'
    "*@example.net: at\n*: star\nempty:\ncolon:: x\nUPPER: up\n",
    "ip": '192.0.2.0/24: net\n192.0.2.1: host\n"2001:db8::/32": six\n*: all\n',
    "ips": "1.2.3.4\n",
    "wild": "ann: Ann\n$primary_hostname: me\n*.example.com: part\n"
    "\\N^r\\d+$\\N: expanded\n^n\\d+: plain\n"
    '"${if eq{a}{a}{found}}": by condition\n',
}


async def run_command(words: list[str]) -> tuple[int, str]:
    """Run a command for ``${run``."""
    try:
        done = _done(words)
    except OSError:
        return 127, ""
    return done.returncode, done.stdout.decode()


def _done(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, capture_output=True, check=False)


class ExpansionParityTests(SynchronousTestCase):
    """The expansion language, compared with Exim's."""

    def setUp(self) -> None:
        """Have the files that the table speaks of, and Exim."""
        self.exim = program("exim4")
        need_root("Exim with a configuration of its own")
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.directory.chmod(0o755)
        for name, content in FILES.items():
            (self.directory / name).write_text(content)
        lines = TABLE.read_text(encoding="ascii").splitlines()
        self.texts = [
            line.replace("DIRECTORY", str(self.directory))
            for line in lines
            if line and not line.startswith("#")
        ]

    def test_same(self) -> None:
        """Every string of the table expands to the same."""
        self.environment = {**environment(), "HOME": "/a/home"}
        theirs = self.expanded_by_exim()

        differences = [
            f"{text}\n  Exim: {expected!r}\n  here: {found!r}"
            for text, expected in zip(self.texts, theirs, strict=True)
            if (found := self.expanded(text)) != expected
            and not (found.startswith("Failed") and expected.startswith("Failed"))
        ]

        self.assertEqual("\n".join(differences), "")

    def expanded_by_exim(self) -> list[str]:
        """Return what Exim makes of each string."""
        settings = [
            "primary_hostname = mx.example.com",
            "qualify_domain = example.com",
            "keep_environment = HOME",
            "add_environment = PATH=/bin",
        ]
        for kind, lists in LISTS.items():
            word = kind.replace("_", "")
            settings += [f"{word}list {name} = {text}" for name, text in lists.items()]
        configuration = self.directory / "exim.conf"
        configuration.write_text("\n".join([*settings, "begin acl", ""]))
        configuration.chmod(0o644)
        asked = []
        for number, text in enumerate(self.texts):
            asked += [_mark(number), text]
        asked += [_mark(len(self.texts)), ""]
        done = subprocess.run(
            [self.exim, "-C", str(configuration), "-be"],
            env=self.environment,
            input="\n".join(asked).encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        output = done.stdout.decode("utf-8", "surrogateescape")
        return [self.answer(output, number) for number in range(len(self.texts))]

    def answer(self, output: str, number: int) -> str:
        """Return the part of Exim's output that is the result of one string."""
        _, found, rest = output.partition(f"{_mark(number)}\n> ")
        self.assertTrue(found, f"no answer for {self.texts[number]}")
        return rest.partition(f"\n> {_mark(number + 1)}")[0]

    def expanded(self, text: str) -> str:
        """Return what this program makes of a string."""
        language = Language.load()
        site = Site(
            primary_hostname="mx.example.com",
            qualify_domain="example.com",
            qualify_recipient="example.com",
            language=language,
            lookups=Lookups.load(resolver=FakeResolver()),
            environment={"HOME": self.environment["HOME"], "PATH": os.defpath},
            run_command=run_command,
        )
        source = Source("test.conf", 1, "text", language)
        for kind, lists in LISTS.items():
            site.named_lists[kind] = {
                name: language.template(list_text, source)
                for name, list_text in lists.items()
            }
        try:
            return result_of(language.template(text, source).expand(Context(site)))
        except MTAError as error:
            return f"Failed: {error}"


def _mark(number: int) -> str:
    return f"@@{number}@@"
