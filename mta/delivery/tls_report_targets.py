"""Where a domain wants TLS reports sent: its TXT record (RFC 8460, section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from mta.address import AddressError, parse_address

RECORD_NAME = "_smtp._tls"
VERSION = b"v=TLSRPTv1"
RECORD_LIMIT = 4096
TARGETS_LIMIT = 10


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """One place for reports: ``mailto`` with an address, or ``https`` with a URL."""

    scheme: str
    place: str

    def __str__(self) -> str:
        return self.place if self.scheme == "https" else f"mailto:{self.place}"


def report_targets(records: Iterable[bytes]) -> list[ReportTarget]:
    """Return the places that a domain's TXT records name, in order.

    There are none unless exactly one record is of TLS reporting; what cannot be
    understood in it is left out.
    """
    found = [record for record in records if _is_of_reporting(record)]
    if len(found) != 1:
        return []
    targets: dict[ReportTarget, None] = {}
    for name, value in _fields(found[0]):
        if name != "rua":
            continue
        for uri in value.split(","):
            target = _target(uri.strip(" \t"))
            if target is not None:
                targets[target] = None
    return list(targets)[:TARGETS_LIMIT]


def _is_of_reporting(record: bytes) -> bool:
    version, semicolon, _ = record.partition(b";")
    return bool(semicolon) and version.rstrip(b" \t") == VERSION


def _fields(record: bytes) -> list[tuple[str, str]]:
    """Return the fields behind the version; none of a record that is hostile."""
    if len(record) > RECORD_LIMIT or not record.isascii():
        return []
    fields = []
    for part in record.decode("ascii").split(";")[1:]:
        name, equals, value = part.strip(" \t").partition("=")
        if equals:
            fields.append((name, value))
    return fields


def _target(uri: str) -> ReportTarget | None:
    if not uri.isprintable() or " " in uri:
        return None
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return None
    if scheme.lower() == "mailto":
        return _mail_target(rest)
    if scheme.lower() == "https":
        return _web_target(uri)
    return None


def _mail_target(rest: str) -> ReportTarget | None:
    """Return the address of a mailto URI (RFC 6068) that names one and no more."""
    try:
        text = unquote_to_bytes(rest.partition("?")[0]).decode("ascii")
        address = parse_address(text)
    except (UnicodeDecodeError, AddressError):
        return None
    if not address.domain or not text.isprintable():
        return None
    return ReportTarget("mailto", address.text)


def _web_target(uri: str) -> ReportTarget | None:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc or port == 0 or parts.fragment:
        return None
    return ReportTarget("https", uri)
