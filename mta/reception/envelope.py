"""How MAIL and RCPT are answered."""

from __future__ import annotations

from mta.address import Address
from mta.message import Message, Recipient
from mta.reception.conversation import Conversation
from mta.reception.extensions import matches
from mta.smtp import server_replies as replies
from mta.smtp.reply import Reply
from mta.smtp.server_replies import OwnReply, own
from mta.smtp.server_states import MailReceived, RecipientReceived

TOO_MANY_MESSAGES = own(421, "4.7.0", "too many messages in this connection")


async def take_mail(conversation: Conversation, event: MailReceived) -> None:
    """Answer MAIL: a transaction begins where policy agrees."""
    conversation.note_command()
    session, transaction = conversation.session, conversation.transaction
    parameters = event.parameters
    refusal = await _refused_mail(conversation, parameters.sender, parameters.size)
    if refusal is not None:
        session.refuse(refusal, close=refusal.code == 421)
        return
    sender = parameters.sender
    if sender and not sender.domain:
        sender = Address(sender.local_part, conversation.shared.site.qualify_domain)
    transaction.reset()
    message = transaction.message = Message(
        sender=sender,
        connection=transaction.connection,
        declared_size=parameters.size,
        body_type=parameters.body_type,
        smtputf8=parameters.smtputf8,
        dsn_return=parameters.dsn_return,
        envelope_id=parameters.envelope_id,
        requiretls=parameters.requiretls,
    )
    decision = await conversation.shared.policy.mail(transaction)
    conversation.heed_controls()
    if not decision.accepted:
        transaction.reset()
        conversation.refuse(decision)
        return
    if parameters.authenticated_sender is not None:
        await _believe_sender(conversation, message, parameters.authenticated_sender)
    transaction.connection.message_count += 1
    conversation.queue_reason = conversation.shared.reason_to_queue(
        transaction.connection
    )
    message.queue_only = message.queue_only or bool(conversation.queue_reason)
    session.accept(decision.reply)


async def _refused_mail(
    conversation: Conversation, sender: Address, size: int
) -> OwnReply | Reply | None:
    """Return why a sender is refused whatever the policy is."""
    shared, numbers = conversation.shared, conversation.numbers
    connection = conversation.transaction.connection
    if 0 < numbers.mails <= connection.message_count:
        shared.log.too_many_messages(connection)
        return TOO_MANY_MESSAGES
    if sender and not sender.domain:
        hosts = shared.options.sender_unqualified_hosts
        if not await matches(hosts, conversation.transaction.context()):
            shared.log.unqualified(connection, "sender", sender.local_part)
            return _unqualified("sender", sender)
    if 0 < numbers.message_size < size:
        shared.log.too_big(connection, sender, size, numbers.message_size)
        return replies.TOO_BIG
    return await shared.acceptance.check_space(size)


async def _believe_sender(
    conversation: Conversation, message: Message, claimed: str
) -> None:
    decision = await conversation.shared.policy.mailauth(conversation.transaction)
    if decision.accepted and claimed != "<>":
        message.authenticated_sender = claimed
    elif not decision.accepted:
        conversation.shared.log.mail_auth_ignored(conversation.connection, claimed)


async def take_recipient(conversation: Conversation, event: RecipientReceived) -> None:
    """Answer RCPT: the message gets one more recipient where policy agrees."""
    conversation.note_command()
    parameters = event.parameters
    address = parameters.address
    if not address.domain:
        hosts = conversation.shared.options.recipient_unqualified_hosts
        if address.local_part.lower() != "postmaster" and not await matches(
            hosts, conversation.transaction.context()
        ):
            log = conversation.shared.log
            log.unqualified(conversation.connection, "recipient", address.local_part)
            conversation.session.refuse(_unqualified("recipient", address))
            return
        address = Address(
            address.local_part, conversation.shared.site.qualify_recipient
        )
    recipient = Recipient(address, parameters.notify, parameters.original)
    decision = await conversation.shared.policy.rcpt(
        conversation.transaction, recipient
    )
    conversation.heed_controls()
    if not decision.accepted:
        conversation.refuse(decision)
        return
    message = conversation.transaction.message
    if message is not None and not decision.discard:
        message.recipients.append(recipient)
    conversation.session.accept(decision.reply)


def _unqualified(name: str, address: Address) -> OwnReply:
    text = f"<{address.local_part}>: {name} address must contain a domain"
    return own(501, "5.1.3" if name == "recipient" else "5.1.7", text)
