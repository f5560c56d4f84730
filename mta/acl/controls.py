"""What ``control = ...`` switches, for a connection or for a message (Exim chapter
43, section 22)."""

from __future__ import annotations

from mta.acl.effects import Submission
from mta.acl.registry import MESSAGE, SMTP, Phase, control
from mta.acl.replies import reply_lines
from mta.acl.run import ACLRun
from mta.smtp.reply import Reply

_BEFORE_CONTENT = Phase.MAIL | Phase.RCPT | Phase.PREDATA
_KEPT_FOR_EVALUATION = (
    "This message is refused, but a copy is kept\n"
    "so that it can be looked at.\n"
    "Should it turn out to be legitimate, it may\n"
    "yet reach those to whom it is addressed."
)


def _freeze_options(text: str) -> str:
    # Nobody is told of a frozen message, so /no_tell asks for what happens anyway.
    if text not in ("", "/no_tell"):
        raise ValueError("its only option is /no_tell")
    return text


@control("freeze", phases=MESSAGE, options=_freeze_options)
def freeze(run: ACLRun, options: str) -> None:
    """Keep the message on the queue until somebody thaws it."""
    run.subject.controls.frozen = True
    if run.subject.message is not None:
        run.subject.message.frozen = True


def _queue_options(text: str) -> str:
    if text not in ("", "/only"):
        raise ValueError("its only option is /only")
    return text


@control("queue", phases=MESSAGE, options=_queue_options)
def queue(run: ACLRun, options: str) -> None:
    """Do not deliver the message at once, but at the next queue run."""
    run.subject.controls.queue_only = True
    if run.subject.message is not None:
        run.subject.message.queue_only = True


@control("queue_only", phases=MESSAGE)
def queue_only(run: ACLRun, options: str) -> None:
    """Do not deliver the message at once (the earlier name of ``queue``)."""
    queue(run, options)


def parse_submission(text: str) -> Submission:
    """Return the options of ``control = submission``; raise ValueError."""
    submission = Submission()
    while text:
        if not text.startswith("/"):
            raise ValueError(f'"{text}" is not an option of it')
        if text.startswith("/name="):
            return submission._replace(name=text[len("/name=") :])
        option, slash, rest = text[1:].partition("/")
        text = slash + rest
        if option == "sender_retain":
            submission = submission._replace(sender_retain=True)
        elif option.startswith("domain="):
            submission = submission._replace(domain=option[len("domain=") :])
        else:
            raise ValueError(f'"/{option}" is not an option of it')
    return submission


@control("submission", phases=_BEFORE_CONTENT, options=parse_submission)
def submission(run: ACLRun, options: Submission) -> None:
    """Complete and correct the header section, as for a locally written message."""
    run.subject.controls.submission = options


@control(
    "suppress_local_fixups",
    phases=_BEFORE_CONTENT | Phase.NOT_SMTP_START,
)
def suppress_local_fixups(run: ACLRun, options: str) -> None:
    """Leave the header section of a locally submitted message as it is."""
    run.subject.controls.suppress_local_fixups = True


@control("enforce_sync", phases=SMTP)
def enforce_sync(run: ACLRun, options: str) -> None:
    """Refuse a client that sends before its turn, from here on."""
    run.subject.controls.enforce_sync = True


@control("no_enforce_sync", phases=SMTP)
def no_enforce_sync(run: ACLRun, options: str) -> None:
    """Let a client send before its turn, from here on."""
    run.subject.controls.enforce_sync = False


@control("no_multiline_responses", phases=SMTP)
def no_multiline_responses(run: ACLRun, options: str) -> None:
    """Answer with one line only, for clients that cannot read more."""
    run.subject.controls.multiline_replies = False


@control("no_pipelining", phases=SMTP)
def no_pipelining(run: ACLRun, options: str) -> None:
    """Do not advertise PIPELINING."""
    run.subject.controls.pipelining = False


@control("allow_auth_unadvertised", phases=Phase.CONNECT | Phase.HELO)
def allow_auth_unadvertised(run: ACLRun, options: str) -> None:
    """Take AUTH though it was not advertised, even after HELO."""
    run.subject.controls.auth_unadvertised = True


@control("caseful_local_part", phases=Phase.RCPT)
def caseful_local_part(run: ACLRun, options: str) -> None:
    """Give ``$local_part`` the case in which it was written, in this ACL."""
    address = run.recipient
    if address is not None:
        address.local_part = address.address.local_part


@control("caselower_local_part", phases=Phase.RCPT)
def caselower_local_part(run: ACLRun, options: str) -> None:
    """Give ``$local_part`` in lower case, in this ACL."""
    address = run.recipient
    if address is not None:
        address.local_part = address.address.local_part.lower()


def _fake_options(text: str) -> str:
    if text and (not text.startswith("/") or not text[1:].strip()):
        raise ValueError("a text follows it after a slash, or nothing")
    return text[1:].strip()


@control("fakereject", phases=MESSAGE, options=_fake_options)
def fakereject(run: ACLRun, options: str) -> None:
    """Accept the message, but tell the client that it was refused."""
    text = options or _KEPT_FOR_EVALUATION
    run.subject.controls.fake_reply = Reply(550, reply_lines(text))


@control("fakedefer", phases=MESSAGE, options=_fake_options)
def fakedefer(run: ACLRun, options: str) -> None:
    """Accept the message, but tell the client to try again later."""
    text = options or _KEPT_FOR_EVALUATION
    run.subject.controls.fake_reply = Reply(450, reply_lines(text))
