"""What TLS towards a host must be like; plain values, so nothing is loaded for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from mta.tls.tlsa import TLSA, published_records
from mta.tls.verdict import PublishedPolicy


class Verify(Enum):
    """What a certificate that cannot be verified means."""

    NEVER = "nobody looks at it"
    TRY = "the session goes on, and the log says so"
    REQUIRE = "the session ends"


class Start(Enum):
    """When TLS begins, and whether it may be missing."""

    NEVER = "not at all"
    OFFERED = "after STARTTLS, where the server offers it"
    REQUIRED = "after STARTTLS, or nothing is sent"
    ON_CONNECT = "before the greeting"


class Staple(Enum):
    """Whether the server is to prove that its certificate is not revoked."""

    UNWANTED = "it is not asked for an OCSP response"
    REQUEST = "it is asked; without a good one the session goes on"
    REQUIRE = "it is asked; without a good one the session ends"


@dataclass(frozen=True, slots=True)
class STSDemand:
    """What an MTA-STS policy wants of a host: a certificate for its MX name.

    Where it is not enforced it only matters whether there is one.
    """

    name: str
    is_enforced: bool


@dataclass(frozen=True, slots=True)
class ClientTLSPolicy:
    """How one connection is to be secured.

    ``certificates`` is ``system``, a file or a directory.  ``name`` is what the
    certificate must be for, empty where any name will do.  ``server_name`` goes out
    as SNI, empty for none.  ``crl`` is a file or directory of revocation lists,
    ``certificate`` and ``private_key`` are files with our own, all empty for none.
    ``ciphers`` are in OpenSSL's notation, empty for its own choice.  ``protocols``
    are offered by ALPN; with ``protocol_is_required`` the server must choose one.
    With ``fetches_lists`` a certificate is looked for in the revocation lists that it
    names, where nothing else says whether it is revoked.  ``sts`` is what the MTA-STS
    policy of a domain adds to all that.  ``dane`` are usable TLSA records, of which one
    must match; ``dane_names`` are the names for them, first the domain that they belong
    to.  Equal policies may share a connection.
    """

    start: Start = Start.OFFERED
    verify: Verify = Verify.TRY
    name: str = ""
    server_name: str = ""
    certificates: str = "system"
    staple: Staple = Staple.UNWANTED
    crl: str = ""
    certificate: str = ""
    private_key: str = ""
    ciphers: str = ""
    protocols: tuple[str, ...] = ()
    protocol_is_required: bool = False
    fetches_lists: bool = False
    sts: STSDemand | None = None
    dane: tuple[TLSA, ...] = ()
    dane_names: tuple[str, ...] = ()

    @property
    def allows_clear_text(self) -> bool:
        """Whether a message may go out in clear after TLS has failed.

        Never where TLS itself or something inside it is demanded: who could make it
        fail could then read the message.
        """
        return (
            self.start is Start.OFFERED
            and not self.demands_certificate
            and self.staple is not Staple.REQUIRE
            and not self.protocol_is_required
        )

    @property
    def demands_certificate(self) -> bool:
        """Whether nothing may be sent to a server that does not prove who it is."""
        return self.verify is Verify.REQUIRE or bool(self.dane)

    @property
    def published_records(self) -> tuple[PublishedPolicy, ...]:
        """What reports say of the TLSA records; empty where there are none."""
        if not self.dane:
            return ()
        return (published_records(self.dane_names[0], self.dane),)

    @property
    def demands_session(self) -> bool:
        """Whether nothing may be sent without TLS."""
        return self.start in (Start.REQUIRED, Start.ON_CONNECT)

    def without_staple(self) -> ClientTLSPolicy:
        """Return the same without asking for an OCSP response."""
        return replace(self, staple=Staple.UNWANTED)
