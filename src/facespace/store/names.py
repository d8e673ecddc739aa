"""Names of people: cleaned when they come in, compared as the eye compares them, and shown safely."""

import re
import unicodedata
from collections.abc import Iterable

from facespace.errors import InputError

LONGEST_NAME = 200
# What stands in lists for somebody who is not enrolled.
UNKNOWN = "unknown"

# Unicode's default ignorable code points and the blank pattern of Braille: they take no room, or show nothing.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROL = "\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029"
_HIDDEN = re.compile(f"[{_CONTROL}{_INVISIBLE}]")
# Spelling needs them: joiners in Arabic and Indic scripts, variants of a Chinese or Japanese character or an emoji.
_JOINERS, _VARIANTS = "\u200c\u200d", re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def clean_name(name: str, *, digits: bool = True) -> str:
    """A name as it is kept: composed letters, single blanks, nothing that cannot be seen.

    Args:
        name: as it was typed, imported or read from a folder's name.
        digits: whether a name of digits alone will do; not where people also go by numbers.

    Raises:
        InputError: nothing is left, or it is too long, or holds control or invisible characters.
    """
    if len(name) > 4 * LONGEST_NAME:  # of white space, or decomposed letters
        raise InputError(f"name: expected at most {LONGEST_NAME} characters, got {len(name)}")
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    hidden = next((c for i, c in enumerate(clean) if _HIDDEN.match(c) and not _is_spelling(clean, i)), None)
    if hidden is not None:
        raise InputError(
            f"name: expected characters that can be seen, got U+{ord(hidden):04X} in {shown_name(clean[:40])}"
        )
    if not name_key(clean) or (clean.isdecimal() and not digits):
        raise InputError(f"name: expected a name with a letter in it, got {clean!r}")
    if len(clean) > LONGEST_NAME:
        raise InputError(f"name: expected at most {LONGEST_NAME} characters, got {len(clean)}")
    return clean


def name_key(name: str) -> str:
    """Names that look alike have one key: capitals, blanks and what cannot be seen do not tell people apart."""
    seen = _HIDDEN.sub("", " ".join(name.split()))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).casefold()).strip()


def same_name(a: str, b: str) -> bool:
    """Whether two names would be mixed up."""
    return name_key(a) == name_key(b)


def taken_by(name: str, people: Iterable[tuple[int, str]]) -> tuple[int, str] | None:
    """Who of the people, by number and name, has that name already; one with the very same spelling first."""
    key = name_key(name)
    alike = [person for person in people if name_key(person[1]) == key]
    return min(alike, key=lambda person: person[1] != name, default=None)


def shown_name(name: str) -> str:
    """A name for a terminal or a line of text: nothing hidden, and nobody looks like `UNKNOWN`."""
    shown = escaped(name)
    return f'"{shown}"' if name_key(name) == UNKNOWN else shown


def escaped(text: str) -> str:
    """Text with what cannot be seen, and what a terminal would obey, as escapes such as ``\\x1b``."""
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _is_spelling(name: str, i: int) -> bool:
    """Whether the invisible character at ``i`` belongs to the one before it."""
    before = name[i - 1] if i else " "
    if _VARIANTS.match(name[i]):
        return not before.isspace() and not _HIDDEN.match(before)
    # As RFC 5892 has it: behind a virama, or between letters that join.
    joins = unicodedata.combining(before) == 9 or unicodedata.bidirectional(before) == "AL"
    return name[i] in _JOINERS and joins and i + 1 < len(name)
