"""Tests of mta.acl.verify_syntax."""

from __future__ import annotations

from mta.acl.verify_syntax import Options, Verifying, split_outside_braces
from mta.callout import Callout
from mta.errors import ConfigurationErrors
from mta.taint import Tainted
from tests.acl.case import ACLCase


class SplitTests(ACLCase):
    """What a separator parts."""

    def test_parts(self) -> None:
        """Expansions stay whole, and a doubled separator is a literal one."""
        self.assertEqual(
            ["sender=a/b@c", "x", "${y{/}}", ""],
            split_outside_braces("sender=a//b@c / x/${y{/}}/", "/"),
        )


class OptionsTests(ACLCase):
    """The options of a verification."""

    def options(self, text: str) -> Options | None:
        """Return what is known when the configuration is read."""
        value = self.parse(f"accept verify = {text}").statements[0].steps[0].value
        assert isinstance(value, Verifying)
        return value.fixed

    def test_constant(self) -> None:
        """What needs no expansion is known at once."""
        self.assertEqual(Options(frozenset()), self.options("recipient"))
        self.assertEqual(
            Options(frozenset({"defer_ok"}), Callout(10.0, defers_ok=True)),
            self.options("Recipient / defer_ok / Callout = 10s, defer_ok"),
        )

    def test_earlier_names(self) -> None:
        """The options that Exim had before are understood."""
        self.assertEqual(
            Options(frozenset(), Callout(defers_ok=True, postmaster=True)),
            self.options("sender/callout/callout_defer_ok/check_postmaster"),
        )

    def test_expanded(self) -> None:
        """What is expanded is known when it is used."""
        self.assertIsNone(self.options("recipient/callout=$x"))

        self.verdict(
            "accept verify = recipient/callout=$x", values={"x": "no_cache,random"}
        )

        self.assertEqual(
            [Callout(uses_cache=False, random=True)], self.verifier.callouts
        )

    def test_expanded_badly(self) -> None:
        """What comes to no option is an error, never a pass."""
        verdict = self.verdict("accept verify = recipient/$x", values={"x": "junk"})

        self.assertEqual("error", verdict.outcome.value)
        self.assertEqual([], self.verifier.asked)

    def test_tainted(self) -> None:
        """A client does not write options."""
        verdict = self.verdict(
            "accept verify = recipient/callout=$x", values={"x": Tainted("no_cache")}
        )

        self.assertEqual("error", verdict.outcome.value)
        self.assertEqual([], self.verifier.asked)

    def test_faults(self) -> None:
        """Misuse is an error of the configuration that names the line."""
        for text in (
            "helo/callout",
            "recipient/quota",
            "recipient/no_details",
            "header_sender=a@b",
            "sender/callout=use_sender",
        ):
            error = self.assertRaises(
                ConfigurationErrors, self.parse, f"accept verify = {text}"
            )
            self.assertIn("line 1 of /mta.conf", str(error))
