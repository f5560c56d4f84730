"""What a server's context is made of; plain values, so nothing is loaded for them."""

from __future__ import annotations

from typing import NamedTuple

from mta.options import split_list

UNAVAILABLE = "TLS currently unavailable"
_NO_GROUPS = ("", "auto")


class TLSSettings(NamedTuple):
    """What a context is made of; without ``authorities`` no client can be verified."""

    certificates: str = ""
    keys: str = ""
    responses: str = ""
    ciphers: str = ""
    groups: str = ""
    prime: str = ""
    authorities: str = ""
    revocations: str = ""

    @property
    def group_names(self) -> list[str]:
        """The groups in which keys may be agreed on; none where OpenSSL chooses."""
        return [] if self.groups in _NO_GROUPS else split_list(self.groups)
