"""What a server offers, read from its reply to EHLO (RFC 5321, section 4.1.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from mta.smtp.reply import Reply

NAME_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The ESMTP keywords of a server; none for one that knows only HELO.

    ``size`` is the largest message in octets, 0 where unlimited or not told.  The
    three limits are those of RFC 9422, 0 where there is none.  ``name`` is what the
    server calls itself, as far as it can be shown.
    """

    keywords: frozenset[str] = frozenset()
    esmtp: bool = False
    size: int = 0
    auth: tuple[str, ...] = ()
    mail_limit: int = 0
    recipient_limit: int = 0
    domain_limit: int = 0
    name: str = ""

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords


NOTHING = Capabilities()


def parse_capabilities(reply: Reply) -> Capabilities:
    """Return what the lines of a reply to EHLO or LHLO after the first offer."""
    keywords = set()
    size = 0
    auth: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    for line in reply.lines[1:]:
        words = line.upper().split()
        if not words:
            continue
        keyword = words[0]
        if keyword.startswith("AUTH="):
            # The form of servers older than RFC 2554.
            words[:1] = ["AUTH", keyword[5:]]
            keyword = "AUTH"
        keywords.add(keyword)
        if keyword == "SIZE" and len(words) > 1:
            size = _number(words[1])
        elif keyword == "AUTH":
            auth += tuple(word for word in words[1:] if word and word not in auth)
        elif keyword == "LIMITS":
            limits |= _limits(words[1:])
    return Capabilities(
        frozenset(keywords),
        True,
        size,
        auth,
        limits.get("MAILMAX", 0),
        limits.get("RCPTMAX", 0),
        limits.get("RCPTDOMAINMAX", 0),
        _own_name(reply.lines[0]),
    )


def _own_name(line: str) -> str:
    name = line.partition(" ")[0][:NAME_LIMIT]
    return name if name.isprintable() else ""


def _limits(words: list[str]) -> dict[str, int]:
    pairs = (word.partition("=") for word in words)
    return {name: _number(value) for name, _, value in pairs}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
