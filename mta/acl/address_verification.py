"""What ``verify`` asks of sender and recipient: can they be reached, do hosts take
them?"""

from __future__ import annotations

from mta.acl.run import ACLError, ACLRun, SenderFailure
from mta.acl.verify_syntax import Options, Verifying
from mta.address import Address, AddressError, parse_address
from mta.callout import Callout, CalloutAnswer, CalloutSender
from mta.errors import TemporaryFailure
from mta.expand.context import Context
from mta.interfaces import Verification

_UNREACHABLE = (
    "No mail server of its domain gave an answer. They may be out of reach\n"
    "for a while, or from here at all times"
)
_REFUSES_REPORTS = (
    "Its mail server refused the connection, the greeting or MAIL FROM:<>.\n"
    "Whoever sends mail must take reports on it (RFC 5321, section 4.5.5)."
)
_REFUSES_POSTMASTER = (
    "Its mail server does not take mail for the domain's postmaster, as it\n"
    "must (RFC 5321, section 4.5.1)."
)


async def verify_recipient(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where mail for the recipient in hand can be delivered."""
    if run.recipient is None:
        raise ACLError("there is no recipient to verify")
    address = run.recipient.address
    found = await verified(run, "recipient", address, options)
    run.context.values["recipient_verify_failure"] = found.failure
    if found.data:
        run.recipient.address_data = found.data
    if found.outcome == "ok":
        _trust_recipient(run, address, found, options.callout)
        return True
    if found.outcome == "fail":
        reply = found.answer.reply if found.answer is not None else ""
        text = f"Callout verification failed:\n{reply}" if reply else found.text
        run.explain(text, found.text)
        return False
    if lets_pass(found, options):
        return True
    if found.answer is None:
        run.explain(found.text)
        run.show_details = found.user_text
        raise TemporaryFailure(found.text)
    text = "Could not complete recipient verify callout"
    log_text = f"{text}: {found.text}" if found.text else text
    if run.return_error_details:
        text = f"{text} for <{address.text}>.\n{_UNREACHABLE};\nthen the address will never be accepted."
    run.explain(text, log_text)
    run.show_details = True
    raise TemporaryFailure(text, log_text=log_text)


def _trust_recipient(
    run: ACLRun, address: Address, found: Verification, callout: Callout | None
) -> None:
    """Let the recipient be used where only trusted texts may, once a host took it."""
    recipient = run.recipient
    if callout is None or found.answer is None or recipient is None:
        return
    if found.failure == "random":
        # The host takes everything, so it says nothing of this address.
        return
    if not found.answer.reply.startswith("2") and not found.answer.is_remembered:
        return
    recipient.domain_data = str.__str__(address.domain.lower())
    recipient.local_part_data = str.__str__(address.local_part)
    run.context.values["domain_data"] = recipient.domain_data
    run.context.values["local_part_data"] = recipient.local_part_data


async def verify_sender(run: ACLRun, value: Verifying, options: Options) -> bool:
    """True where a report to the sender, or to an address, could be delivered."""
    message = run.subject.early_message()
    sender = message.sender
    if value.address is not None:
        # A doubled slash is a literal one, as ``${listquote`` writes it.
        text = await value.address.expand(run.context)
        sender = _parsed(text.replace("//", "/"))
    if not sender:
        return True
    found = await verified(run, "sender", sender, options)
    run.context.values["sender_verify_failure"] = found.failure
    if found.data:
        run.context.values["sender_address_data"] = found.data
    if found.outcome == "ok":
        if value.address is None:
            message.sender_verified = True
        return True
    if found.outcome == "defer" and lets_pass(found, options):
        return True
    _keep_failure(run, sender, found, options)
    if found.outcome == "fail":
        run.explain("Sender verify failed")
        return False
    text = "Could not complete sender verify"
    run.show_details = found.user_text
    if found.answer is not None:
        text += " callout"
        run.show_details = True
    run.explain(text)
    raise TemporaryFailure(text)


def _parsed(text: str) -> Address:
    try:
        return parse_address(text.strip()) if text.strip() else Address("", "")
    except AddressError as error:
        raise ACLError(f'"{text[:100]}" cannot be verified: {error}') from error


def lets_pass(found: Verification, options: Options) -> bool:
    """Return whether a doubt is a success, as the options have it."""
    if options.defers_ok:
        return True
    return (
        found.answer is not None
        and options.callout is not None
        and options.callout.defers_ok
    )


def _keep_failure(
    run: ACLRun, sender: Address, found: Verification, options: Options
) -> None:
    """Remember what the client and the log are to be told once."""
    earlier = run.subject.sender_failure
    if earlier is None or earlier.address != sender.text:
        deferred = found.outcome == "defer"
        log_text = user_text = found.text
        if found.answer is not None:
            user_text = _told(found, found.answer)
            if deferred:
                log_text = f"Could not complete sender verify callout: {found.text}"
                user_text = f"{log_text}\n{_UNREACHABLE}."
        earlier = run.subject.sender_failure = SenderFailure(
            sender.text, deferred, log_text, user_text, failure=found.failure
        )
    if "no_details" in options.words:
        earlier.told = True


def _told(found: Verification, answer: CalloutAnswer) -> str:
    """Return what a host said to whom, as the client reads it."""
    text = found.text
    if answer.reply:
        sent = answer.command or "initial connection"
        text = (
            f"Called:   {answer.ip_address}\nSent:     {sent}\nResponse: {answer.reply}"
        )
    if found.failure == "mail":
        text += f"\n{_REFUSES_REPORTS}"
    elif found.failure == "postmaster":
        text += f"\n{_REFUSES_POSTMASTER}"
    return text


async def verified(
    run: ACLRun, what: str, address: Address, options: Options
) -> Verification:
    """Return the result for an address, asked once in the life of a message."""
    known = run.subject.verifications
    callout = options.callout
    follows = "success_on_redirect" not in options.words
    key: tuple[object, ...] = (what, address.key, callout, follows)
    if callout is not None and callout.sender is CalloutSender.MESSAGE:
        key = (*key, run.subject.early_message().sender.key)
    if key not in known:
        if run.verifier is None:
            raise ACLError("there is nothing to verify addresses with")
        # Routing must not disturb the variables of this ACL.
        own = run.context
        values = {**own.values, "verify_mode": "R" if what == "recipient" else "S"}
        context = Context(own.site, own.connection, own.message, values=values)
        ask = (
            run.verifier.verify_recipient
            if what == "recipient"
            else run.verifier.verify_sender
        )
        known[key] = await ask(
            address, context, callout=callout, follows_redirects=follows
        )
    found: Verification = known[key]
    answer = found.answer
    if answer is not None and answer.ip_address:
        run.context.values["callout_address"] = f"[{answer.ip_address}]:{answer.port}"
    return found
