"""Variables that describe the message: envelope, header section and body."""

from __future__ import annotations

from mta.expand.context import Context
from mta.expand.headers import decode_words, text_of
from mta.expand.octets import text_from
from mta.expand.registry import variable
from mta.message import Message, Recipient
from mta.taint import Tainted, carry

BODY_VISIBLE = 500
_CHUNK = 65536
_NO_RECIPIENTS: list[Recipient] = []
_LINES = bytes.maketrans(b"\r\n\0", b"   ")


def _header_came(message: Message) -> bool:
    return bool(message.header.content) or message.body.size > 0


@variable("message_exim_id")
def message_exim_id(context: Context) -> str:
    """The identifier that this program gave the message."""
    return context.message.message_id if context.message else ""


@variable("message_id")
def message_id(context: Context) -> str:
    """``message_exim_id`` by its old name."""
    return context.message.message_id if context.message else ""


@variable("message_size")
def message_size(context: Context) -> str:
    """The octets of the message; before DATA what MAIL said, or -1."""
    found = context.values.get("message_size")
    if found is not None:
        return found
    message = context.message
    if message is None:
        return "0"
    if _header_came(message):
        return str(message.size)
    return str(message.declared_size or -1)


@variable("message_age")
def message_age(context: Context) -> str:
    """The seconds since the message was received."""
    if context.message is None or not context.message.received_at:
        return "0"
    return str(max(0, int(context.site.clock() - context.message.received_at)))


@variable("message_body_size")
def message_body_size(context: Context) -> str:
    """The octets of the body."""
    return str(context.message.body.size) if context.message else "0"


@variable("message_body")
def message_body(context: Context) -> str:
    """The beginning of the body, with spaces for line ends."""
    if context.message is None:
        return ""
    octets = next(context.message.body.chunks(BODY_VISIBLE * 2), b"")
    return _visible(octets)[:BODY_VISIBLE]


@variable("message_body_end")
def message_body_end(context: Context) -> str:
    """The end of the body, with spaces for line ends."""
    if context.message is None:
        return ""
    octets = b""
    for chunk in context.message.body.chunks(_CHUNK):
        octets = (octets + chunk)[-2 * BODY_VISIBLE :]
    return _visible(octets)[-BODY_VISIBLE:]


def _visible(octets: bytes) -> Tainted:
    plain = octets.replace(b"\r\n", b"\n").translate(_LINES)
    return Tainted(text_from(plain))


@variable("body_linecount")
def body_linecount(context: Context) -> str:
    """The lines of the body."""
    return str(context.message.line_count) if context.message else "0"


@variable("body_zerocount")
def body_zerocount(context: Context) -> str:
    """The octets of the body that are zero."""
    if context.message is None:
        return "0"
    chunks = context.message.body.chunks(_CHUNK)
    return str(sum(chunk.count(b"\0") for chunk in chunks))


@variable("message_linecount")
def message_linecount(context: Context) -> str:
    """The lines of header section and body."""
    message = context.message
    if message is None:
        return "0"
    return str(message.header.content.count(b"\n") + message.line_count)


@variable("max_received_linelength")
def max_received_linelength(context: Context) -> str:
    """The octets of the longest line that was received."""
    return str(context.message.max_line_length) if context.message else "0"


@variable("message_headers")
def message_headers(context: Context) -> str:
    """The header section, with encoded words decoded."""
    raw = message_headers_raw(context)
    return carry(decode_words(raw, translate=False), raw)


@variable("message_headers_raw")
def message_headers_raw(context: Context) -> str:
    """The header section as it came."""
    if context.message is None or not context.message.header.content:
        return ""
    return Tainted(text_of(context.message.header.content))


@variable("message_smtputf8")
def message_smtputf8(context: Context) -> str:
    """Whether the message came with SMTPUTF8."""
    return "yes" if context.message and context.message.smtputf8 else "no"


@variable("received_count")
def received_count(context: Context) -> str:
    """How many Received: fields the message has."""
    if context.message is None:
        return "0"
    return str(len(context.message.header.named("received")))


@variable("received_time")
def received_time(context: Context) -> str:
    """When the message was received, in seconds since 1970."""
    return str(int(context.message.received_at)) if context.message else "0"


@variable("received_for")
def received_for(context: Context) -> str:
    """The recipient, where there is only one."""
    recipients = _recipients(context)
    return recipients[0].address.text if len(recipients) == 1 else ""


def _recipients(context: Context) -> list[Recipient]:
    return context.message.recipients if context.message else _NO_RECIPIENTS


@variable("recipients")
def recipients(context: Context) -> str:
    """The envelope's recipients, with a comma and a space between them."""
    texts = [recipient.address.text for recipient in _recipients(context)]
    return carry(", ".join(texts), *texts)


@variable("recipients_list")
def recipients_list(context: Context) -> str:
    """The list of the envelope's recipients."""
    texts = [recipient.address.text for recipient in _recipients(context)]
    return carry(":".join(text.replace(":", "::") for text in texts), *texts)


@variable("recipients_count")
def recipients_count(context: Context) -> str:
    """How many recipients the envelope has."""
    return str(len(_recipients(context)))


@variable("reply_address")
def reply_address(context: Context) -> str:
    """What Reply-To: says, or else From:."""
    if context.message is None:
        return ""
    for name in ("reply-to", "from"):
        for field in context.message.header.named(name):
            if field.value:
                return Tainted(text_of(field.value))
    return ""


@variable("sender_address")
def sender_address(context: Context) -> str:
    """The envelope's sender, empty for a bounce."""
    return context.message.sender.text if context.message else ""


@variable("sender_address_local_part")
def sender_address_local_part(context: Context) -> str:
    """The local part of the envelope's sender."""
    return context.message.sender.local_part if context.message else ""


@variable("sender_address_domain")
def sender_address_domain(context: Context) -> str:
    """The domain of the envelope's sender."""
    return context.message.sender.domain if context.message else ""


@variable("return_path")
def return_path(context: Context) -> str:
    """The sender that is passed on with the message."""
    if context.return_path is not None:
        return context.return_path
    return sender_address(context)
