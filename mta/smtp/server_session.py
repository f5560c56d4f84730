"""The server's side of SMTP, without I/O: octets in, events and octets out.

``feed`` takes what came from the client.  ``next_event`` gives one event; where the
event asks for a decision, there is no other until ``accept``, ``refuse`` or
``challenge`` gave it, so that replies keep the order of the commands.  What is to be
sent is gathered for ``take_output``.

Only CRLF ends a line (RFC 5321, section 2.3.8).  A line with a bare CR or LF is
answered and ends the session, so that nothing behind it is ever obeyed.
"""

from __future__ import annotations

from contextlib import suppress

from mta.address import from_wire
from mta.errors import LocalProtocolError
from mta.smtp import server_replies as replies
from mta.smtp.command import NO_EXTENSIONS, CommandError, Extensions, parse_chunk
from mta.smtp.data import ChunkedContent, DottedContent
from mta.smtp.reply import Reply
from mta.smtp.server_errors import Patience, Refusals, with_last_line
from mta.smtp.server_input import Input, UnusableLine
from mta.smtp.server_replies import OwnReply, with_status
from mta.smtp.server_states import (
    TRANSITIONS,
    ContentBegun,
    ContentReceived,
    Dropped,
    ErrorNoted,
    Event,
    ResponseReceived,
    State,
)
from mta.smtp.server_verbs import (
    END_OF_CONTENT,
    VERBS,
    SessionFacts,
    SessionRules,
    Verb,
    find_verb,
    out_of_sequence,
)

_HISTORY_LENGTH = 20


class ServerSession(SessionFacts):
    """One session, from the greeting to QUIT; ``input`` is what waits to be read."""

    __slots__ = (
        "_content",
        "_moves",
        "_patience",
        "_pending",
        "_queued",
        "_refusals",
        "_return_state",
        "input",
    )

    def __init__(self, rules: SessionRules) -> None:
        super().__init__(rules)
        self._moves = TRANSITIONS[State.CONNECTED]
        self._return_state = State.READY
        self.input = Input()
        self._content: DottedContent | ChunkedContent | None = None
        self._pending: Verb | None = None
        self._queued: Event | None = None
        self._patience = Patience(rules)
        self._refusals: Refusals | None = None

    # What the server tells the session.

    def greet(self, text: Reply) -> None:
        """Send the greeting; commands are understood from here on."""
        self.output += text.encode()
        self._enter(State.GREETED)

    def feed(self, octets: bytes) -> None:
        """Take what the client sent."""
        if self.state is not State.CLOSED:
            self.input.feed(octets)

    def accept(self, reply: Reply | None = None) -> None:
        """Accept what the last event asked, with a reply other than the usual one."""
        verb = self._decided()
        if verb is None:
            return
        if verb is END_OF_CONTENT:
            self._accept_message(reply)
        elif verb.name == "QUIT":
            self._say(reply, self.rules.closing)
            self.close()
        else:
            self._say(reply, verb.accepted)
            self._move_on(verb)

    def accept_hello(self, text: str, extensions: Extensions) -> None:
        """Accept HELO or EHLO; the text is the first line of the reply."""
        if self._decided() is None:
            return
        if extensions.lines:
            first = Reply(250, (text,)).encode()
            self.output += b"250-" + first[4:] + extensions.lines
        else:
            self.output += Reply(250, (text, *extensions.keywords)).encode()
        self.extensions = extensions
        self._end_transaction(State.READY)

    def refuse(
        self, reply: Reply | OwnReply | None = None, *, close: bool = False
    ) -> None:
        """Refuse what the last event asked, perhaps ending the session."""
        verb = self._decided()
        if verb is None:
            return
        start = len(self.output)
        self._say(reply, verb.refused)
        if verb.name == "RCPT":
            self._note_refusal(self.output[start:])
        elif verb.name == "MAIL":
            self._note_refusal()
        elif verb is END_OF_CONTENT:
            self._end_transaction()
        elif self.state is State.CHALLENGED:
            self._enter(self._return_state)
        elif verb.name in ("HELO", "EHLO"):
            self.extensions = NO_EXTENSIONS
            self._end_transaction(State.GREETED)
        if close:
            self.close()

    def challenge(self, text: bytes) -> None:
        """Ask the client for a response; the text is in base 64."""
        if self._decided() is None:
            return
        self.output += b"334 " + text + b"\r\n"
        if self.state is not State.CHALLENGED:
            self._return_state = self.state
            self._enter(State.CHALLENGED)

    def begin_tls(self, kept: Extensions = NO_EXTENSIONS) -> None:
        """Forget what came and was said in clear, but an offer to keep (RFC 3207)."""
        self.input.clear()
        self._pending = self._queued = None
        self._patience.begin_tls()
        self.extensions = kept
        self.is_secure = True
        self.is_authenticated = False
        self._end_transaction(State.READY if kept.keywords else State.GREETED)

    def close(self, last: Reply | None = None) -> None:
        """End the session, after a last reply if one is given."""
        if last is not None and self.state is not State.CLOSED:
            self._say(last, replies.OK)
        self._enter(State.CLOSED)
        self._pending = self._content = self.chunks = None
        self.input.clear()

    def take_output(self) -> bytes:
        """Return what is to be sent now."""
        output, self.output = self.output, b""
        return output

    @property
    def has_more(self) -> bool:
        """False where no event can come before further input does."""
        return (
            self.input.has_more or self._queued is not None or self._content is not None
        )

    def next_event(self) -> Event | None:
        """Return what comes next, or None where input or a decision is awaited."""
        while self._queued is None and self._pending is None:
            if self._content is not None:
                if not self.input.has_more and not self._is_empty_chunk():
                    return None
                event = self._next_content(self._content)
            else:
                line = self._next_line()
                if line is None:
                    break
                event = self._obey(line)
            if event is not None:
                return event
        queued, self._queued = self._queued, None
        return queued

    # Commands.

    def _next_line(self) -> bytes | None:
        """Return the next line; None where there is none that may be obeyed."""
        if self.swallowed:
            # RFC 3030, section 3: a chunk whose BDAT was refused is thrown away.
            self.swallowed = self.input.skip(self.swallowed)
        if self.state is State.CONNECTED:
            return None
        try:
            return self.input.next_line()
        except UnusableLine as error:
            self.last_command = error.line
            self._queued = self._drop(error.reply, "bad-command-synprot", str(error))
            return None

    def _obey(self, line: bytes) -> Event | None:
        self.last_command = line
        if self.state is State.CHALLENGED:
            self._pending = VERBS["AUTH"]
            return ResponseReceived(line)
        verb, argument = find_verb(line)
        if verb is None or self.input.is_overlong:
            return self._unknown()
        if b"\0" in line:
            return self._error(replies.NUL_IN_COMMAND)
        if self._is_too_early(verb):
            return self._out_of_sync()
        self.history = (*self.history[1 - _HISTORY_LENGTH :], verb.name)
        if (
            not verb.is_mail
            and self._patience.ends_with_nonmail(verb)
            and self.counts_nonmail
        ):
            text = f'too many nonmail commands (last was "{from_wire(line)}")'
            return self._drop(replies.TOO_MANY_NONMAIL, "bad-commands", text)
        if verb.name not in self._moves:
            return self._out_of_sequence(verb, argument)
        event = verb.parse(self, argument)
        if isinstance(event, OwnReply):
            return self._answered(verb, event)
        if isinstance(event, ContentBegun):
            self._content = self.chunks
            is_first = self.state is State.RECIPIENTS
            self._enter(State.CONTENT)
            return event if is_first else None
        self._pending = verb
        return event

    def _answered(self, verb: Verb, reply: OwnReply) -> Event | None:
        """Give a reply that needs no decision."""
        if reply.code < 300:
            self._put(reply)
            return None
        if verb.name in ("MAIL", "RCPT"):
            self._note_refusal()
        if reply.code in (452, 552):
            self._put(reply)
            return None
        return self._error(reply)

    def _is_too_early(self, verb: Verb) -> bool:
        return (
            self.input.has_more
            and verb.is_synchronized
            and self.enforces_synchronization
            and not (verb.may_pipeline and self.extensions.pipelining)
        )

    # What breaks the rules.

    def _unknown(self) -> Event | None:
        if self.input.has_more and self.enforces_synchronization:
            return self._out_of_sync()
        if self._patience.ends_with_unknown():
            last = from_wire(self.last_command[:80])
            text = f'too many unrecognized commands (last was "{last}")'
            return self._drop(replies.TOO_MANY_UNRECOGNIZED, "bad-commands", text)
        return self._error(replies.UNRECOGNIZED)

    def _error(self, reply: OwnReply) -> Event:
        """Refuse a command that breaks syntax or sequence."""
        if self._patience.ends_with_error():
            last = from_wire(self.last_command[:80])
            text = (
                f'too many syntax or protocol errors (last command was "{last}", '
                f"C={','.join(self.history)})"
            )
            return self._drop(with_last_line(reply), "bad-command-synprot", text)
        self._put(reply)
        selector = "smtp_syntax_error" if reply.code < 503 else "smtp_protocol_error"
        return ErrorNoted(selector, self.last_command, reply.reply.text)

    def _out_of_sequence(self, verb: Verb, argument: bytes) -> Event | None:
        """Refuse a command that has no place in this state."""
        if verb.name == "BDAT":
            with suppress(CommandError):
                self.swallowed = parse_chunk(argument).size
        refusals = self._refusals or Refusals()
        reply = out_of_sequence(self, verb) or refusals.without_recipient(verb.name)
        if refusals.some and verb.may_follow_refusal and self.chunks is None:
            self._put(reply)
            return None
        return self._error(reply)

    def _out_of_sync(self) -> Event:
        pending = self.input.head
        offered = "" if self.extensions.pipelining else "not "
        text = f"next input sent too soon: pipelining was {offered}advertised"
        return self._drop(
            replies.NOT_SYNCHRONIZED, "synchronization-error", text, pending
        )

    def _drop(
        self, reply: OwnReply, reason: str, text: str, pending: bytes = b""
    ) -> Dropped:
        self._put(reply)
        self.close()
        return Dropped(reason, text, self.last_command, pending)

    def _is_empty_chunk(self) -> bool:
        chunks = self.chunks
        return chunks is not None and self._content is chunks and not chunks.remaining

    def _next_content(self, content: DottedContent | ChunkedContent) -> Event | None:
        received, rest = content.feed(self.input.take())
        if rest is None:
            return ContentReceived(received, False) if received else None
        self.input.put_back(rest)
        self._content = None
        if self.chunks is not None and self.chunks.is_refused:
            self._enter(State.CHUNKS_REFUSED)
            return self._error(replies.HEADER_NOT_CANONICAL)
        if self.chunks is not None and not self.chunks.is_last:
            self._enter(State.CHUNKS)
            text = f"{self.chunks.chunk_size} byte chunk received"
            self._say(Reply(250, (text,)), replies.OK)
            return ContentReceived(received, False) if received else None
        self._pending = END_OF_CONTENT
        return ContentReceived(received, True)

    def _accept_message(self, reply: Reply | None) -> None:
        reply = reply or replies.OK.reply
        if self.chunks is not None:
            size, total = self.chunks.chunk_size, self.chunks.total
            lines = (f" {size} byte chunk, total {total}", *reply.lines)
            reply = Reply(reply.code, lines)
        self._say(reply, replies.OK)
        self._end_transaction()

    # States and replies.

    def _decided(self) -> Verb | None:
        """Return what was pending; None where input came that may not have come."""
        verb = self._pending
        if verb is None:
            if self.state is State.CLOSED:
                return None
            raise LocalProtocolError("a decision was given that nobody asked for")
        self._pending = None
        if self._is_too_early(verb):
            self._queued = self._out_of_sync()
            return None
        return verb

    def _move_on(self, verb: Verb) -> None:
        """Enter the state that follows an accepted command."""
        name = verb.name
        if name == "RCPT":
            self.recipient_count += 1
        elif name == "MAIL":
            self._refusals = None
            self._patience.begin_message()
        elif name == "DATA":
            self._content = DottedContent()
        if self.state is State.CHALLENGED:
            self._enter(self._return_state)
        else:
            following = self._moves[name]
            if name == "RSET":
                self._end_transaction(following)
            self._enter(following)
        self.is_authenticated = self.is_authenticated or name == "AUTH"

    def _end_transaction(self, state: State = State.READY) -> None:
        self.forget_transaction()
        self._refusals = self._content = None
        self._enter(state)

    def _note_refusal(self, octets: bytes = b"") -> None:
        if self._refusals is None:
            self._refusals = Refusals()
        self._refusals.note(octets)

    def _enter(self, state: State) -> None:
        self.state = state
        self._moves = TRANSITIONS[state]

    def _put(self, reply: OwnReply) -> None:
        self.output += reply.octets(self.rules.enhanced_status)

    def _say(self, reply: Reply | OwnReply | None, usual: OwnReply) -> None:
        if reply is None:
            reply = usual
        if isinstance(reply, OwnReply):
            self._put(reply)
        elif self.rules.enhanced_status:
            self.output += with_status(reply, usual.status).encode()
        else:
            self.output += reply.encode()
