"""Tests for ``mta.config.known``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.config.known import (
    BuiltInMacros,
    driver_macros,
    feature_macros,
    language_macros,
    main_macros,
    suggestion,
    unknown_option,
)


class UnknownOptionTests(SynchronousTestCase):
    """Texts for names that nothing declares."""

    def test_other_section(self) -> None:
        """An option of another section is not known where it stands."""
        text = unknown_option("spf_guess", (), ("routers", "accept"), "here")

        self.assertEqual(text, 'unknown option "spf_guess" here')

    def test_negated(self) -> None:
        """A negated option of Exim's is named without the no_."""
        text = unknown_option("no_prod_requires_admin", (), ("main",), "here")

        self.assertTrue(text.startswith('option "prod_requires_admin" is known'))

    def test_nothing_close(self) -> None:
        """Nothing is suggested where nothing is close."""
        self.assertEqual(suggestion("qqq", ["transport"]), "")


class BuiltInMacrosTests(SynchronousTestCase):
    """Macros that tell what is supported."""

    def test_lazy(self) -> None:
        """The names are collected once, when the first is asked for."""
        calls = []

        def names() -> list[str]:
            calls.append(1)
            return ["_HAVE_TLS"]

        macros = BuiltInMacros(names)

        self.assertEqual(calls, [])
        self.assertIn("_HAVE_TLS", macros)
        self.assertNotIn("_HAVE_SPF", macros)
        self.assertEqual((list(macros), len(macros)), (["_HAVE_TLS"], 1))
        self.assertEqual(calls, [1])

    def test_names(self) -> None:
        """Names are in capitals, under the prefix of their kind."""
        self.assertEqual(list(feature_macros(["tls"])), ["_HAVE_TLS"])
        self.assertEqual(list(language_macros("EXP_OP", ["lc"])), ["_EXP_OP_LC"])
        self.assertEqual(list(main_macros(["x_y"])), ["_OPT_MAIN_X_Y"])

    def test_drivers(self) -> None:
        """A driver has a macro, and each option one, generic ones shared."""
        macros = set(
            driver_macros("router", ["more"], {"accept": ["more", "x"], "y": []})
        )

        self.assertEqual(
            macros,
            {
                "_OPT_ROUTERS_MORE",
                "_OPT_ROUTERS_DRIVER",
                "_DRIVER_ROUTER_ACCEPT",
                "_OPT_ROUTER_ACCEPT_X",
                "_DRIVER_ROUTER_Y",
            },
        )
