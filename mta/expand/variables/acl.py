"""Variables that ACLs set, and that conditions leave for what follows."""

from __future__ import annotations

from mta.expand.context import Context
from mta.expand.nodes import UndefinedVariable
from mta.expand.registry import variable
from mta.taint import Tainted


@variable("acl_c...", names=r"acl_c(?:\d|_)\w*")
def connection_variable(context: Context, name: str) -> str:
    """A variable of the connection, set by ``set acl_c...``."""
    value = context.connection.acl_variables.get(name.removeprefix("acl_"))
    return _defined(context, name, value)


@variable("acl_m...", names=r"acl_m(?:\d|_)\w*")
def message_variable(context: Context, name: str) -> str:
    """A variable of the message, set by ``set acl_m...``."""
    value = None
    if context.message is not None:
        value = context.message.acl_variables.get(name.removeprefix("acl_"))
    return _defined(context, name, value)


def _defined(context: Context, name: str, value: str | None) -> str:
    if value is None:
        if context.site.strict_acl_variables:
            raise UndefinedVariable(f'variable "{name}" is not set')
        return ""
    return value


class Left:
    """A variable that something else leaves in the values of a context."""

    extension_name: str

    def __init__(self, sentence: str) -> None:
        self.__doc__ = sentence

    def __call__(self, context: Context) -> str | None:
        return context.values.get(self.extension_name)


value = variable("value")(Left("What the innermost look-up or condition found."))
item = variable("item")(Left("The item of a list that is being looked at."))
runrc = variable("runrc")(Left("The exit status of the last command."))


@variable("acl_narg")
def acl_narg(context: Context) -> str:
    """How many arguments an ACL was given."""
    return context.values.get("acl_narg", "0")


acl_arg1 = variable("acl_arg1")(Left("The first argument of an ACL."))
acl_arg2 = variable("acl_arg2")(Left("The second argument of an ACL."))
acl_arg3 = variable("acl_arg3")(Left("The third argument of an ACL."))
acl_arg4 = variable("acl_arg4")(Left("The fourth argument of an ACL."))
acl_arg5 = variable("acl_arg5")(Left("The fifth argument of an ACL."))
acl_arg6 = variable("acl_arg6")(Left("The sixth argument of an ACL."))
acl_arg7 = variable("acl_arg7")(Left("The seventh argument of an ACL."))
acl_arg8 = variable("acl_arg8")(Left("The eighth argument of an ACL."))
acl_arg9 = variable("acl_arg9")(Left("The ninth argument of an ACL."))
acl_verify_message = variable("acl_verify_message")(
    Left("Why the last verification failed.")
)
callout_address = variable("callout_address")(
    Left("The address and port of the host that the last callout asked.")
)
dnslist_domain = variable("dnslist_domain")(
    Left("The domain of the DNS list on which something was found.")
)
dnslist_matched = variable("dnslist_matched")(
    Left("What was found on a DNS list: an address or a name.")
)
dnslist_value = variable("dnslist_value")(
    Left("The addresses that a DNS list has for it.")
)


@variable("dnslist_text", waits=True)
async def dnslist_text(context: Context) -> str:
    """The text that a DNS list has for it."""
    name, resolver = context.values.get("dnslist_name"), context.site.resolver
    if not name or resolver is None:
        return ""
    records = (await resolver.query(name, "TXT")).records
    return Tainted(records[0].decode("utf-8", "surrogateescape") if records else "")


headers_added = variable("headers_added")(Left("The fields that ACLs added so far."))
host_data = variable("host_data")(Left("What matched the client in a host list."))
recipient_data = variable("recipient_data")(Left("What matched the recipient."))
sender_data = variable("sender_data")(Left("What matched the sender."))
sender_address_data = variable("sender_address_data")(
    Left("What routers' address_data gave when the sender was verified.")
)
recipient_verify_failure = variable("recipient_verify_failure")(
    Left("Where the verification of a recipient failed.")
)
sender_verify_failure = variable("sender_verify_failure")(
    Left("Where the verification of the sender failed.")
)
sender_rate = variable("sender_rate")(Left("The rate that a rate limit measured."))
sender_rate_limit = variable("sender_rate_limit")(
    Left("The limit that a rate was compared with, as written.")
)
sender_rate_period = variable("sender_rate_period")(
    Left("The period of a rate limit, as written.")
)
smtp_notquit_reason = variable("smtp_notquit_reason")(
    Left("Why a connection ended without QUIT.")
)
prvscheck_address = variable("prvscheck_address")(
    Left("The address without its tag, inside prvscheck.")
)
prvscheck_keynum = variable("prvscheck_keynum")(
    Left("The key number of a tagged address, inside prvscheck.")
)
prvscheck_result = variable("prvscheck_result")(
    Left("1 where the last prvscheck found a good tag.")
)
verify_mode = variable("verify_mode")(
    Left("S or R while an ACL has a sender or a recipient verified.")
)
