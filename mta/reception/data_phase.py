"""How content is taken, and what is said at its end."""

from __future__ import annotations

from mta.errors import SpoolError
from mta.reception.acceptance import ContentSink
from mta.reception.conversation import Conversation
from mta.smtp import server_replies as replies
from mta.smtp.reply import Reply
from mta.smtp.server_replies import OwnReply
from mta.smtp.server_states import (
    ContentBegun,
    ContentReceived,
    DataRequested,
    ResetReceived,
)

SPOOL_ERROR = Reply(451, ("Error while writing spool file",))


async def begin_data(conversation: Conversation, event: DataRequested) -> None:
    """Answer DATA."""
    conversation.note_command()
    decision = await conversation.shared.policy.predata(conversation.transaction)
    conversation.heed_controls()
    if not decision.accepted:
        conversation.refuse(decision)
        return
    _begin_content(conversation)
    conversation.session.accept(decision.reply)


async def begin_chunks(conversation: Conversation, event: ContentBegun) -> None:
    """Take the content that BDAT brings; no ACL is asked."""
    _begin_content(conversation)


def _begin_content(conversation: Conversation) -> None:
    conversation.failure = None
    conversation.sink = conversation.shared.acceptance.begin(conversation.transaction)


async def take_content(conversation: Conversation, event: ContentReceived) -> None:
    """Keep a piece of content; after the last one decide on the message."""
    sink, message = conversation.sink, conversation.message
    if sink is not None and message is not None and event.octets:
        sink.write(event.octets)
        if 0 < conversation.numbers.message_size < sink.size:
            _fail(conversation, sink, replies.TOO_BIG)
            log = conversation.shared.log
            log.too_big_message(message, conversation.numbers.message_size)
        elif sink.is_behind and not event.is_end:
            await _wait_for(conversation, sink)
    if event.is_end:
        await _end_of_content(conversation)


async def _wait_for(conversation: Conversation, sink: ContentSink) -> None:
    """Wait until what came is written; a failure is told at the end."""
    try:
        await sink.when_ready()
    except SpoolError as error:
        conversation.shared.logs.panic(str(error))
        _fail(conversation, sink, SPOOL_ERROR)


def _fail(
    conversation: Conversation, sink: ContentSink, reply: Reply | OwnReply
) -> None:
    """Keep nothing more; the reply is for the end of the content."""
    conversation.failure = reply
    conversation.sink = None
    sink.abandon()


async def _end_of_content(conversation: Conversation) -> None:
    sink, conversation.sink = conversation.sink, None
    message = conversation.transaction.message
    if sink is None:
        conversation.session.refuse(conversation.failure or replies.TEMPORARY_PROBLEM)
    else:
        decision = await sink.finish()
        if not decision.accepted:
            conversation.refuse(decision)
        else:
            conversation.session.accept(decision.reply)
            if (
                conversation.queue_reason
                and message is not None
                and not decision.discard
                and conversation.shared.logs.selects("delay_delivery")
            ):
                text = f"no immediate delivery: {conversation.queue_reason}"
                conversation.shared.logs.main(text, message.message_id)
            if decision.close:
                conversation.session.close()
    conversation.transaction.reset()


async def reset(conversation: Conversation, event: ResetReceived) -> None:
    """Answer RSET."""
    conversation.give_up_message("RSET")
    conversation.session.accept()
