"""Tests of what the options of TLS say for a client."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.connection import Connection
from mta.errors import TaintError, TemporaryFailure
from mta.expand.context import Context
from mta.options import Source
from mta.reception.tls_options import TLSOptions
from mta.reception.tls_settings import (
    at_once,
    constant_settings,
    depends_on_server_name,
    settings_for,
    verify_of,
)
from mta.taint import Tainted
from mta.testing import result_of
from mta.tls.policy import Verify
from mta.tls.server_settings import TLSSettings
from tests.expand.expansions import LANGUAGE, site


def options(**texts: str) -> TLSOptions:
    """Return options with some set."""
    return TLSOptions.with_texts(texts, language=LANGUAGE)


def context() -> Context:
    """Return what is known of a client."""
    return Context(site(), Connection(peer_address="192.0.2.7", helo_name=Tainted("x")))


class SettingsTests(SynchronousTestCase):
    """What a client's context is made of."""

    def settings(self, verify: Verify = Verify.NEVER, **texts: str) -> TLSSettings:
        """Return what options say for a client."""
        return result_of(settings_for(options(**texts), context(), verify))

    def test_expanded(self) -> None:
        """Each option is expanded for the client."""
        names = {
            "tls_certificate": "certificates",
            "tls_privatekey": "keys",
            "tls_ocsp_file": "responses",
            "tls_require_ciphers": "ciphers",
            "tls_eccurve": "groups",
            "tls_dhparam": "prime",
            "tls_verify_certificates": "authorities",
            "tls_crl": "revocations",
        }
        for option, name in names.items():
            text = f"/${{if eq{{a}}{{a}}{{{name}}}}}"
            settings = self.settings(Verify.TRY, **{option: text})

            self.assertEqual(f"/{name}", getattr(settings, name))

    def test_unset(self) -> None:
        """A forced failure is as good as nothing."""
        for option in ("tls_certificate", "tls_crl", "tls_dhparam"):
            texts = {option: "${if eq{a}{b}{c}fail}"}
            self.assertEqual(
                self.settings(Verify.TRY), self.settings(Verify.TRY, **texts)
            )

    def test_not_verified(self) -> None:
        """Who is not verified needs no authorities."""
        settings = self.settings(tls_verify_certificates="/a", tls_crl="/b")

        self.assertEqual(("", ""), (settings.authorities, settings.revocations))

    def test_nobody(self) -> None:
        """Without authorities nobody can be verified."""
        error = self.assertRaises(
            TemporaryFailure, self.settings, Verify.TRY, tls_verify_certificates=""
        )

        self.assertIn("nobody can be verified", error.log_text)

    def test_tainted(self) -> None:
        """What a client said is no file name, and no list of ciphers."""
        for option in ("tls_certificate", "tls_crl", "tls_require_ciphers"):
            texts = {option: "/certificates/$sender_helo_name"}
            self.assertRaises(TaintError, self.settings, Verify.TRY, **texts)

    def test_verify(self) -> None:
        """The stricter list decides."""
        for texts, expected in (
            ({}, Verify.NEVER),
            ({"tls_verify_hosts": "*"}, Verify.REQUIRE),
            ({"tls_try_verify_hosts": "*"}, Verify.TRY),
            ({"tls_try_verify_hosts": "*", "tls_verify_hosts": "*"}, Verify.REQUIRE),
            ({"tls_try_verify_hosts": "192.0.2.8"}, Verify.NEVER),
        ):
            found = result_of(verify_of(options(**texts), context()))
            self.assertIs(expected, found, texts)


class ConstantTests(SynchronousTestCase):
    """What can be known before there is any client."""

    def test_plain(self) -> None:
        """Without clients to verify there is one."""
        self.assertEqual(
            [TLSSettings(certificates="/a", groups="auto")],
            constant_settings(options(tls_certificate="/a")),
        )

    def test_verifying(self) -> None:
        """With some there are two."""
        self.assertEqual(
            ["", "/ca"],
            [
                settings.authorities
                for settings in constant_settings(
                    options(tls_verify_hosts="*", tls_verify_certificates="/ca")
                )
            ],
        )

    def test_varying(self) -> None:
        """What varies is not known."""
        varying = "/$sender_host_address"

        self.assertEqual([], constant_settings(options(tls_certificate=varying)))
        found = constant_settings(options(tls_verify_hosts="*", tls_crl=varying))
        self.assertEqual([""], [settings.authorities for settings in found])

    def test_server_name(self) -> None:
        """The variables for the name asked for can be seen in the text."""
        for text, expected in (
            ("/a", False),
            ("/$sender_host_address", False),
            ("/${if eq{$tls_in_sni}{a}{b}{c}}", True),
            ("/${lookup{$tls_sni}dsearch{/tmp}}", True),
        ):
            template = LANGUAGE.template(text, Source())
            self.assertIs(expected, depends_on_server_name(template), text)
        self.assertFalse(depends_on_server_name(None))


class AtOnceTests(SynchronousTestCase):
    """A handshake does not wait."""

    def test_result(self) -> None:
        """What is there at once is returned."""

        async def settings() -> TLSSettings:
            return TLSSettings("a")

        self.assertEqual(TLSSettings("a"), at_once(settings()))

    def test_waiting(self) -> None:
        """What would wait is a failure."""

        class Waiting:
            def __await__(self) -> object:
                yield self

        async def settings() -> TLSSettings:
            await Waiting()  # type: ignore[misc]
            return TLSSettings()

        error = self.assertRaises(TemporaryFailure, at_once, settings())

        self.assertIn("waits for a lookup inside the handshake", error.log_text)
