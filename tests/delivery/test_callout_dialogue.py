"""The dialogue of a callout, every fact that comes out of it noted."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.callout_dialogue import (
    Answer,
    Fact,
    Question,
    SessionSpoiled,
    converse,
)
from mta.smtp.client_connect import connect
from mta.smtp.client_failure import TimeLimits
from tests.smtp.fake_server import FakeNetwork, FakeServer

UNKNOWN = b"550 no\r\n"
ALL = Question(
    "joe@d.example",
    random_recipient="x@d.example",
    postmasters=("postmaster@d.example", "postmaster"),
)


class DialogueTests(SynchronousTestCase):
    def begin(self, question: Question, **replies: Any) -> Deferred[Answer]:
        """Have a conversation with a server that has some replies."""
        network = FakeNetwork()
        server = network.servers["192.0.2.1", 25] = FakeServer()
        server.replies.update({key.replace("_", " "): v for key, v in replies.items()})
        self.facts: list[tuple[Fact, bool]] = []

        async def run() -> Answer:
            client = await connect(
                network, "192.0.2.1", 25, limits=TimeLimits(1, 1, 1, 1)
            )
            await client.greet("me.example")
            return await converse(
                client, question, lambda *fact: self.facts.append(fact)
            )

        result = Deferred.fromCoroutine(run())
        network.pump()
        return result

    def ask(self, question: Question, **replies: Any) -> str:
        """Return the outcome, with the word of a failure."""
        answer = self.successResultOf(self.begin(question, **replies))
        return f"{answer.outcome} {answer.failure}".strip()

    def test_facts(self) -> None:
        """Each way through the dialogue notes what is certain, and no more."""
        random, full = "RCPT_TO:<x@d.example>", "RCPT_TO:<postmaster@d.example>"
        no_random = {random: UNKNOWN}
        later = b"450 later\r\n"
        cases: list[tuple[dict[str, bytes], str, dict[Fact, bool]]] = [
            ({}, "ok random", {Fact.RANDOM: True}),
            (
                no_random,
                "ok",
                {Fact.RANDOM: False, Fact.ADDRESS: True, Fact.POSTMASTER: True},
            ),
            ({"MAIL": UNKNOWN}, "fail mail", {Fact.NULL_SENDER: True}),
            ({"MAIL": later}, "defer", {}),
            (
                {"RCPT": UNKNOWN},
                "fail recipient",
                {Fact.RANDOM: False, Fact.ADDRESS: False},
            ),
            ({"RCPT": later}, "defer", {}),
            (
                {**no_random, full: UNKNOWN, "RCPT_TO:<postmaster>": UNKNOWN},
                "fail postmaster",
                {Fact.RANDOM: False, Fact.ADDRESS: True, Fact.POSTMASTER: False},
            ),
            (
                {**no_random, full: UNKNOWN, "RCPT_TO:<postmaster>": later},
                "defer",
                {Fact.RANDOM: False, Fact.ADDRESS: True},
            ),
            (
                {**no_random, full: later},
                "defer",
                {Fact.RANDOM: False, Fact.ADDRESS: True},
            ),
        ]
        for replies, outcome, facts in cases:
            with self.subTest(replies):
                self.assertEqual(outcome, self.ask(ALL, **replies))
                self.assertEqual(facts, dict(self.facts))

    def test_other_sender_refused(self) -> None:
        """A sender that is not the null one is no fact about the domain."""
        question = Question("joe@d.example", "me@x.example")

        self.assertEqual("fail mail", self.ask(question, MAIL=UNKNOWN))
        self.assertEqual([], self.facts)

    def test_postmaster_sender_refused(self) -> None:
        """Nor is one a fact about the postmaster."""
        question = Question(
            "joe@d.example",
            postmasters=("postmaster@d.example",),
            postmaster_sender="me@x.example",
        )

        answer = self.ask(question, **{"MAIL_FROM:<me@x.example>": UNKNOWN})

        self.assertEqual("fail postmaster", answer)
        self.assertEqual([(Fact.ADDRESS, True)], self.facts)

    def test_spoiled(self) -> None:
        """A host that will not go on after an unknown local part is told of."""
        result = self.begin(ALL, RCPT=[UNKNOWN], RSET=UNKNOWN)

        self.failureResultOf(result, SessionSpoiled)
