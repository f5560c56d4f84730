"""Serve a folder over HTTPS, with an OCSP response stapled to each handshake.

    python staple_web.py PORT CERTIFICATE RESPONSE [FOLDER]

CERTIFICATE is a PEM file with the host's certificate, those of its authorities, and the
key; RESPONSE is the OCSP response in DER, as ``mta ocsp fetch`` writes it.  Both files
may be replaced at any time: what clients get next is made of the new ones.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import react
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.web.server import Site
from twisted.web.static import File
from zope.interface import implementer

from mta.tls.openssl_options import DEFAULT_BITS
from mta.tls.server import ServerTLS
from mta.tls.server_contexts import ServerContexts
from mta.tls.server_settings import TLSSettings


class Logs:
    """Tells Twisted's log of certificates and OCSP responses.

    These are the two of ``mta.interfaces.ILogs`` that TLS writes to.
    """

    _log = Logger()

    def main(self, text: str, message_id: str = "") -> None:
        """Tell what may be of interest."""
        self._log.info("{text}", text=text)

    def panic(self, text: str, message_id: str = "") -> None:
        """Tell what somebody has to look at."""
        self._log.critical("{text}", text=text)


@implementer(IOpenSSLServerConnectionCreator)
class Stapling:
    """Gives each connection of any Twisted server its certificate and its staple."""

    def __init__(self, certificate: str, response: str) -> None:
        logs: Any = Logs()
        self._settings = TLSSettings(certificates=certificate, responses=response)
        self._contexts = ServerContexts(
            host_name="localhost",
            bits=DEFAULT_BITS,
            longest_prime=0,
            proofs=None,
            logs=logs,
            clock=time.time,
        )
        # What is wrong with the files is to be known at once.
        self._contexts.context(self._settings)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted calls this for the connection to negotiate on."""
        context = self._contexts.context(self._settings)
        return ServerTLS(context).serverConnectionForTLS(tlsProtocol)


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Serve until interrupted."""
    port, certificate, response, *folder = arguments
    observer = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    site = Site(File(folder[0] if folder else "."))
    reactor.listenSSL(int(port), site, Stapling(certificate, response))
    return Deferred()


if __name__ == "__main__":
    react(main, [sys.argv[1:]])
