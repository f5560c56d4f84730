"""Arguments of conditions in which slashes stand between an item and its options."""

from __future__ import annotations


def split_at_slashes(text: str) -> list[str]:
    """Return what slashes part, but for slashes inside of an expansion."""
    parts = [""]
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if character == "/" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
