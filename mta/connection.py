"""What is known of the connection by which a message comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class TLSFacts:
    """A finished handshake, as variables and logs tell it.

    ``version`` is ``TLS1.3``; ``cipher`` is Exim's ``TLS1.3:NAME:bits``.
    ``ocsp`` is 0-4 as ``$tls_in_ocsp``, ``staple`` the word for it in the log.
    ``dane`` says that a TLSA record vouches for the peer, ``tlsa_usage`` has a bit for
    each usage that its records have.
    """

    version: str
    cipher: str
    cipher_std: str = ""
    bits: int = 0
    sni: str = ""
    peer_dn: str = ""
    verified: bool = False
    ocsp: int = 0
    staple: str = ""
    dane: bool = False
    tlsa_usage: int = 0
    peer_certificate: Any = None
    our_certificate: Any = None
    on_connect: bool = False

    @property
    def log_cipher(self) -> str:
        """What stands behind ``X=``."""
        return self.cipher


@dataclass(slots=True)
class Connection:
    """One client, from its TCP connection to its end (or one local caller).

    ``peer_address`` is empty for a local caller.  ``host_name`` is the verified
    reverse name: None where nobody has asked yet, empty where there is none;
    ``host_aliases`` are further verified ones.  ``host_dnssec`` says that DNSSEC vouches
    for the look-ups of the name, ``helo_dnssec`` for those that verified the one in HELO.
    ``helo_name``, ``ident`` and everything else a peer said are tainted.
    ``started_at`` is in seconds since the epoch.
    """

    peer_address: str = ""
    peer_port: int = 0
    local_address: str = ""
    local_port: int = 0
    connection_id: str = ""
    started_at: float = 0.0
    host_name: str | None = None
    host_aliases: tuple[str, ...] = ()
    host_lookup_failed: bool = False
    host_lookup_deferred: bool = False
    host_dnssec: bool = False
    helo_name: str = ""
    helo_verified: bool = False
    helo_dnssec: bool = False
    esmtp: bool = False
    tls: TLSFacts | None = None
    ident: str = ""
    authenticator: str = ""
    authenticated_id: str = ""
    authenticated_sender: str = ""
    authentication_failed: bool = False
    command: str = ""
    command_argument: str = ""
    acl_variables: dict[str, str] = field(default_factory=dict)
    local_protocol: str = ""
    caller_uid: int = -1
    caller_gid: int = -1
    caller_login: str = ""
    message_count: int = 0
    proxy: Any = None

    @property
    def protocol(self) -> str:
        """``$received_protocol``: smtp, esmtp, esmtps, esmtpsa and their kin."""
        if self.local_protocol and self.local_protocol != "smtp":
            return self.local_protocol
        name = "esmtp" if self.esmtp else "smtp"
        if self.tls is not None:
            name += "s"
        if self.authenticator or self.authenticated_id:
            name += "a"
        return f"local-{name}" if self.local_protocol else name
