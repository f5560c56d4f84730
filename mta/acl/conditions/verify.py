"""``verify = ...``: is an address, a name or a header section what it should be?"""

from __future__ import annotations

from mta.acl.address_verification import verify_recipient, verify_sender
from mta.acl.client_verification import (
    verify_certificate,
    verify_helo,
    verify_reverse_host_lookup,
)
from mta.acl.header_sender import verify_header_sender
from mta.acl.header_verification import (
    verify_header_names,
    verify_header_syntax,
    verify_not_blind,
)
from mta.acl.registry import MESSAGE, Phase, condition
from mta.acl.run import ACLRun
from mta.acl.verify_syntax import Kind, Verifying, VerifyingType
from mta.errors import TemporaryFailure

_AFTER_CONTENT = Phase.DATA | Phase.NOT_SMTP
_NONE: frozenset[str] = frozenset()
_DEFER_OK = frozenset({"defer_ok"})
_OF_ADDRESS = frozenset({"defer_ok", "success_on_redirect"})

_KINDS = {
    kind.name: kind
    for kind in (
        Kind("recipient", _OF_ADDRESS, Phase.RCPT, verify_recipient, True),
        Kind("sender", _OF_ADDRESS | {"no_details"}, MESSAGE, verify_sender, True),
        Kind("header_sender", _OF_ADDRESS, _AFTER_CONTENT, verify_header_sender, True),
        Kind("helo", _NONE, Phase.every(), verify_helo),
        Kind(
            "reverse_host_lookup",
            _DEFER_OK,
            Phase.every(),
            verify_reverse_host_lookup,
        ),
        Kind(
            "certificate",
            _NONE,
            ~(Phase.CONNECT | Phase.NOT_SMTP | Phase.NOT_SMTP_START),
            verify_certificate,
        ),
        Kind("header_names_ascii", _NONE, _AFTER_CONTENT, verify_header_names),
        Kind("header_syntax", _NONE, _AFTER_CONTENT, verify_header_syntax),
        Kind(
            "not_blind",
            frozenset({"case_insensitive"}),
            _AFTER_CONTENT,
            verify_not_blind,
        ),
    )
}


@condition("verify", argument=VerifyingType(_KINDS))
async def verify(run: ACLRun, value: Verifying) -> bool:
    """True where what the argument names can be verified."""
    options = await value.options(run)
    try:
        result = await value.kind.check(run, value, options)
        if run.message:
            run.context.values["acl_verify_message"] = run.message
    except TemporaryFailure:
        if options.defers_ok:
            run.explain("")
            run.show_details = False
            return True
        raise
    return result
