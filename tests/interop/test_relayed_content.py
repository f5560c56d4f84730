"""What the smtp transport sends arrives at real servers octet for octet."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import trustme

from mta.recipient import Result
from tests.interop.peers import Dovecot, Exim, Postfix
from tests.interop.test_relay import RelayCase
from tests.transports.delivering import Pieces

LINE = b"The quick brown fox jumps over the lazy dog, and once more.\r\n"
BODIES = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "a lone dot": b".",
    "no line end": b"one\r\ntwo",
    "dots": b".\r\n..\r\n...x\r\nx.\r\n.\r\n",
    "From": b"From here\r\n>From there\r\n",
    "8bit": bytes(range(128, 256)) + b"\r\n" + "käse".encode() + b"\r\n",
    "long lines": (b"x" * 998 + b"\r\n") * 3 + b"y" * 30000 + b"\r\n",
    "trailing space": b"two  \r\n\t\r\n\r\n\r\n",
}
LARGE = LINE * (5_000_000 // len(LINE)) + b"end"
PARTS = 50_021


class ContentCase(RelayCase):
    """A server, its Maildir, and the ways that content can be sent to it."""

    domain = ""
    name = "a"

    async def check(self, peer: Any, *, ways: list[dict[str, str]]) -> None:
        """Deliver every body in every way and compare what was stored."""
        self.use(peer)
        for options in ways:
            self.transport(**options)
            for name, body in BODIES.items():
                with self.subTest(body=name, options=options):
                    await self.check_one(peer, body, body)
            with self.subTest(body="large", options=options):
                await self.check_one(peer, LARGE, Pieces(LARGE, PARTS))

    async def check_one(self, peer: Any, body: bytes, given: Any) -> None:
        """Deliver one body and compare what was stored."""
        [outcome] = await self.deliver(f"{self.name}@{self.domain}", body=given)

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        [message] = self.stored(peer.maildir, 1)
        for path in (peer.maildir / "new").iterdir():
            path.unlink()
        header, _, found = message.replace(b"\r\n", b"\n").partition(b"\n\n")
        expected = body.replace(b"\r\n", b"\n")
        if expected and not expected.endswith(b"\n"):
            expected += b"\n"
        self.assertIn(b"Subject: x", header)
        self.assertTrue(found == expected, f"{found[:200]!r} ({len(found)} octets)")


class EximTests(ContentCase):
    domain = "exim.test"

    async def test_content(self) -> None:
        """By BDAT and by DATA, encrypted and in clear."""
        extra = "tls_advertise_hosts = *\nmessage_size_limit = 20M"

        await self.check(
            Exim(extra=extra),
            ways=[
                {"hosts_require_tls": "*"},
                {"hosts_require_tls": "*", "hosts_try_chunking": ""},
                {"hosts_avoid_tls": "*"},
                {"hosts_avoid_tls": "*", "hosts_try_chunking": ""},
                {"hosts_avoid_pipelining": "*", "hosts_avoid_tls": "*"},
            ],
        )


class PostfixTests(ContentCase):
    domain = "postfix.test"
    name = "user"

    def certificate(self) -> tuple[Path, Path]:
        """Return the file of a certificate with its key, and of its authority."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        authority = trustme.CA()
        chain = directory / "chain.pem"
        authority.issue_cert(
            "peer.example"
        ).private_key_and_cert_chain_pem.write_to_path(str(chain))
        trusted = directory / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        return chain, trusted

    async def test_content(self) -> None:
        """By BDAT and by DATA, its certificate verified, and in clear."""
        chain, trusted = self.certificate()
        extra = (
            f"smtpd_tls_chain_files = {chain}\nsmtpd_tls_security_level = may\n"
            "message_size_limit = 20000000\nmailbox_size_limit = 0"
        )
        verified = {
            "hosts_require_tls": "*",
            "tls_verify_hosts": "*",
            "tls_verify_certificates": str(trusted),
        }

        await self.check(
            Postfix(extra=extra),
            ways=[
                verified,
                verified | {"hosts_try_chunking": ""},
                {"hosts_avoid_tls": "*", "hosts_try_chunking": ""},
            ],
        )

    async def test_plain_smtp(self) -> None:
        """Without any extension of the protocol."""
        extra = "smtpd_discard_ehlo_keywords = chunking,pipelining,8bitmime,dsn,size"

        await self.check_one_way(Postfix(extra=extra), hosts_avoid_esmtp="*")

    async def check_one_way(self, peer: Any, **options: str) -> None:
        """Deliver one body in one way."""
        self.use(peer, **options)
        await self.check_one(peer, BODIES["dots"], BODIES["dots"])


class DovecotTests(ContentCase):
    domain = "dovecot.test"
    name = "user"

    async def test_content(self) -> None:
        """By LMTP, in chunks and by DATA."""
        await self.check(
            Dovecot(),
            ways=[
                {"protocol": "lmtp"},
                {"protocol": "lmtp", "hosts_try_chunking": ""},
            ],
        )
