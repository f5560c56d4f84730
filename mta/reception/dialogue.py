"""What a server answers: each event of a session, and the function that decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mta.reception.auth_exchange import request_authentication, take_response
from mta.reception.conversation import Conversation
from mta.reception.data_phase import (
    begin_chunks,
    begin_data,
    reset,
    take_content,
)
from mta.reception.envelope import take_mail, take_recipient
from mta.reception.opening import hello, start_tls
from mta.smtp.server_states import (
    AuthenticationRequested,
    ContentBegun,
    ContentReceived,
    DataRequested,
    Dropped,
    ErrorNoted,
    HelloReceived,
    MailReceived,
    QueryReceived,
    QuitReceived,
    RecipientReceived,
    ResetReceived,
    ResponseReceived,
    TLSRequested,
)


async def _query(conversation: Conversation, event: QueryReceived) -> None:
    conversation.note_command()
    ask = getattr(conversation.shared.policy, event.verb.lower())
    decision = await ask(conversation.transaction, event.argument)
    if decision.accepted:
        conversation.session.accept(decision.reply)
    else:
        conversation.refuse(decision)


async def _quit(conversation: Conversation, event: QuitReceived) -> None:
    decision = await conversation.shared.policy.quit(conversation.transaction)
    if conversation.transaction.message is not None:
        conversation.give_up_message("QUIT")
    conversation.close_cause = "closed by QUIT"
    conversation.session.accept(decision.reply)


async def _erred(conversation: Conversation, event: ErrorNoted) -> None:
    conversation.shared.log.erred(conversation.connection, event)


async def _dropped(conversation: Conversation, event: Dropped) -> None:
    conversation.note_command()
    conversation.shared.log.dropped(conversation.connection, event)
    conversation.close_cause = "closed after SMTP error"
    await conversation.shared.policy.not_quit(conversation.transaction, event.reason)


ANSWERS: Mapping[type[Any], Callable[[Conversation, Any], Awaitable[None]]] = {
    HelloReceived: hello,
    MailReceived: take_mail,
    RecipientReceived: take_recipient,
    DataRequested: begin_data,
    ContentBegun: begin_chunks,
    ContentReceived: take_content,
    ResetReceived: reset,
    QueryReceived: _query,
    TLSRequested: start_tls,
    AuthenticationRequested: request_authentication,
    ResponseReceived: take_response,
    QuitReceived: _quit,
    ErrorNoted: _erred,
    Dropped: _dropped,
}
"""What decides on an event of each class, and tells the session."""
