"""Tests of the variables that ACLs set."""

from __future__ import annotations

from mta.expand.nodes import UndefinedVariable
from tests.expand.expansions import ExpansionTestCase, message

LEFT = (
    "value item runrc acl_verify_message headers_added host_data recipient_data "
    "sender_data sender_address_data recipient_verify_failure sender_verify_failure "
    "sender_rate sender_rate_limit sender_rate_period smtp_notquit_reason"
).split()


class ACLVariableTests(ExpansionTestCase):
    """Variables of a connection and of a message."""

    def test_set(self) -> None:
        """Each has the value that an ACL set; unset ones are empty."""
        self.context.connection.acl_variables["c0"] = "zero"
        self.context.connection.acl_variables["c_name"] = "named"
        self.context.message = message()
        self.context.message.acl_variables["m_x"] = "of a message"
        self.check(
            ("$acl_c0|$acl_c_name|$acl_m_x", "zero|named|of a message"),
            ("[$acl_c1$acl_m0$acl_m_y]", "[]"),
            ("${if def:acl_c0{y}{n}}${if def:acl_c1{y}{n}}", "yn"),
        )

    def test_no_message(self) -> None:
        """Without a message those of messages are empty."""
        self.check(("[$acl_m_x]", "[]"))

    def test_strict(self) -> None:
        """On request an unset variable is an error, but may be asked about."""
        self.context.site.strict_acl_variables = True
        self.check_errors(UndefinedVariable, "$acl_c_unset", "$acl_m0")
        self.check(("${if def:acl_c_unset{y}{n}}", "n"))

    def test_arguments(self) -> None:
        """An ACL's arguments, and how many there are."""
        self.check(("$acl_narg|$acl_arg1", "0|"))
        names = [f"acl_arg{number}" for number in range(1, 10)]
        self.context.values.update({name: name[-1] for name in names}, acl_narg="9")
        self.check(("$acl_narg" + "".join(f"${name}" for name in names), "9123456789"))

    def test_left_by_others(self) -> None:
        """What conditions leave behind can be read, and is empty before."""
        for name in LEFT:
            self.check((f"[${name}]", "[]"))
            self.context.values[name] = name
            self.check((f"${name}", name))
