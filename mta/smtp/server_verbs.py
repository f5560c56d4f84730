"""What each command of a server session takes, and what may refuse it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mta.address import from_wire
from mta.smtp import server_replies as replies
from mta.smtp.command import (
    NO_EXTENSIONS,
    CommandError,
    Extensions,
    parse_chunk,
    parse_mail,
    parse_recipient,
)
from mta.smtp.data import ChunkedContent
from mta.smtp.server_replies import OwnReply, own
from mta.smtp.server_states import (
    TRANSITIONS,
    AuthenticationRequested,
    ContentBegun,
    DataRequested,
    Event,
    HelloReceived,
    MailReceived,
    QueryReceived,
    QuitReceived,
    RecipientReceived,
    ResetReceived,
    State,
    TLSRequested,
)

_HELO_OCTETS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
_LITERAL_OCTETS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:_"


class SessionRules(NamedTuple):
    """What all sessions of one listener share; Exim's defaults.

    ``queries`` are those of VRFY, EXPN and ETRN that HELP shows.
    """

    host_name: str = "localhost"
    maximum_unknown: int = 3
    maximum_errors: int = 3
    maximum_nonmail: int = 10
    enforce_synchronization: bool = True
    enhanced_status: bool = False
    allow_literal: bool = False
    reject_for_recipients: bool = False
    helo_characters: bytes = b""
    closing: OwnReply = own(221, "2.0.0", "localhost closing connection")


class SessionFacts:
    """What a session knows; the grammar and the permission of commands need it.

    ``recipients_maximum`` is 0 for no limit.  ``history`` names the last commands.
    """

    __slots__ = (
        "accepts_junk_helo",
        "chunks",
        "counts_nonmail",
        "enforces_synchronization",
        "extensions",
        "history",
        "is_authenticated",
        "is_secure",
        "last_command",
        "output",
        "recipient_count",
        "recipients_maximum",
        "recipients_rejected",
        "requires_helo",
        "rules",
        "smtputf8",
        "state",
        "swallowed",
    )

    def __init__(self, rules: SessionRules) -> None:
        self.rules = rules
        self.state = State.CONNECTED
        self.extensions: Extensions = NO_EXTENSIONS
        self.output = b""
        self.last_command = b""
        self.history: tuple[str, ...] = ()
        self.is_secure = self.is_authenticated = False
        self.requires_helo = True
        self.accepts_junk_helo = False
        self.counts_nonmail = True
        self.enforces_synchronization = rules.enforce_synchronization
        self.recipients_maximum = 0
        self.forget_transaction()

    def forget_transaction(self) -> None:
        """Go back to where no sender was given."""
        self.recipient_count = 0
        self.recipients_rejected = False
        self.smtputf8 = False
        self.chunks: ChunkedContent | None = None
        self.swallowed = 0


Parse = Callable[[SessionFacts, bytes], Event | OwnReply]


class Verb(NamedTuple):
    """How a command is treated.

    ``is_synchronized`` commands must be the last octets that have come, unless they
    ``may_pipeline`` and PIPELINING was offered (RFC 2920).  ``is_mail`` ones do not
    count as non-mail commands, of ``first_is_free`` ones the first.  Those that
    ``may_follow_refusal`` are no errors when pipelined behind a refused MAIL or RCPT.
    ``accepted`` and ``refused`` are the usual replies.
    """

    name: str
    parse: Parse
    accepted: OwnReply = replies.OK
    refused: OwnReply = replies.PROHIBITED
    is_synchronized: bool = True
    may_pipeline: bool = False
    is_mail: bool = False
    first_is_free: bool = False
    may_follow_refusal: bool = False


def _hello(verb: str) -> Parse:
    bad = own(501, "5.5.2", replies.BAD_HELO.format(verb=verb))

    def parse(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
        if not _is_helo_name(facts, argument):
            return bad
        return HelloReceived(verb, from_wire(argument))

    return parse


def _is_helo_name(facts: SessionFacts, name: bytes) -> bool:
    if facts.accepts_junk_helo:
        return True
    if name.startswith(b"["):
        return (
            len(name) > 2
            and name.endswith(b"]")
            and not name[1:-1].strip(_LITERAL_OCTETS)
        )
    allowed = _HELO_OCTETS + facts.rules.helo_characters
    return bool(name) and not name.translate(None, allowed)


def _mail(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
    if facts.state is State.GREETED and facts.requires_helo:
        return replies.HELO_REQUIRED
    try:
        mail = parse_mail(
            argument, facts.extensions, allow_literal=facts.rules.allow_literal
        )
    except CommandError as error:
        return _grammar(error, "5.1.7")
    facts.smtputf8 = mail.smtputf8
    return MailReceived(mail)


def _recipient(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
    if 0 < facts.recipients_maximum <= facts.recipient_count:
        if not facts.rules.reject_for_recipients:
            return replies.TOO_MANY_RECIPIENTS
        facts.recipients_rejected = True
        return replies.TOO_MANY_RECIPIENTS_REJECTED
    try:
        recipient = parse_recipient(
            argument,
            facts.extensions,
            smtputf8=facts.smtputf8,
            allow_literal=facts.rules.allow_literal,
        )
    except CommandError as error:
        return _grammar(error, "5.1.3")
    return RecipientReceived(recipient)


def _grammar(error: CommandError, status: str) -> OwnReply:
    return own(error.reply_code, status, str(error))


def _data(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
    if argument:
        return replies.UNEXPECTED_ARGUMENT
    if facts.recipients_rejected:
        return replies.MESSAGE_HAS_TOO_MANY
    return DataRequested()


def _chunk(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
    try:
        chunk = parse_chunk(argument)
    except CommandError as error:
        return _grammar(error, "5.5.4")
    if not facts.extensions.chunking or facts.recipients_rejected:
        facts.swallowed = chunk.size
        if facts.recipients_rejected:
            return replies.MESSAGE_HAS_TOO_MANY
        return replies.NO_CHUNKING
    if facts.chunks is None:
        facts.chunks = ChunkedContent()
    facts.chunks.begin_chunk(chunk.size, is_last=chunk.is_last)
    return ContentBegun()


def _without_argument(event: Event) -> Parse:
    def parse(_facts: SessionFacts, argument: bytes) -> Event | OwnReply:
        return replies.UNEXPECTED_ARGUMENT if argument else event

    return parse


def _starttls(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
    if facts.is_secure and not facts.extensions.keywords:
        return replies.ALREADY_IN_TLS
    if not facts.extensions.starttls:
        return replies.NO_STARTTLS
    return replies.UNEXPECTED_ARGUMENT if argument else TLSRequested()


def _authenticate(facts: SessionFacts, argument: bytes) -> Event | OwnReply:
    if not facts.extensions.mechanisms:
        return replies.NO_AUTH
    if facts.is_authenticated:
        return replies.ALREADY_AUTHENTICATED
    name, space, response = argument.partition(b" ")
    if not name:
        return replies.AUTH_NEEDS_MECHANISM
    mechanism = from_wire(name).upper()
    if mechanism not in facts.extensions.mechanisms:
        return own(504, "5.5.4", f"{mechanism} authentication mechanism not supported")
    return AuthenticationRequested(mechanism, response.strip() if space else None)


def _query(verb: str) -> Parse:
    def parse(_facts: SessionFacts, argument: bytes) -> Event | OwnReply:
        if verb == "ETRN" and not argument.startswith(b"#"):
            return replies.ETRN_ARGUMENT
        return QueryReceived(verb, from_wire(argument))

    return parse


def _noop(_facts: SessionFacts, _argument: bytes) -> Event | OwnReply:
    return replies.OK


def _help(facts: SessionFacts, _argument: bytes) -> Event | OwnReply:
    words = ["HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "HELP"]
    if facts.extensions.chunking:
        words.insert(5, "BDAT")
    if facts.extensions.starttls:
        words.insert(0, "STARTTLS")
    if facts.extensions.mechanisms:
        words.insert(0, "AUTH")
    words += [q for q in ("ETRN", "VRFY", "EXPN") if q in facts.extensions.keywords]
    return own(214, "2.0.0", "Commands supported:\n" + " ".join(words))


VERBS = {
    verb.name: verb
    for verb in (
        Verb("HELO", _hello("HELO"), first_is_free=True),
        Verb("EHLO", _hello("EHLO"), first_is_free=True),
        Verb("MAIL", _mail, replies.SENDER_OK, may_pipeline=True, is_mail=True),
        Verb(
            "RCPT",
            _recipient,
            replies.ACCEPTED,
            may_pipeline=True,
            is_mail=True,
            may_follow_refusal=True,
        ),
        Verb(
            "DATA",
            _data,
            replies.START_MESSAGE,
            is_mail=True,
            may_follow_refusal=True,
        ),
        Verb(
            "BDAT",
            _chunk,
            is_synchronized=False,
            is_mail=True,
            may_follow_refusal=True,
        ),
        Verb(
            "RSET",
            _without_argument(ResetReceived()),
            replies.RESET_OK,
            may_pipeline=True,
            first_is_free=True,
        ),
        Verb("NOOP", _noop),
        Verb(
            "QUIT",
            _without_argument(QuitReceived()),
            is_synchronized=False,
            is_mail=True,
        ),
        Verb("HELP", _help, is_synchronized=False),
        Verb("VRFY", _query("VRFY"), refused=replies.CANNOT_VERIFY),
        Verb("EXPN", _query("EXPN")),
        Verb("ETRN", _query("ETRN"), refused=replies.ETRN_REFUSED),
        Verb("STARTTLS", _starttls, replies.START_TLS, first_is_free=True),
        Verb(
            "AUTH",
            _authenticate,
            replies.AUTHENTICATED,
            replies.NOT_AUTHENTICATED,
            is_synchronized=False,
            first_is_free=True,
        ),
    )
}
"""Every command, by name."""

END_OF_CONTENT = Verb(
    "", _noop, refused=replies.PROHIBITED, is_synchronized=False, is_mail=True
)
"""What is pending once the content of a message is complete."""

_BY_OCTETS = {name.encode(): verb for name, verb in VERBS.items()}


def find_verb(line: bytes) -> tuple[Verb | None, bytes]:
    """Return the command that a line begins with, and its argument."""
    name, _, argument = line.partition(b" ")
    verb = _BY_OCTETS.get(name)
    if verb is None:
        name, *rest = line.split(None, 1) or [b""]
        verb = _BY_OCTETS.get(name.upper())
        argument = rest[0] if rest else b""
    return verb, argument.strip(b" \t")


def out_of_sequence(facts: SessionFacts, verb: Verb) -> OwnReply | None:
    """Return the reply to a command that has no place in the session's state.

    None stands for DATA or BDAT where there is no recipient.
    """
    if facts.state is State.CHUNKS:
        return replies.ONLY_BDAT
    if facts.state is State.CHUNKS_REFUSED:
        return replies.ONLY_RSET
    if verb.name == "AUTH" and not facts.extensions.mechanisms:
        return replies.NO_AUTH
    return replies.OUT_OF_SEQUENCE.get(verb.name)


assert VERBS.keys() >= {name for moves in TRANSITIONS.values() for name in moves}
