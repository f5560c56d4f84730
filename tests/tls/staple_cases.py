"""Staples of every kind, each with the word that a client should have for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.tls.combined import combined
from tests.tls.proofs import (
    DAY,
    HOUR,
    REVOKED,
    SHA256,
    UNKNOWN,
    Authority,
    Holder,
    unsuccessful,
)

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Case:
    """A host with a staple or without, and what that is worth.

    ``opinion`` is whether ``openssl ocsp`` calls it good; None where it cannot judge,
    or is known to be less strict.  ``identifier`` is the hash that names the
    certificate.
    """

    name: str
    authority: Authority
    host: Holder
    staple: bytes | None
    word: str
    opinion: bool | None = None
    identifier: str = "sha1"

    @property
    def is_readable(self) -> bool:
        """Whether TLS passes it on: OpenSSL looks at the outermost form of it."""
        return self.word != "unreadable"


class World:
    """An authority with a kind of key, a host, and who else there is."""

    def __init__(self, kind: str, key: Any, now: datetime) -> None:
        self.kind = kind
        self.now = now
        self.authority = Authority(key=key, now=now)
        self.host = self.authority.issue()
        self.other = self.authority.issue("other.example")
        self.delegate = self.authority.delegate()

    def respond(self, *statuses: Any, **settings: Any) -> bytes:
        """Return a response of the authority for the host."""
        return self.authority.respond(self.host.certificate, *statuses, **settings)

    def case(self, name: str, staple: bytes | None, word: str, **facts: Any) -> Case:
        """Return a case of this world."""
        facts.setdefault("opinion", word == "good")
        return Case(
            f"{self.kind}: {name}", self.authority, self.host, staple, word, **facts
        )


def worlds(now: datetime | None = None) -> list[World]:
    """Return a world for each kind of key that an authority has."""
    now = now or datetime.now(UTC).replace(microsecond=0)
    return [
        World("RSA", rsa.generate_private_key(65537, 2048), now),
        World("ECDSA", ec.generate_private_key(ec.SECP256R1()), now),
        World("P-384", ec.generate_private_key(ec.SECP384R1()), now),
        World("Ed25519", ed25519.Ed25519PrivateKey.generate(), now),
    ]


def cases(world: World) -> Iterator[Case]:
    """Give every case of a world."""
    yield from _signed(world)
    yield from _said(world)
    yield from _dated(world)
    yield from _named(world)
    yield from _malformed(world)
    if world.kind == "ECDSA":
        yield from _several(world)


def _signed(world: World) -> Iterator[Case]:
    case, respond, now = world.case, world.respond, world.now
    delegate = world.authority.delegate
    rsa_key = rsa.generate_private_key(65537, 2048)
    stranger = Authority(now=now)
    changed = bytearray(respond())
    changed[-1] ^= 1
    yield case("by the issuer", respond(), "good")
    yield case("by the issuer, named", respond(by_name=True), "good")
    yield case("by a delegate", respond(signer=world.delegate), "good")
    yield case("by an RSA delegate", respond(signer=delegate(key=rsa_key)), "good")
    for name, signer in (
        ("delegate without usage", delegate(usages=[])),
        (
            "delegate with another usage",
            delegate(usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        ),
        ("expired delegate", delegate(end=now - HOUR)),
        ("delegate not yet valid", delegate(begin=now + HOUR)),
        ("delegate of a stranger", stranger.delegate()),
        ("a stranger", stranger.holder),
        ("the host itself", world.host),
    ):
        yield case(name, respond(signer=signer), "unverifiable")
    # OpenSSL's tool does not look at this usage.
    signer = delegate(signs=False)
    yield case(
        "delegate that may not sign", respond(signer=signer), "unverifiable",
        opinion=None,
    )  # fmt: skip
    yield case(
        "delegate not included",
        respond(signer=world.delegate, certificates=[world.host.certificate]),
        "unverifiable",
    )
    yield case("changed", bytes(changed), "unverifiable")


def _said(world: World) -> Iterator[Case]:
    case, respond = world.case, world.respond
    reason = x509.ReasonFlags.key_compromise
    yield case("revoked", respond(REVOKED), "revoked")
    yield case("revoked for a reason", respond(REVOKED, reason=reason), "revoked")
    yield case(
        "revoked, says a delegate", respond(REVOKED, signer=world.delegate), "revoked"
    )
    yield case("unknown", respond(UNKNOWN), "unknown")
    yield case("no answer", unsuccessful(), "unsuccessful")


def _dated(world: World) -> Iterator[Case]:
    case, respond, now = world.case, world.respond, world.now
    yield case("expired", respond(end=now - 10 * MINUTE), "expired")
    yield case("long expired", respond(begin=now - 9 * DAY, end=now - DAY), "expired")
    yield case("expired within the skew", respond(end=now - 3 * MINUTE), "good")
    yield case("early", respond(begin=now + 10 * MINUTE), "not_yet_valid")
    yield case("early within the skew", respond(begin=now + 3 * MINUTE), "good")
    # OpenSSL's tool takes it for good for ever.
    yield case("without nextUpdate", respond(end=None), "endless", opinion=None)
    yield case("backwards", respond(begin=now, end=now - 2 * MINUTE), "expired")
    yield case(
        "revoked and expired",
        respond(REVOKED, begin=now - 9 * DAY, end=now - DAY),
        "expired",
    )


def _named(world: World) -> Iterator[Case]:
    case, respond, authority = world.case, world.respond, world.authority
    for algorithm in (SHA256, hashes.SHA384(), hashes.SHA512()):
        name = algorithm.name
        staple = respond(algorithm=algorithm)
        yield case(f"named by {name}", staple, "good", identifier=name)
    other = authority.respond(world.other.certificate)
    yield case("for another serial number", other, "foreign")
    double = Authority(now=world.now)
    serial = world.host.certificate.serial_number
    foreign = double.respond(double.issue(serial=serial).certificate)
    yield case("of another issuer of the name", foreign, "foreign")
    renamed = Authority("Renamed", key=authority.key, now=world.now)
    foreign = renamed.respond(renamed.issue(serial=serial).certificate)
    yield case("of another name of the issuer's", foreign, "foreign")


def _malformed(world: World) -> Iterator[Case]:
    case, staple = world.case, world.respond()
    yield case("none", None, "none", opinion=None)
    yield case("empty", b"", "unreadable", opinion=None)
    yield case("garbage", b"garbage", "unreadable")
    yield case("cut", staple[:-1], "unreadable")
    yield case("half", staple[: len(staple) // 2], "unreadable")


def _several(world: World) -> Iterator[Case]:
    case, respond = world.case, world.respond
    key, ours = world.authority.key, respond()
    others = world.authority.respond(world.other.certificate, REVOKED)
    revoked = respond(REVOKED, algorithm=SHA256)
    unknown = respond(UNKNOWN, algorithm=SHA256)
    stale = respond(REVOKED, algorithm=SHA256, end=world.now - HOUR)
    for name, responses, word in (
        ("other's revoked, ours good", [others, ours], "good"),
        ("ours good, other's revoked", [ours, others], "good"),
        ("only others", [others, others], "foreign"),
        ("good, and revoked", [ours, revoked], "revoked"),
        ("revoked, and good", [revoked, ours], "revoked"),
        ("good, and unknown", [ours, unknown], "unknown"),
        ("good, and once revoked", [ours, stale], "good"),
    ):
        # OpenSSL's tool looks at the first that fits alone.
        yield case(name, combined(responses, key), word, opinion=None)
