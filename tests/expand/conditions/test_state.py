"""Tests of ``mta.expand.conditions.state``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

import os

from mta.errors import (
    ConfigurationError,
    ExpansionError,
    ForcedFailure,
    TaintError,
    TemporaryFailure,
)
from mta.expand.context import Context
from tests.expand.expansions import ExpansionTestCase, message, routed


class DefTests(ExpansionTestCase):
    """``def``."""

    def test_variables(self) -> None:
        """A variable is defined where it is not empty."""
        self.context.connection.helo_name = "client.example"

        self.check(
            ("${if def:sender_helo_name{y}{n}}", "y"),
            ("${if def:sender_ident{y}{n}}${if !def:1{y}{n}}", "ny"),
        )

    def test_header_fields(self) -> None:
        """A header field is defined where it exists, be it empty."""
        self.context.message = message(b"Subject:\r\nFrom: a@b\r\n")

        self.check(
            ("${if def:h_subject:{y}{n}}${if def:header_from: {y}{n}}", "yy"),
            ("${if def:h_to:{y}{n}}", "n"),
        )

    def test_unset_variable(self) -> None:
        """A variable that nobody set is not defined, even under strict rules."""
        self.context.site.strict_acl_variables = True

        self.check(("${if def:acl_m_x{y}{n}}", "n"))
        self.check_errors(ConfigurationError, "${if def:nonesuch{y}}")

    def test_host_name(self) -> None:
        """Asking whether there is a host name looks for it."""
        self.context.connection.peer_address = "192.0.2.1"
        self.context.connection.host_name = "client.example"

        self.check(("${if def:sender_host_name{y}{n}}", "y"))


class ExistsTests(ExpansionTestCase):
    """``exists``."""

    def test_files(self) -> None:
        """A path exists or not."""
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)

        self.check(
            ("${if exists{%s}{y}{n}}" % directory, "y"),
            ("${if exists{%s/none}{y}{n}}" % directory, "n"),
        )

    def test_refusals(self) -> None:
        """Relative paths and those that an outsider chose are refused."""
        self.context.address = routed("user@example.com")

        self.check_errors(ExpansionError, "${if exists{file}}")
        self.check_errors(TaintError, "${if exists{/home/$local_part}}")


class ACLTests(ExpansionTestCase):
    """``acl``."""

    def test_verdicts(self) -> None:
        """Accept is true and deny false; the message is ``$value``."""
        asked = []

        async def run(
            context: Context, name: str, arguments: list[str]
        ) -> tuple[bool, str]:
            asked.append((name, arguments))
            return name == "good", f"{name} said"

        self.context.site.run_acl = run

        self.check(
            ("${if acl{{good}{a$acl_m_x}{b}}{$value}{n}}$value", "good said"),
            ("${if acl{{bad}}{y}{$value}}", "bad said"),
        )
        self.assertEqual(asked, [("good", ["a", "b"]), ("bad", [])])

    def test_defer(self) -> None:
        """A defer is a forced failure."""

        async def run(context: Context, name: str, arguments: list[str]) -> None:
            raise TemporaryFailure("later")

        self.context.site.run_acl = run  # type: ignore[assignment]

        self.check_errors(ForcedFailure, "${if acl{{some}}{y}{n}}")

    def test_nowhere(self) -> None:
        """Without ACLs it fails."""
        self.check_errors(ExpansionError, "${if acl{{some}}{y}{n}}")


class DeliveryTests(ExpansionTestCase):
    """``first_delivery`` and ``queue_running``."""

    def test_states(self) -> None:
        """They say what kind of delivery this is."""
        text = "${if first_delivery{y}{n}}${if queue_running {y}{n}}"
        self.check((text, "nn"))

        self.context.first_delivery = self.context.queue_running = True

        self.check((text, "yy"))
