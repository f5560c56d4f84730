"""Tests of the variables that describe TLS."""

from __future__ import annotations

from dataclasses import replace

from mta.connection import TLSFacts
from tests.expand.expansions import ExpansionTestCase
from tests.tls.proofs import Authority

FACTS = ("bits", "certificate_verified", "cipher", "cipher_std", "ver", "peerdn")


def facts(name: str) -> TLSFacts:
    """Return a handshake with a peer."""
    return TLSFacts(
        "TLS1.3",
        f"TLS1.3:{name}:256",
        cipher_std=f"TLS_{name}",
        bits=256,
        sni=f"{name}.test",
        peer_dn=f"CN={name}",
        verified=True,
        ocsp=4,
    )


class TLSTests(ExpansionTestCase):
    """Handshakes with the client and with the remote host."""

    def text(self, direction: str) -> str:
        """Return a string with all that is known of one handshake."""
        names = [*FACTS, "ocsp", "sni"]
        return "|".join(f"$tls_{direction}_{name}" for name in names)

    def test_in_clear(self) -> None:
        """Without TLS numbers are 0 and texts empty."""
        for direction in ("in", "out"):
            self.check((self.text(direction), "0|0|||||0|"))

    def test_client(self) -> None:
        """The client's handshake; old names mean the same."""
        self.context.connection.tls = facts("ann")
        expected = "256|1|TLS1.3:ann:256|TLS_ann|TLS1.3|CN=ann|4|ann.test"
        self.check(
            (self.text("in"), expected),
            (self.text("out"), "0|0|||||0|"),
            (
                "$tls_bits|$tls_certificate_verified|$tls_cipher|$tls_peerdn|$tls_sni",
                "256|1|TLS1.3:ann:256|CN=ann|ann.test",
            ),
        )

    def test_remote_host(self) -> None:
        """The remote host's handshake, which the old names mean in a transport."""
        self.context.connection.tls = facts("ann")
        self.context.tls_out = facts("bob")
        self.context.transport_name = "smtp"
        self.check(
            (
                self.text("out"),
                "256|1|TLS1.3:bob:256|TLS_bob|TLS1.3|CN=bob|4|bob.test",
            ),
            ("$tls_in_sni|$tls_sni|$tls_peerdn", "ann.test|bob.test|CN=bob"),
        )

    def test_certificates(self) -> None:
        """Both certificates of the session with the remote host can be taken apart."""
        authority = Authority()
        theirs, ours = authority.issue("mx.test"), authority.issue("me.test")
        self.check(("$tls_out_peercert|$tls_out_ourcert", "|"))
        self.context.tls_out = replace(
            facts("bob"),
            peer_certificate=theirs.certificate,
            our_certificate=ours.certificate,
        )
        self.check(
            ("${certextract{subject,CN}{$tls_out_peercert}}", "mx.test"),
            ("${certextract{subject,CN}{$tls_out_ourcert}}", "me.test"),
            ("$tls_out_resumption", "0"),
        )
