"""Signed zones behind unbound, which tells what is authenticated and what is forged."""

from __future__ import annotations

import contextlib
import time

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.versioned
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tests.interop.programs import Peer, free_port, program

HEAD = """\
@ 60 IN SOA ns.{zone}. root.{zone}. 1 3600 600 86400 60
@ 60 IN NS ns.{zone}.
ns 60 IN A 127.0.0.1
"""
SERVER = """\
server:
  directory: "{d}"
  chroot: ""
  username: ""
  pidfile: ""
  logfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: {port}
  do-ip6: no
  do-not-query-localhost: no
  num-threads: 1
  module-config: "validator iterator"
  local-zone: "test." nodefault
"""
ZONE = """\
auth-zone:
  name: "{zone}"
  zonefile: "{zone}.zone"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
"""


class SignedZones(Peer):
    """unbound with the zones that it is given, signed; it trusts their keys.

    A zone in ``open_zones`` is not signed.  With ``forged`` zones records were changed
    after signing, as somebody on the way might.
    """

    def __init__(
        self,
        zones: dict[str, str],
        *,
        open_zones: tuple[str, ...] = (),
        forged: dict[str, tuple[str, str]] | None = None,
    ) -> None:
        super().__init__()
        unbound = program("unbound")
        self.port = free_port()
        text = SERVER.format(d=self.directory, port=self.port)
        for name, records in zones.items():
            made, anchor = signed(name, HEAD.format(zone=name) + records)
            if name in open_zones:
                made = HEAD.format(zone=name) + records
            else:
                text += f'  trust-anchor: "{anchor}"\n'
            self.write(
                f"{name}.zone", made.replace(*(forged or {}).get(name, ("", "")))
            )
        text += "".join(ZONE.format(zone=name) for name in zones)
        self.write("unbound.conf", text)
        path = str(self.directory / "unbound.conf")
        self.start([unbound, "-d", "-c", path])

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with status {self.process.returncode}")
        query = dns.message.make_query("localhost.", "A")
        with contextlib.suppress(OSError, dns.exception.DNSException):
            answer = dns.query.udp(query, "127.0.0.1", timeout=1, port=self.port)
            return answer.rcode() == dns.rcode.NOERROR
        return False


def signed(name: str, text: str) -> tuple[str, str]:
    """Return a zone with its signatures, and the record that vouches for its key."""
    origin = dns.name.from_text(name)
    zone = dns.zone.from_text(
        text, origin, relativize=False, zone_factory=dns.versioned.Zone
    )
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(
        key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257
    )
    now = time.time()
    dns.dnssec.sign_zone(
        zone, keys=[(key, public)], inception=now - 3600, expiration=now + 86400
    )
    anchor = dns.dnssec.make_ds(origin, public, "SHA256")
    return zone.to_text(relativize=False), f"{name}. DS {anchor.to_text()}"
