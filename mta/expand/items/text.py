"""Items that make one string of others."""

from __future__ import annotations

from mta.errors import ExpansionError
from mta.expand.captures import captures_of
from mta.expand.context import Context
from mta.expand.evaluate import run_time_template
from mta.expand.hashing import numeric_hash, textual_hash
from mta.expand.nodes import Literal, Node, any_waits
from mta.expand.numbers import integer
from mta.expand.octets import beginning, octets_of, substring, text_from
from mta.expand.registry import item
from mta.expand.syntax import Reader, Template, parse_template
from mta.lists.patterns import compile_pattern
from mta.taint import carry


@item("length", least=2, most=2)
def length(count: str, text: str) -> str:
    """The first octets of a string."""
    return beginning(text, integer(count))


@item("substr", least=2, most=3)
def substr(start: str, *rest: str) -> str:
    """Part of a string, from an offset on that may be negative, and of a length."""
    *size, text = rest
    return substring(text, integer(start), integer(size[0]) if size else None)


@item("hash", least=2, most=3)
def hash_(size: str, *rest: str) -> str:
    """A string of a given length that is made from another one."""
    *letters, text = rest
    return textual_hash(text, integer(size), integer(letters[0]) if letters else 26)


@item("nhash", least=2, most=3, taints=False)
def nhash(size: str, *rest: str) -> str:
    """One or two numbers below given ones that are made from a string."""
    *second, text = rest
    return numeric_hash(text, integer(size), integer(second[0]) if second else None)


@item("tr", least=3, most=3)
def tr(text: str, characters: str, replacements: str) -> str:
    """A string with some of its octets replaced by others."""
    given, wanted = octets_of(characters), octets_of(replacements)
    if not wanted:
        return text
    table = bytearray(range(256))
    for position, octet in enumerate(given):
        table[octet] = wanted[min(position, len(wanted) - 1)]
    return text_from(octets_of(text).translate(bytes(table)))


@item("hmac", least=3, most=3, taints=False)
def hmac(algorithm: str, secret: str, text: str) -> str:
    """A message authentication code in hexadecimal (RFC 2104)."""
    if algorithm not in ("md5", "sha1"):
        raise ExpansionError(f'hmac algorithm "{algorithm}" is not md5 or sha1')
    import hmac as codes  # noqa: PLC0415 - start-up time

    return codes.new(octets_of(secret), octets_of(text), algorithm).hexdigest()


@item("sg", reads=True)
def sg(reader: Reader) -> Node:
    """A string with every match of a regular expression replaced."""
    subject, pattern, replacement = reader.strings(3, 3, "sg")
    reader.close("sg")
    template = None
    if isinstance(pattern, Literal):
        try:
            compile_pattern(pattern.text, False)
        except ValueError as error:
            raise reader.error(str(error)) from error
    if isinstance(replacement, Literal):
        template = parse_template(replacement.text, reader.source, reader.language)
    return Substitution(subject, pattern, replacement, template)


class Substitution(Node):
    """A global substitution; the replacement is expanded anew for each match."""

    __slots__ = ("pattern", "replacement", "subject", "template", "waits")

    def __init__(
        self, subject: Node, pattern: Node, replacement: Node, template: Template | None
    ) -> None:
        self.subject = subject
        self.pattern = pattern
        self.replacement = replacement
        self.template = template
        # A replacement that is known only when it is expanded may hold anything.
        self.waits = template is None or any_waits([subject, pattern, template.node])

    async def later(self, context: Context) -> str:
        subject = await self.subject.later(context)
        pattern = await self.pattern.later(context)
        template = self.template or await self._replacement(context)
        try:
            matches = compile_pattern(pattern, False).finditer(subject)
        except ValueError as error:
            raise ExpansionError(str(error)) from error
        captures = context.captures
        try:
            pieces, end = [], 0
            for match in matches:
                pieces.append(match.string[end : match.start()])
                context.captures = captures_of(match, subject)
                pieces.append(await template.expand(context))
                end = match.end()
        finally:
            context.captures = captures
        return carry("".join([*pieces, subject[end:]]), subject, *pieces)

    async def _replacement(self, context: Context) -> Template:
        text = await self.replacement.later(context)
        if "$" not in text and "\\" not in text:
            return Template(text, Literal(text))
        return run_time_template(text, context)
