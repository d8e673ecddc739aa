"""Malformed requests for every route of a description, the same ones for a seed."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

# Method, path, headers with blanks for hyphens, body.
Request = tuple[str, str, dict[str, str], bytes | None]

PARTS = (
    "team", "", ".", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a" * 300, "%00", "%ff%fe", "\u00e9", "'; DROP TABLE x;--",
    "{}",
    "0" * 24, "7fffffffffffffff", "-1", "1e400", "team.gallery", "../keys.json", "%0d%0aX-Evil:%201",
)  # fmt: skip
VALUES = (
    "",
    "-1",
    "0",
    "1",
    "1e-400",
    "nan",
    "inf",
    "1e400",
    "9" * 40,
    "x",
    "%00",
    "[]",
    "largest",
    "team",
    "true",
)
TYPES = (
    "image/jpeg", "application/json", "multipart/form-data", "multipart/form-data; boundary=x", "application/x-ndjson",
    "text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=\xff", "image/../../x",
)  # fmt: skip
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAA//8AAP//CAYAAAAfFcSJAAAADUlEQVQ=")
BODIES = (
    b"", b"{", b"[]", b"null", b"\x00" * 1000, JPEG, PNG, JPEG * 50, b"[" * 20_000, b'{"embedding": NaN}',
    b"\xff\xfe{}",
    b"GIF89a", b"II*\x00\xff\xff\xff\xff", b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"\x00\x00\x00\x1cftypheic",
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="../../x"\r\n\r\n\xff\xd8\r\n--x--\r\n',
    b"--x\r\nContent-Disposition: form-data\r\n\r\n", b'{"key": 1}\n{"subject": "\\ud800", "embedding": []}\n',
)  # fmt: skip
FIELDS: dict[str, tuple[Any, ...]] = {
    "image": ("", "AAAA", "!", 7, None, ["x"], "http://127.0.0.1:1/x.jpg", "file:///etc/passwd",
              base64.b64encode(JPEG).decode()),
    "embedding": ([], [1] * 128, [0.0883883] * 128, ["a"], "AAAA", {"a": 1}, [1e308] * 128, [10**400] * 128, [[1]]),
    "embeddings": ([], [[]], [[1.0]], "x", [None], [{"a": 1}], [[0.0883883] * 128] * 3, [[0.0883883] * 128] * 300),
    "subject": ("", "Ann", "\u0000", "\ud800", "x" * 1000, 7, None, "../..", "\u202eevil"),
    "model": ("", "x", "../../etc/passwd", 7, "facespace-xs", "0" * 64, None),
    "keep_pictures": ("yes", 7, None, True, "../x"),
    "a": ({}, {"image": "AAAA"}, {"embedding": [1]}, 7), "b": ({}, {"embedding": "AAAA"}, [], None),
    "key": ("", "../x", 7, "a" * 500),
}  # fmt: skip


def malformed(description: dict[str, Any], n: int, *, seed: int) -> Iterator[Request]:
    """``n`` requests; few of them happen to be well formed."""
    chance = random.Random(seed)
    routes = [(path, method.upper()) for path, methods in description["paths"].items() for method in methods]
    for _ in range(n):
        path, method = chance.choice(routes)
        filled = "/".join(chance.choice(PARTS) if part.startswith("{") else part for part in path.split("/"))
        if chance.random() < 0.4:
            filled = path.replace("{gallery}", "team").replace("{", "").replace("}", "")
        names = (
            "fpir",
            "far",
            "k",
            "faces",
            "limit",
            "cursor",
            "subject",
            "min_quality",
            "model",
            "min_score",
            "x",
        )
        asked = "&".join(
            f"{chance.choice(names)}={chance.choice(VALUES)}" for _ in range(chance.randrange(3))
        )
        method = (
            method if chance.random() < 0.9 else chance.choice(("PATCH", "OPTIONS", "TRACE", "HEAD", "FOO"))
        )
        headers = {"content_type": chance.choice(TYPES)} if chance.random() < 0.9 else {}
        yield method, filled + (f"?{asked}" if asked else ""), headers, _body(chance)


def _body(chance: random.Random) -> bytes | None:
    kind = chance.random()
    if kind < 0.1:
        return None
    if kind < 0.5:
        return chance.choice(BODIES)
    if kind < 0.6:
        return chance.randbytes(chance.randrange(2000))
    chosen = chance.sample(sorted(FIELDS), chance.randrange(1, 4))
    return json.dumps({name: chance.choice(FIELDS[name]) for name in chosen}).encode()
