"""``verify = header_sender``: can one of those who say they wrote a message be
reached?"""

from __future__ import annotations

from mta.acl.address_verification import lets_pass, verified
from mta.acl.header_addresses import field_addresses
from mta.acl.run import ACLRun
from mta.acl.verify_syntax import Options, Verifying
from mta.address import AddressError
from mta.errors import TemporaryFailure

_FIELDS = ("sender", "reply-to", "from")
# Each may cost a callout, and a header section has room for thousands.
ADDRESS_LIMIT = 20


async def verify_header_sender(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where an address in Sender:, Reply-To: or From: can be verified."""
    asked = 0
    waits = False
    first = ""
    fields = run.subject.early_message().header.fields
    for name in _FIELDS:
        for field in fields:
            if field.name.lower() != name:
                continue
            try:
                addresses = field_addresses(field)
            except AddressError as error:
                log_text = (
                    f"syntax error in '{field.name}:' header "
                    f"when scanning for sender: {error}"
                )
                run.explain(_details(run, log_text), log_text)
                return False
            for address in addresses[: ADDRESS_LIMIT - asked]:
                asked += 1
                found = await verified(run, "sender", address, options)
                run.context.values["sender_verify_failure"] = found.failure
                if found.outcome == "ok":
                    return True
                if found.outcome == "defer":
                    if lets_pass(found, options):
                        return True
                    waits = True
                first = first or (
                    f'could not verify "{field.name}:" header address\n'
                    f"{address.text}: {found.text}"
                )
    return _refuse(run, first, waits)


def _refuse(run: ACLRun, reason: str, waits: bool) -> bool:
    details = _details(run, reason)
    if not waits:
        run.explain(details, "there is no valid sender in any header line")
        return False
    log_text = "all attempts to verify a sender in a header line deferred"
    run.explain(details, log_text)
    raise TemporaryFailure(details, log_text=log_text)


def _details(run: ACLRun, reason: str) -> str:
    """Return a reason as the client may read it."""
    if not run.return_error_details or not reason:
        return ""
    return f"Rejected after DATA: {reason}"
