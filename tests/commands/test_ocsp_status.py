"""``mta ocsp status``: what is shown of certificates and their proofs."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.commands.command_line import main
from mta.commands.ocsp import Outcome
from mta.ocsp.kept_proof import proof_path, standing_path
from mta.ocsp.standing import Standing
from tests.commands.test_ocsp import authority, host
from tests.tls.proofs import DAY, HOUR, REVOKED, Holder, pem

URL = "http://ca.example/"


class StatusCase(SynchronousTestCase):
    """With a configuration, certificates and proofs."""

    def setUp(self) -> None:
        """Write a certificate."""
        os.mkdir(directory := self.mktemp())
        self.directory = os.path.abspath(directory)
        self.folder = os.path.join(self.directory, "spool", "ocsp")
        os.makedirs(self.folder)
        self.certificate = self.certify("mx.pem", host())
        self.proof = os.path.join(self.directory, "mx.ocsp")
        self.out = self.error = ""

    def certify(self, name: str, holder: Holder) -> str:
        """Write a certificate and its issuer's; return the path."""
        return self.write(name, holder.pem + authority().holder.pem)

    def write(self, name: str, octets: bytes) -> str:
        """Write a file; return its path."""
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def keep(self, holder: Holder, response: bytes, path: str) -> str:
        """Keep a proof as the daemon does; return its path."""
        proof = proof_path(self.folder, holder.certificate)
        self.write(proof, response)
        now = authority().now.timestamp()
        standing = Standing(path, [URL], "good", now - 60, now + 3600, 0, now)
        standing.write(standing_path(proof))
        return proof

    def status(self, *words: str, **options: str) -> int:
        """Return the exit status; what is printed is in ``out`` and ``error``."""
        known = {
            "spool_directory": os.path.join(self.directory, "spool"),
            "primary_hostname": "mx.test",
            "tls_certificate": self.certificate,
            **options,
        }
        text = "".join(f"{name} = {value}\n" for name, value in known.items())
        path = self.write("mta.conf", text.encode())
        out, error = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(error):
            status = main(["mta", "-C", path, "ocsp", "status", *words])
        self.out, self.error = out.getvalue(), error.getvalue()
        return status

    def shown(self, **options: str) -> list[dict[str, Any]]:
        """Return what is shown as JSON."""
        self.status("--json", **options)
        found: list[dict[str, Any]] = json.loads(self.out)
        return found


class StatusTests(StatusCase):
    """What is shown."""

    def test_kept(self) -> None:
        """Of a proof that is kept all is shown that is known."""
        response = authority().respond(host().certificate)
        proof = self.keep(host(), response, self.certificate)
        status = self.status(tls_ocsp_refresh="true", tls_ocsp_responder=URL)
        self.assertEqual((Outcome.DONE, ""), (status, self.error))
        first, *lines = self.out.splitlines()
        self.assertEqual(f"{self.certificate}: good", first)
        known = dict(line.strip().split(":", 1) for line in lines)
        now = authority().now
        shape = "%Y-%m-%d %H:%M:%S UTC"
        self.assertEqual(
            {
                "subject": "CN=mx.example",
                "serial number": "1234",
                "responder": URL,
                "proof": proof,
                "this update": (now - HOUR).strftime(shape),
                "next update": (now + DAY).strftime(shape),
                "signer's end": (now + 365 * DAY).strftime(shape),
                "effective end": (now + DAY).strftime(shape),
                "last result": (now - HOUR / 60).strftime(shape) + ", good",
                "next try": (now + HOUR).strftime(shape),
            },
            {name: value.strip() for name, value in known.items()},
        )

    def test_json(self) -> None:
        """Programs are given the same, with times as RFC 3339 has them."""
        response = authority().respond(host().certificate)
        proof = self.keep(host(), response, self.certificate)
        [shown] = self.shown(tls_ocsp_refresh="true", tls_ocsp_responder=URL)
        self.assertEqual(
            ("good", self.certificate, proof, [URL], "1234", 0, "good"),
            (
                shown["state"],
                shown["certificate"],
                shown["proof"],
                shown["responders"],
                shown["serial"],
                shown["failures"],
                shown["last_result"],
            ),
        )
        end = (authority().now + DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.assertEqual((end, end), (shown["effective_end"], shown["next_update"]))

    def test_named(self) -> None:
        """Without refresh the files of ``tls_ocsp_file`` are looked at."""
        response = authority().respond(host().certificate)
        self.write("mx.ocsp", pem(response))
        [shown] = self.shown(tls_ocsp_file=f"PEM {self.proof}")
        self.assertEqual(("good", self.proof), (shown["state"], shown["proof"]))
        self.assertIsNone(shown["next_try"])

    def test_others(self) -> None:
        """What is wrong has a word, a reason and an exit status."""
        now = authority().now
        certificate = host().certificate
        old = authority().respond(certificate, begin=now - 2 * DAY, end=now - DAY)
        other = authority().respond(authority().issue().certificate)
        for response, state, outcome, reason in (
            (old, "expired", Outcome.FAILED, "it has expired: at "),
            (other, "unusable", Outcome.FAILED, "it is for another certificate"),
            (b"nonsense", "unusable", Outcome.FAILED, "it is not an OCSP response"),
            (
                authority().respond(certificate, REVOKED),
                "revoked",
                Outcome.REVOKED,
                "the certificate is revoked",
            ),
            (None, "missing", Outcome.FAILED, f"{self.proof}: No such file"),
        ):
            if response is None:
                os.unlink(self.proof)
            else:
                self.write("mx.ocsp", response)
            self.assertEqual(outcome, self.status(tls_ocsp_file=self.proof))
            before = f"{self.certificate}: {state}, {reason}"
            self.assertTrue(self.out.startswith(before), self.out)

    def test_no_responder(self) -> None:
        """That nobody can be asked is a state, and no fault."""
        for refresh in ("true", "false"):
            self.assertEqual(Outcome.DONE, self.status(tls_ocsp_refresh=refresh))
            self.assertIn(
                ": no responder, the certificate names no OCSP responder\n", self.out
            )

    def test_not_kept_yet(self) -> None:
        """A proof that was never fetched is missing."""
        status = self.status(tls_ocsp_refresh="true", tls_ocsp_responder=URL)
        self.assertEqual(Outcome.FAILED, status)
        self.assertIn(": missing, ", self.out)

    def test_several(self) -> None:
        """Each certificate is shown; the worst one makes the exit status."""
        gone = self.write("gone.pem", b"nonsense")
        self.write(
            "mx.ocsp",
            authority().respond(host().certificate),
        )
        names = f"{self.certificate} : {gone}"
        status = self.status(tls_certificate=names, tls_ocsp_file=self.proof)
        self.assertEqual(Outcome.FAILED, status)
        self.assertIn(f"{self.certificate}: good\n", self.out)
        self.assertIn(f"\n\n{gone}: unreadable, ", self.out)

    def test_by_name(self) -> None:
        """Where names choose, those are shown too that clients were served."""
        other = authority().issue("other.example")
        path = self.certify("other.pem", other)
        self.keep(other, authority().respond(other.certificate), path)
        gone = authority().issue("gone.example")
        self.keep(gone, authority().respond(gone.certificate), path)
        chosen = f"${{if eq{{$tls_in_sni}}{{}}{{{self.certificate}}}{{x}}}}"
        found = self.shown(
            tls_certificate=chosen, tls_ocsp_refresh="true", tls_ocsp_responder=URL
        )
        self.assertEqual(
            [(self.certificate, "missing"), (path, "good")],
            [(one["certificate"], one["state"]) for one in found],
        )

    def test_none(self) -> None:
        """Without certificates that is said."""
        self.assertEqual(Outcome.DONE, self.status(tls_certificate=""))
        self.assertEqual(
            ("", "mta ocsp: tls_certificate names no certificate\n"),
            (self.out, self.error),
        )

    def test_wrong_use(self) -> None:
        """Words that mean nothing are refused."""
        self.assertEqual(Outcome.WRONG_USE, self.status("--yaml"))
        self.assertIn("--yaml is not known", self.error)
