"""How AUTH, and each response to a challenge, is answered (RFC 4954)."""

from __future__ import annotations

from mta.errors import MTAError, TemporaryFailure
from mta.reception.authentication import (
    Challenge,
    InvalidResponse,
    chosen,
    decode_response,
    encode_challenge,
)
from mta.reception.conversation import Conversation
from mta.smtp import server_replies as replies
from mta.smtp.server_replies import OwnReply, own
from mta.smtp.server_states import AuthenticationRequested, ResponseReceived

UNABLE = own(435, "4.7.0", "Unable to authenticate at present")


async def request_authentication(
    conversation: Conversation, event: AuthenticationRequested
) -> None:
    """Begin an exchange with the mechanism that the client wants."""
    conversation.note_command()
    decision = await conversation.shared.policy.auth(conversation.transaction)
    if not decision.accepted:
        conversation.refuse(decision)
        return
    context = conversation.transaction.context()
    try:
        authenticator = await chosen(
            conversation.shared.authenticators, event.mechanism, context
        )
        response = None
        if event.response is not None:
            response = decode_response(event.response)
    except InvalidResponse:
        conversation.session.refuse(replies.BAD_BASE64)
        return
    except TemporaryFailure:
        conversation.session.refuse(UNABLE)
        return
    if authenticator is None:
        conversation.session.refuse(replies.NO_AUTH)
        return
    conversation.exchange = authenticator, authenticator.converse(response, context)
    await _step(conversation, None)


async def take_response(conversation: Conversation, event: ResponseReceived) -> None:
    """Hand the client's response to the authenticator."""
    if event.response == b"*":
        await _end(conversation, replies.AUTH_CANCELLED, "")
        return
    try:
        response = decode_response(event.response)
    except InvalidResponse:
        await _end(conversation, replies.BAD_BASE64, "")
        return
    await _step(conversation, response)


async def _step(conversation: Conversation, response: bytes | None) -> None:
    """Go on to the next challenge, or to the verdict."""
    assert conversation.exchange is not None
    authenticator, exchange = conversation.exchange
    try:
        if response is None:
            step = await anext(exchange)
        else:
            step = await exchange.asend(response)
    except (MTAError, StopAsyncIteration) as error:
        conversation.shared.logs.panic(f"{authenticator.name} authenticator: {error}")
        await _end(conversation, UNABLE, "")
        return
    if isinstance(step, Challenge):
        conversation.session.challenge(encode_challenge(step.octets))
    elif step.outcome == "ok":
        await exchange.aclose()
        conversation.exchange = None
        connection = conversation.connection
        connection.authenticator = authenticator.name
        connection.authenticated_id = step.identity
        connection.authentication_failed = False
        conversation.session.accept()
    else:
        reply = UNABLE if step.outcome == "defer" else replies.NOT_AUTHENTICATED
        await _end(conversation, reply, step.identity)


async def _end(conversation: Conversation, reply: OwnReply, identity: str) -> None:
    """End an exchange without success."""
    assert conversation.exchange is not None
    authenticator, exchange = conversation.exchange
    conversation.exchange = None
    await exchange.aclose()
    conversation.connection.authentication_failed = True
    conversation.shared.log.authentication_failed(
        conversation.connection, authenticator.name, str(reply.reply), identity
    )
    conversation.session.refuse(reply)
