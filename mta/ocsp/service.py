"""``twistd mta-ocsp``: an OCSP responder for a CA of one's own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import IService, MultiService
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.task import Cooperator, LoopingCall
from twisted.logger import Logger
from twisted.python import usage

from mta.log import printable
from mta.ocsp.index import Index, IndexFileError
from mta.ocsp.responder import Responder
from mta.ocsp.signing import SigningError
from mta.ocsp.signing_files import SigningFiles
from mta.ocsp.web import OCSPFactory
from mta.options import parse_interval

_INDEX_INTERVAL = 5.0
_log = Logger()


class Options(usage.Options):
    """What ``twistd mta-ocsp`` takes."""

    synopsis = "--ca CERTIFICATE --index FILE --key KEY [options]"
    longdesc = (
        "An OCSP responder: says over HTTP which certificates of a CA are good, which "
        "are revoked, and which are unknown."
    )
    optParameters = [
        ["ca", None, None, "The CA's certificate (PEM)."],
        ["index", None, None, "OpenSSL's index.txt, or a JSON file; read anew when "
         "it changes."],
        ["key", None, None, "The key that signs (PEM)."],
        ["passphrase-file", None, None, "A file whose first line opens the key."],
        ["signer", None, None, "The key's certificate, by default the CA's; another "
         "one is issued by the CA, with the usage OCSPSigning."],
        ["validity", None, "1d", "How long answers are good."],
        ["host", None, "127.0.0.1", "The address to listen on."],
        ["port", None, 2560, "The port to listen on.", int],
    ]  # fmt: skip

    def postOptions(self) -> None:
        """Refuse what is missing or makes no sense."""
        for name in ("ca", "index", "key"):
            if self[name] is None:
                raise usage.UsageError(f"--{name} is wanted")
        if not 0 <= self["port"] < 65536:
            raise usage.UsageError(f"--port: {self['port']} is no port")
        try:
            self["validity"] = parse_interval(self["validity"])
        except ValueError as error:
            raise usage.UsageError(f"--validity: {error}") from error
        if self["validity"] < 60:
            raise usage.UsageError("--validity: a minute is the least")


def makeService(options: Options) -> IService:
    """Return the service that answers OCSP requests.

    Files that cannot be used are told in a line on standard error, and end the
    process with status 1.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - twistd may install another

    try:
        return OCSPService(options, reactor)
    except OSError as error:
        text = f"{error.filename}: {error.strerror}"
    except (IndexFileError, SigningError) as error:
        text = str(error)
    print(f"mta-ocsp: {printable(text)}", file=sys.stderr)
    raise SystemExit(1)


class OCSPService(MultiService):
    """The responder, its port, and the signing ahead."""

    def __init__(self, options: Options, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._files = SigningFiles(
            ca=options["ca"],
            signer=options["signer"],
            key=options["key"],
            passphrase=options["passphrase-file"],
        )
        issuer, signer = self._files.load()
        index = Index(options["index"])
        index.refresh()
        self.responder = Responder(
            issuer=issuer,
            index=index,
            signer=signer,
            validity=options["validity"],
            now=time.time,
            log=_warn,
        )
        self._ahead = 0
        self._cooperator = Cooperator(started=False)
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        factory = OCSPFactory(self.responder, reactor=reactor, now=time.time)
        host = options["host"]
        form = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
        self.listening = StreamServerEndpointService(  # type: ignore[no-untyped-call]
            form(reactor, options["port"], interface=host), factory
        )
        # A port that is taken ends the start.
        self.listening._raiseSynchronously = True
        self.listening.setServiceParent(self)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Begin to sign ahead, and to look at the list."""
        super().startService()  # type: ignore[no-untyped-call]
        self._cooperator.start()
        self._looking.start(_INDEX_INTERVAL)

    def stopService(self) -> Any:
        """End all that runs."""
        if self._looking.running:
            self._looking.stop()
        self._cooperator.stop()
        return super().stopService()  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        """Take another signer that has come; sign ahead what a list says."""
        try:
            signer = self._files.renewed()
        except (OSError, SigningError) as error:
            text = (
                f"{error.filename}: {error.strerror}"
                if isinstance(error, OSError)
                else str(error)
            )
            _warn(f"signer not changed: {text}")
        else:
            if signer is not None:
                self.responder.use(signer)
                self._ahead = 0
                _warn("another signer's certificate is used")
        generation = self.responder.generation()
        if generation not in (0, self._ahead):
            self._ahead = generation
            self._cooperator.coiterate(self._sign_ahead(generation))

    def _sign_ahead(self, generation: int) -> Iterator[None]:
        for _ in self.responder.sign_ahead():
            if generation != self._ahead:
                return
            yield


def _warn(text: str) -> None:
    _log.warn("{text}", text=printable(text))
