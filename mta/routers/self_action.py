"""The values of the ``self`` option: what to do with mail that is routed back to us."""

from __future__ import annotations

from dataclasses import dataclass

from mta.options import Source

_WORDS = ("freeze", "defer", "pass", "fail", "send")


@dataclass(frozen=True, slots=True)
class SelfChoice:
    """One of the words, or ``reroute`` with the domain to start anew with."""

    word: str
    domain: str = ""


class _SelfActionType:
    name = "self"

    def parse(self, text: str, source: Source) -> SelfChoice:
        """Return the choice; rewriting header fields as well is not supported."""
        word, colon, domain = (part.strip() for part in text.partition(":"))
        if word == "reroute" and colon:
            if domain.startswith("rewrite:"):
                raise source.error('"reroute: rewrite:" is not supported')
            if not domain:
                raise source.error("reroute needs a domain")
            return SelfChoice(word, domain)
        if word not in _WORDS or colon:
            raise source.error(f'"{text}" is not one of {", ".join(_WORDS)}, reroute')
        return SelfChoice(word)


SelfAction = _SelfActionType()
