"""``twistd mta-ocsp``: its options, and the responder that ``openssl ocsp`` asks."""

from __future__ import annotations

import shutil
import socket
import sys
from io import StringIO
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from twisted.application.service import IServiceMaker
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.utils import getProcessOutputAndValue
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp import service as service_module
from mta.ocsp.fetch import Subject
from mta.ocsp.service import OCSPService, Options, makeService
from tests.ocsp.case import (
    GOOD_SERIAL,
    REVOKED_SERIAL,
    UNKNOWN_SERIAL,
    ResponderCase,
    authority,
    delegate,
    issued,
)
from tests.tls.proofs import Authority

OPENSSL = shutil.which("openssl")


def parsed(*words: str) -> Options:
    """Return options from a command line."""
    options = Options()
    options.parseOptions(list(words))
    return options


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def test_found(self) -> None:
        """``twistd`` knows the responder by its name."""
        makers = [one for one in getPlugins(IServiceMaker) if one.tapname == "mta-ocsp"]
        self.assertEqual(["mta.ocsp.service"], [maker.module for maker in makers])

    def test_default(self) -> None:
        """Answers are good for a day, and only this machine is served."""
        options = parsed("--ca", "a", "--index", "b", "--key", "c")
        self.assertEqual(
            (86400, "127.0.0.1", 2560),
            (options["validity"], options["host"], options["port"]),
        )

    def test_wrong(self) -> None:
        """What is missing, or makes no sense, is told."""
        whole = ("--ca", "a", "--index", "b", "--key", "c")
        for words in (
            whole[2:],
            whole[:4],
            (*whole, "--port", "x"),
            (*whole, "--port", "70000"),
            (*whole, "--validity", "long"),
            (*whole, "--validity", "1s"),
        ):
            self.assertRaises(UsageError, parsed, *words)


class ServiceCase(ResponderCase):
    """With the files that the options name."""

    def setUp(self) -> None:
        """Write the files that the options name."""
        super().setUp()
        self.ca = self.write("ca.pem", authority().holder.pem)
        self.signer = self.write("signer.pem", delegate().pem)
        self.key = self.write("signer.key", delegate().key_pem)

    def options(self, *words: str, **paths: str) -> Options:
        """Return the responder's options."""
        known = {"ca": self.ca, "key": self.key, "signer": self.signer, **paths}
        known.setdefault("index", self.index_path)
        named = [word for name in known for word in (f"--{name}", known[name])]
        return parsed("--port", "0", *named, *words)


class ServiceTests(ServiceCase):
    """The whole responder."""

    def serve(self) -> int:
        """Serve until the test ends; return the port."""
        service = OCSPService(self.options(), reactor)
        service.startService()
        self.addCleanup(service.stopService)
        port: Any = service.listening._waitingForPort.result
        return int(port.getHost().port)

    async def ask(self, port: int, *words: str) -> str:
        """Return what ``openssl ocsp`` says of certificates."""
        assert OPENSSL is not None
        url = f"http://127.0.0.1:{port}/"
        command = ["ocsp", "-issuer", self.ca, "-CAfile", self.ca, "-url", url, *words]
        out, error, status = await getProcessOutputAndValue(OPENSSL, command)
        self.assertIn(b"Response verify OK", error)
        self.assertEqual(0, status)
        return out.decode()

    def test_openssl(self) -> Deferred[None]:
        """OpenSSL's client verifies the answers for several certificates at once."""
        words = []
        for serial in (GOOD_SERIAL, REVOKED_SERIAL, UNKNOWN_SERIAL):
            words += ["-cert", self.write(f"{serial}.pem", issued(serial).pem)]

        async def run() -> None:
            for digest in ("-sha1", "-sha256"):
                said = await self.ask(self.serve(), digest, *words)
                for serial, status in (
                    (GOOD_SERIAL, "good"),
                    (REVOKED_SERIAL, "revoked"),
                    (UNKNOWN_SERIAL, "unknown"),
                ):
                    self.assertIn(f"{serial}.pem: {status}\n", said)
                self.assertIn("Reason: keyCompromise", said)

        return Deferred.fromCoroutine(run())

    def test_survives(self) -> Deferred[None]:
        """Who connects and goes, as OpenSSL's responder cannot bear, does no harm."""
        certificate = self.write("a.pem", issued(GOOD_SERIAL).pem)

        async def run() -> None:
            port = self.serve()
            for octets in (b"", b"\0" * 5000, b"GET ", b"POST / HTTP/1.1\r\n\r\n"):
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(octets)
            said = await self.ask(port, "-cert", certificate)
            self.assertIn("a.pem: good", said)

        return Deferred.fromCoroutine(run())

    if OPENSSL is None:
        test_openssl.skip = "there is no openssl command"  # type: ignore[attr-defined]
        test_survives.skip = "there is no openssl command"  # type: ignore[attr-defined]

    def test_port_taken(self) -> None:
        """A port that somebody has ends the start."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            service = OCSPService(self.options("--port", port), reactor)
            self.assertRaises(CannotListenError, service.privilegedStartService)

    def test_passphrase(self) -> None:
        """A key that is encrypted is opened by a file: nobody is asked for that."""
        encrypted = delegate().key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        paths = {
            "key": self.write("locked.key", encrypted),
            "passphrase-file": self.write("word.txt", b"secret\n"),
        }
        service = OCSPService(self.options(**paths), reactor)
        self.assertNotEqual(0, service.responder.generation())

    def test_unusable(self) -> None:
        """Files that cannot be used end the start, with a line that names them."""
        encrypted = delegate().key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        wrong = self.write("wrong.txt", b"guess\n")
        locked = self.write("locked.key", encrypted)
        garbage = self.write("garbage", b"\xff\0")
        other = self.write("other.key", authority().holder.key_pem)
        for paths, text in (
            ({"ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem: No such file"),
            ({"ca": garbage}, "garbage: no certificate in PEM"),
            ({"key": garbage}, "garbage: no private key in PEM"),
            ({"key": locked}, "locked.key: the key is encrypted"),
            ({"key": locked, "passphrase-file": wrong}, "no private key in PEM"),
            ({"passphrase-file": wrong}, "signer.key: the key is not encrypted"),
            ({"passphrase-file": "/nowhere/word"}, "/nowhere/word: No such file"),
            ({"key": other}, "the key is not that of the signer's certificate"),
            ({"signer": self.ca}, "the key is not that of the signer's certificate"),
            ({"index": garbage}, "garbage: line 1: 1 fields"),
            ({"index": "/nowhere/index"}, "/nowhere/index: No such file"),
        ):
            self.patch(sys, "stderr", StringIO())
            self.assertRaises(SystemExit, makeService, self.options(**paths))
            said = sys.stderr.getvalue()
            self.assertIn(text, said)
            self.assertEqual(1, said.count("\n"))


class RenewalTests(ServiceCase):
    """Another signer, while the responder runs."""

    def test_renewed(self) -> None:
        """Certificate and key that are replaced sign all that is answered after."""
        service = OCSPService(self.options(), reactor)
        request = ocsp_request(GOOD_SERIAL)
        before = service.responder.answer(request).octets
        other = authority().delegate(signs=True)
        self.write("signer.pem", other.pem)
        service._look()
        self.write("signer.key", other.key_pem)
        for _ in range(2):
            service._look()
        after = service.responder.answer(request).octets
        names = [
            x509.ocsp.load_der_ocsp_response(octets).responder_key_hash
            for octets in (before, after)
        ]
        self.assertNotEqual(*names)
        self.assertEqual([], self.flushLoggedErrors())

    def test_unusable(self) -> None:
        """What does not fit is told once, and the earlier one goes on."""
        lines: list[str] = []
        service = OCSPService(self.options(), reactor)
        self.patch(service_module, "_warn", lines.append)
        self.write("signer.pem", authority().delegate(signs=True).pem)
        for _ in range(4):
            service._look()
        self.write("ca.pem", Authority("Stranger").holder.pem)
        for _ in range(4):
            service._look()
        self.assertEqual(
            [
                "signer not changed: the key is not that of the signer's certificate",
                f"signer not changed: {self.ca}: another CA needs another responder",
            ],
            lines,
        )
        self.assertNotEqual(0, service.responder.generation())


def ocsp_request(serial: int) -> bytes:
    """Return a request for a certificate."""
    return Subject(issued(serial).certificate, authority().certificate).request()
