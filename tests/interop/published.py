"""What a domain publishes: a zone of the DNS and a policy host, as a process.

Both serve what is in files at the time, so a test changes them by writing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import trustme
from twisted.internet import reactor, ssl
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.dns.server import NameServer, response
from tests.interop.daemon import CHECKOUT
from tests.interop.programs import Peer

PATH = "/.well-known/mta-sts.txt"


class Published(Peer):
    """A name server, and a web server for the policies of its domains."""

    def __init__(self, issued: trustme.LeafCert) -> None:
        super().__init__()
        self._records: dict[str, list[str]] = {}
        pem = issued.private_key_and_cert_chain_pem.bytes()
        (self.directory / "certificate").write_bytes(pem)
        self.have({})
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        words = ["-m", "tests.interop.published", str(self.directory), str(self.port)]
        self.start([sys.executable, *words])

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with status {self.process.returncode}")
        return (self.directory / "dns_port").exists()

    @property
    def dns_port(self) -> int:
        """The port of the name server."""
        return int((self.directory / "dns_port").read_text())

    def have(self, records: dict[str, list[str]]) -> None:
        """Have records, by ``name KIND``; an empty list takes them away."""
        self._records |= records
        self._put("zone", json.dumps(self._records))

    def authenticate(self, is_on: bool) -> None:
        """Let answers count as authenticated by DNSSEC, or not."""
        if is_on:
            self._put("authenticated", "")
        else:
            (self.directory / "authenticated").unlink()

    def announce(self, domain: str, identifier: str, mode: str, mx: str) -> None:
        """Publish a policy of a domain."""
        self.have(
            {
                f"_mta-sts.{domain} TXT": [f'"v=STSv1; id={identifier};"'],
                f"mta-sts.{domain} A": ["127.0.0.1"],
            }
        )
        text = f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n"
        self._put("policy", text)

    def _put(self, name: str, text: str) -> None:
        self.write("temporary", text).rename(self.directory / name)


class PolicyFile(Resource):
    """The policy, which is the same for every domain."""

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def render_GET(self, request: Any) -> bytes:
        """Twisted calls this."""
        if request.uri != PATH.encode() or not self._path.exists():
            request.setResponseCode(404)
            return b""
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return self._path.read_bytes()


def answer(zone: Path, query: dns.message.Message) -> list[bytes]:
    """Answer from a zone file as it is now."""
    records: dict[str, list[str]] = json.loads(zone.read_text())
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    kind = dns.rdatatype.to_text(question.rdtype)
    flags = dns.flags.AD if (zone.parent / "authenticated").exists() else 0
    found = records.get(f"{name} {kind}", [])
    if found:
        record = (f"{name}.", 1, "IN", kind, *found)
        return [response(query, record, flags=flags).to_wire()]
    is_known = any(key.split()[0] == name for key in records)
    code = dns.rcode.NOERROR if is_known else dns.rcode.NXDOMAIN
    return [response(query, code=code).to_wire()]


def main(directory: Path, port: int) -> None:
    """Serve until the process is ended."""
    here: Any = reactor
    server = NameServer(lambda query: answer(directory / "zone", query))
    certificate = str(directory / "certificate")
    contexts = ssl.DefaultOpenSSLContextFactory(certificate, certificate)
    site = Site(PolicyFile(directory / "policy"))
    here.listenSSL(port, site, contexts, interface="127.0.0.1")
    (directory / "dns_port").write_text(str(server.address[1]))
    here.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
