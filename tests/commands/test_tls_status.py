"""Tests for ``mta tls-status``."""

from __future__ import annotations

import json
import time

from mta.delivery.tls_results import DAY_SECONDS, TLSResults, results_path
from mta.tls.verdict import TLSVerdict, absent, met, unmet
from tests.commands.calling import CommandCase

GOOD = TLSVerdict(
    host="mx1.bank.example",
    ip_address="192.0.2.1",
    local_address="192.0.2.9",
    cipher="TLS1.3:X:256",
    tls=met(),
    chain=met(),
    name=met(),
    ocsp=met(),
)
BARE = GOOD.having(host="mx2.bank.example", ocsp=absent("none came"))
CLEAR = TLSVerdict(host="mx.other.example", tls=unmet("not offered"))


class StatusCase(CommandCase):
    """A spool with results of today and of days before."""

    def setUp(self) -> None:
        super().setUp()
        self.configure("hostlist banks = *.bank.example")
        self.ago = 0
        self.results = TLSResults(
            results_path(f"{self.directory}/spool"),
            clock=lambda: time.time() - self.ago * DAY_SECONDS,
        )
        self.addCleanup(self.results.close)

    def record(
        self, verdict: TLSVerdict, deliveries: int, *, ago: int = 0, domain: str = ""
    ) -> None:
        """Record a connection and what went over it."""
        self.ago = ago
        domain = domain or verdict.host.partition(".")[2]
        self.results.record(domain, verdict, sessions=1, deliveries=deliveries)
        self.results.flush()

    def record_all(self) -> None:
        """Record something of everything."""
        self.record(GOOD, 5)
        self.record(GOOD.having(cipher="TLS1.2:Y:128"), 1, ago=2)
        self.record(BARE, 2, ago=1)
        self.record(CLEAR, 1)

    def lines(self, *words: str, status: int = 0) -> list[str]:
        """Return the lines that the command prints."""
        result = self.call("tls-status", *words)
        self.assertEqual((result.errors, result.status), ("", status))
        return result.output.splitlines()


class ShowTests(StatusCase):
    """What is known is shown."""

    def test_nothing(self) -> None:
        """Where nothing is known that is said."""
        [line] = self.lines()
        self.assertRegex(line, r"Nothing is known from \S+ to \S+\.")
        [line] = self.lines("a.example")
        self.assertIn("Nothing is known of a.example", line)

    def test_all(self) -> None:
        """Domains, their hosts, how often, and what each of them proved."""
        self.record_all()

        lines = self.lines()

        self.assertEqual(
            [line for line in lines if not line.startswith(" ")][0], "bank.example"
        )
        self.assertRegex(
            lines[1],
            r"^  mx1\.bank\.example \[192\.0\.2\.1\]: 2 connections, 6 deliveries, "
            r"last \d{4}-\d\d-\d\d \d\d:\d\d$",
        )
        self.assertEqual(lines[2], "    tls=yes chain=yes name=yes ocsp=yes")
        self.assertIn(
            "mx2.bank.example [192.0.2.1]: 1 connection, 2 deliveries", lines[3]
        )
        self.assertEqual(
            lines[4], "    tls=yes chain=yes name=yes ocsp=none (none came)"
        )
        self.assertEqual(lines[5:7], ["", "other.example"])
        self.assertEqual(lines[8], "    tls=no (not offered)")

    def test_domain(self) -> None:
        """One domain can be asked for, or a host, in any case."""
        self.record_all()

        self.assertEqual(self.lines("OTHER.example.")[0], "other.example")
        self.assertEqual(len(self.lines("other.example")), 3)
        self.assertEqual(self.lines("mx2.bank.example")[0], "bank.example")
        self.assertEqual(len(self.lines("mx2.bank.example")), 3)

    def test_days(self) -> None:
        """One can ask for the last days alone."""
        self.record_all()

        self.assertIn("1 connection, 5 deliveries", self.lines("--days", "1")[1])
        self.assertEqual(len(self.lines("--days", "1")), 7)

    def test_json(self) -> None:
        """Programs get everything."""
        self.record_all()

        found = json.loads("\n".join(self.lines("--json", "bank.example")))

        self.assertEqual(set(found), {"from", "to", "results"})
        self.assertEqual(len(found["results"]), 3)
        [bare] = [r for r in found["results"] if r["verdict"]["host"][:3] == "mx2"]
        self.assertEqual((bare["sessions"], bare["deliveries"]), (1, 2))
        self.assertEqual(
            bare["verdict"]["ocsp"],
            {"asked": True, "required": False, "met": None, "reason": "none came"},
        )

    def test_hostile_text(self) -> None:
        """What a host said cannot command the terminal."""
        self.record(TLSVerdict(host="\x1b[2J.example", tls=unmet("\x1b]0;x\x07")), 1)

        self.assertNotIn("\x1b", "\n".join(self.lines()))


class PreviewTests(StatusCase):
    """What would have failed."""

    def test_failing(self) -> None:
        """Deliveries that would have failed are counted and named, with the reason."""
        self.record_all()

        lines = self.lines("--if", "hosts_require_ocsp=*.bank.example", status=2)

        self.assertRegex(
            lines[0], r"^9 deliveries from \S+ to \S+: 2 would have failed\.$"
        )
        self.assertEqual(lines[1:3], ["", "Would have failed:"])
        self.assertIn(
            "  bank.example by mx2.bank.example [192.0.2.1]: 2 deliveries, last ",
            lines[3],
        )
        self.assertEqual(
            lines[4],
            "    hosts_require_ocsp: no good OCSP response: none came; "
            "others to the domain pass",
        )
        self.assertEqual(len(lines), 5)

    def test_passing(self) -> None:
        """Where nothing would have failed the status is 0."""
        self.record_all()

        [line] = self.lines("--if", "tls_verify_hosts=*", "bank.example")

        self.assertRegex(line, r"^8 deliveries .*: none would have failed\.$")

    def test_unknown(self) -> None:
        """What cannot be told is said, too."""
        self.record_all()

        lines = self.lines("--if", "hosts_require_dane=*", "bank.example")

        self.assertIn("none would have failed, 8 cannot be told", lines[0])
        self.assertEqual(lines[2], "Cannot be told:")
        self.assertIn("no TLSA records were asked for", lines[4])

    def test_named_list(self) -> None:
        """Lists may name lists of the configuration."""
        self.record_all()

        lines = self.lines("--if", "hosts_require_ocsp=+banks", status=2)

        self.assertIn("2 would have failed", lines[0])

    def test_together(self) -> None:
        """Several demands are made together."""
        self.record_all()

        lines = self.lines(
            "--if", "hosts_require_tls=*", "--if=hosts_require_ocsp=+banks", status=2
        )

        self.assertIn("3 would have failed", lines[0])
        self.assertIn("hosts_require_tls: no TLS: not offered", "\n".join(lines))

    def test_json(self) -> None:
        """Programs get a judgement of each result."""
        self.record_all()

        text = "\n".join(
            self.lines("--json", "--if", "hosts_require_ocsp=+banks", status=2)
        )
        found = json.loads(text)

        self.assertEqual(found["if"], {"hosts_require_ocsp": "+banks"})
        [failing] = [d for d in found["deliveries"] if d["standing"] == "fails"]
        self.assertEqual(failing["deliveries"], 2)
        self.assertEqual(failing["option"], "hosts_require_ocsp")
        self.assertIn("none came", failing["reason"])


class UseTests(StatusCase):
    """How the command is called."""

    def test_help(self) -> None:
        """Its usage names the options."""
        result = self.call("tls-status", "--help")

        self.assertEqual(result.status, 0)
        self.assertIn("hosts_require_dane", result.output)

    def test_wrong_use(self) -> None:
        """What makes no sense is refused with the usage."""
        for words in (
            ["--nonsense"],
            ["a.example", "b.example"],
            ["--days", "0"],
            ["--days", "x"],
            ["--if"],
            ["--if", "nonsense=*"],
            ["--if", "hosts_require_tls=1.2.3.4/99"],
            ["--if", "mta_sts=testing"],
        ):
            result = self.call("tls-status", *words)

            self.assertEqual(result.status, 1, words)
            self.assertIn("usage: mta tls-status", result.errors)
            self.assertEqual(result.output, "")

    def test_unknown_list(self) -> None:
        """A list that names a list which is not there is told."""
        self.record_all()
        result = self.call("tls-status", "--if", "hosts_require_tls=+nowhere")

        self.assertEqual(result.status, 1)
        self.assertIn("nowhere", result.errors)

    def test_others(self) -> None:
        """To whom mail went is no business of others."""
        self.record_all()
        self.become_stranger()
        result = self.call("tls-status")

        self.assertEqual((result.status, result.output), (1, ""))
        self.assertIn("permission denied", result.errors)
