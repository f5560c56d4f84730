"""The cdb look-up: D. J. Bernstein's constant databases."""

from __future__ import annotations

from collections.abc import Mapping
from struct import error as struct_error
from struct import unpack_from

from mta.errors import TemporaryFailure
from mta.interfaces import IResolver
from mta.lists.files import FileCache
from mta.lookups.base import (
    LOCAL_PROBLEM,
    Lookup,
    Style,
    absolute,
    lookup,
    unreadable,
)


@lookup("cdb", style=Style.SINGLE_KEY)
class ConstantDatabase(Lookup):
    """Finds the data of a key."""

    def __init__(self, resolver: IResolver | None) -> None:
        super().__init__(resolver)
        self._files = FileCache(bytes)

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return the first data of a key."""
        try:
            content = self._files.get(absolute(source, "cdb"))
            found = find_in(content, key.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise unreadable(source, "cdb lookup", error) from error
        except struct_error as error:
            text = f"cdb file {source} is damaged"
            raise TemporaryFailure(LOCAL_PROBLEM, log_text=text) from error
        return None if found is None else found.decode("utf-8", "surrogateescape")


def find_in(content: bytes, key: bytes) -> bytes | None:
    """Return the first data of a key in a database; raise struct.error for damage."""
    hash_value = 5381
    for octet in key:
        hash_value = ((hash_value << 5) + hash_value & 0xFFFFFFFF) ^ octet
    table, length = unpack_from("<LL", content, (hash_value & 255) * 8)
    for step in range(length):
        slot = (hash_value // 256 + step) % length
        found_hash, position = unpack_from("<LL", content, table + slot * 8)
        if position == 0:
            return None
        if found_hash != hash_value:
            continue
        key_length, data_length = unpack_from("<LL", content, position)
        start = position + 8
        middle = start + key_length
        if middle + data_length > len(content):
            raise struct_error("record beyond the end")
        if content[start:middle] == key:
            return content[middle : middle + data_length]
    return None
