"""Hostile inputs made from good ones: seeded, so that every run tries the same bytes."""

import random
import resource
from collections.abc import Callable, Iterator, Sequence

# What readers of numbers, text and markup trip over.
AWKWARD = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"-1", b"0", b"1e999", b"nan", b"18446744073709551616",
    b"9" * 400, b"\r", b"\n\n", b"\t", b'"', b"'", b"<", b"&", b"]]>", b"<!--", b"&#0;", b"%", b";", b",", b"=", b"/",
    b"../", "\u202e".encode(), "\u200b".encode(), "\U0001f600".encode(), b"\x1b[31m",
)  # fmt: skip


def mutations(
    good: Sequence[bytes], n: int, *, seed: int = 0, words: Sequence[bytes] = ()
) -> Iterator[bytes]:
    """``n`` changed copies of good inputs, each with one to four changes.

    Args:
        good: whole inputs; pieces of one are put into another too.
        n: how many.
        seed: the same seed makes the same inputs.
        words: pieces of the format, such as tags and keywords, that are put in and taken for others.
    """
    chance = random.Random(seed)
    for _ in range(n):
        content = chance.choice(good)
        for _ in range(chance.randint(1, 4)):
            content = chance.choice(CHANGES)(chance, content, chance.choice(good), (*words, *AWKWARD))
        yield content


def peak_memory_bytes() -> int:
    """The most memory that this process has held so far (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _piece(chance: random.Random, content: bytes, longest: int) -> tuple[int, int]:
    start = chance.randint(0, len(content))
    return start, min(len(content), start + chance.randint(0, longest))


def _flip(chance: random.Random, content: bytes, *_: object) -> bytes:
    changed = bytearray(content)
    for _time in range(chance.choice((1, 1, 8, 64)) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, content: bytes, *_: object) -> bytes:
    return content[: chance.randint(0, len(content))]


def _leave_out(chance: random.Random, content: bytes, *_: object) -> bytes:
    start, end = _piece(chance, content, len(content) // 4 + 1)
    return content[:start] + content[end:]


def _repeat(chance: random.Random, content: bytes, *_: object) -> bytes:
    start, end = _piece(chance, content, 200)
    return content[:start] + content[start:end] * chance.choice((2, 2, 50)) + content[end:]


def _splice(chance: random.Random, content: bytes, other: bytes, *_: object) -> bytes:
    start, end = _piece(chance, other, 400)
    place = chance.randint(0, len(content))
    return content[:place] + other[start:end] + content[place:]


def _fill(chance: random.Random, content: bytes, *_: object) -> bytes:
    start, end = _piece(chance, content, 16)
    return content[:start] + chance.choice((b"\0", b"\xff", b"A")) * (end - start) + content[end:]


def _insert(chance: random.Random, content: bytes, _: bytes, words: Sequence[bytes]) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(words) + content[place:]


def _exchange(chance: random.Random, content: bytes, _: bytes, words: Sequence[bytes]) -> bytes:
    """One word that is there for another."""
    there = [word for word in words if word and word in content]
    if not there:
        return _insert(chance, content, _, words)
    word = chance.choice(there)
    parts = content.split(word)
    place = chance.randrange(1, len(parts))
    return word.join(parts[:place]) + chance.choice(words) + word.join(parts[place:])


def _number(chance: random.Random, content: bytes, *_: object) -> bytes:
    """Two, four or eight bytes as the least or largest number, in either order of bytes."""
    size = chance.choice((2, 4, 8))
    place = chance.randint(0, max(0, len(content) - size))
    value = chance.choice((0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1))
    return content[:place] + value.to_bytes(size, chance.choice(("big", "little"))) + content[place + size :]


CHANGES: tuple[Callable[[random.Random, bytes, bytes, Sequence[bytes]], bytes], ...] = (
    _flip, _cut, _leave_out, _repeat, _splice, _fill, _insert, _exchange, _number,
)  # fmt: skip
