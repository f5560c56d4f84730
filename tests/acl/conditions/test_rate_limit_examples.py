"""Rate limits as operators write them, in the whole language."""

from __future__ import annotations

import os
from pathlib import Path

from mta.acl.evaluate import ACLs, run_acl
from mta.acl.registry import Phase
from mta.acl.syntax import ACLLanguage
from mta.config.sections import read_configuration
from mta.expand.registry import Language
from mta.lookups.base import Lookups
from mta.testing import result_of
from tests.acl.conditions.rate_case import RateCase

CONSTANT = "5"
LOOKED_UP = "${lookup{$sender_host_address}iplsearch{FILE}}"
SNIPPET = """
LIMIT = %s
begin acl
connect:
    defer message   = Too many connections from this IP right now
          ratelimit = LIMIT / 5s / per_conn / strict
    accept
"""
MANUAL = r"""
RATELIMIT = 3 / 1h
begin acl
all_senders:
  warn ratelimit = 0 / 1h / strict
       log_message = Sender rate $sender_rate / $sender_rate_period
  accept
fast:
  warn ratelimit = 2 / 1h / per_rcpt / strict
       delay     = ${eval: ${sg{$sender_rate}{[.].*}{}} - \
                     $sender_rate_limit }s
  accept
authenticated:
  deny authenticated = *
       ratelimit = 100 / 1d / strict / $authenticated_id
  accept
system:
  defer ratelimit = 1 / 1s / $primary_hostname
        message = Sorry, too busy. Try again later.
  accept
special:
  defer ratelimit = ${lookup {$sender_host_address} \
                     lsearch {FILE} \
                     {$value} {RATELIMIT} }
        message = Sender rate exceeds $sender_rate_limit \
                 messages per $sender_rate_period
  accept
network:
  deny ratelimit = 2 / 1h / per_cmd / ${mask:$sender_host_address/24}
  accept
"""


class ExampleCase(RateCase):
    """ACLs of a configuration that is read from a file."""

    def setUp(self) -> None:
        super().setUp()
        self.language = ACLLanguage.load(Language.load())
        self.site.lookups = Lookups.load(resolver=self.resolver)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.table = self.folder / "limits"

    def read(self, text: str) -> None:
        """Read a configuration; FILE in it is the table's path."""
        path = self.folder / "mta.conf"
        path.write_text(text.replace("FILE", os.path.abspath(self.table)))
        configuration = read_configuration(
            [os.path.abspath(path)],
            macros={},
            language=self.language.language,
            acl_language=self.language,
            main_groups=[],
            drivers={},
        )
        self.acls = ACLs(configuration.acls, self.language)

    def ask(self, name: str, phase: Phase = Phase.RCPT) -> str:
        """Return what an ACL of the configuration says, and its message."""
        self.run = self.new_run(phase)
        verdict = result_of(run_acl(name, self.run))
        text = verdict.message or verdict.log_message
        return f"{verdict.outcome.value} {text}".strip()

    def connect(self, client: str) -> str:
        """Return what a client's connection is told."""
        self.next_connection(client)
        return self.ask("connect", Phase.CONNECT)


class SnippetTests(ExampleCase):
    """The advice for hosts behind a proxy."""

    REFUSAL = "defer Too many connections from this IP right now"

    def check(self, client: str) -> None:
        """Let a client connect often, and later."""
        found = []
        for _ in range(6):
            found.append(self.connect(client))
            self.wait(0.1)
        self.assertEqual(["accept"] * 5 + [self.REFUSAL], found)
        self.wait(20)
        self.assertEqual("accept", self.connect(client))

    def test_constant(self) -> None:
        """The sixth connection of a burst is refused, one some time later is not."""
        self.read(SNIPPET % CONSTANT)

        self.check("192.0.2.7")

    def test_looked_up(self) -> None:
        """The limit may come from a table of networks."""
        self.table.write_text('192.0.2.0/24: 5\n"2001:db8::/32": 5\n')
        self.read(SNIPPET % LOOKED_UP)

        self.check("192.0.2.7")
        self.check("2001:db8::9")

    def test_not_found(self) -> None:
        """A client for whom the table has no limit is told to come later."""
        self.table.write_text("192.0.2.0/24: 5\n")
        self.read(SNIPPET % LOOKED_UP)

        self.assertIn("error", self.connect("198.51.100.1"))


class ManualTests(ExampleCase):
    """The examples of Exim's manual."""

    def setUp(self) -> None:
        super().setUp()
        self.table.write_text("192.0.2.7: 2 / 1m\n")
        self.read(MANUAL)

    def test_log_all(self) -> None:
        """The rate of every sender can be logged."""
        self.ask("all_senders")

        self.assertEqual(
            ["H=[192.0.2.7] Warning: Sender rate 1.0 / 1h"], self.logs.lines
        )

    def test_delay(self) -> None:
        """Who is too fast can be slowed down by as much."""
        for _ in range(5):
            self.ask("fast")

        self.assertEqual([1.0, 2.0, 3.0], [float(each) for each in self.slept])

    def test_authenticated(self) -> None:
        """The key may be a user."""
        self.connection.authenticator = "plain"
        self.connection.authenticated_id = "bob"
        self.ask("authenticated")

        self.assertEqual(["1d/per_mail/bob"], self.hints.keys())

    def test_system(self) -> None:
        """The key may be what all clients have in common."""
        self.ask("system")
        self.next_message()
        self.connection.peer_address = "192.0.2.8"

        self.assertEqual("defer Sorry, too busy. Try again later.", self.ask("system"))

    def test_special(self) -> None:
        """A look-up may give limit and period for some, a macro for others."""
        found = []
        for client in ("192.0.2.7", "192.0.2.8"):
            for _ in range(4):
                self.next_connection(client)
                found.append(self.ask("special"))

        refusal = "defer Sender rate exceeds 2 messages per 1m"
        self.assertEqual(["accept", "accept", refusal, refusal], found[:4])
        refusal = "defer Sender rate exceeds 3 messages per 1h"
        self.assertEqual(["accept", "accept", "accept", refusal], found[4:])

    def test_network(self) -> None:
        """The key may be a network."""
        found = []
        for client in ("192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.3.9"):
            self.connection.peer_address = client
            found.append(self.ask("network"))

        self.assertEqual(
            ["accept", "accept", "deny", "accept"], [f[:6].strip() for f in found]
        )
        self.assertIn("1h/per_cmd/192.0.2.0/24", self.hints.keys())
