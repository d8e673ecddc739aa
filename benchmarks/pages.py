"""The local pages of a large library: milliseconds a page and the server's memory, on a library of noise.

    python benchmarks/pages.py --faces 100000 --library /tmp/large

The library is made where there is none yet. Times are medians of whole answers over the loopback, the answer of the
smallest file beside them; memory is that of the server's process at its highest. Two rounds: the first one finds
nothing in memory.
"""

import argparse
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.embed import Embedder
from facespace.library.browse import KINDS
from facespace.library.catalogue import Catalogue
from facespace.models import ModelSpec

FACES_A_PHOTO = 2
NAMED = 400
ROUNDS = 9


def make_library(folder: Path, n_faces: int, seed: int = 0) -> None:
    """A library as scans and corrections make it: a few people of thousands of faces, very many seen once."""
    rng = np.random.default_rng(seed)
    person = draw_people(rng, n_faces)
    spec = Embedder().spec
    face_ids = np.sort(rng.choice(2**62, n_faces, replace=False))
    catalogue = Catalogue(folder)
    with closing(catalogue), catalogue.transaction():
        catalogue.templates.add_model(spec)
        thumbnails = [draw_thumbnail(rng) for _ in range(50)]
        for photo in range(1, n_faces // FACES_A_PHOTO + 1):
            catalogue.execute(
                "INSERT INTO photos (photo_id, path, sha256, device, inode, size_bytes, mtime_ns, width, height,"
                " orientation, taken_at, detector, embedder) VALUES (?, ?, ?, 1, 1, 1, 1, 4000, 3000, 1, ?, ?, ?)",
                (
                    photo,
                    f"{photo // 1000}/{photo}.jpg",
                    f"{photo:064x}",
                    draw_time(rng),
                    spec.sha256,
                    spec.sha256,
                ),
            )
        catalogue.execute_all(
            "INSERT INTO faces VALUES (?, ?, ?, 100, ?, 600, ?, 0.9, ?, ?)",
            [
                (int(face), 1 + i // FACES_A_PHOTO, 1500.0 * (i % 2), 1500.0 * (i % 2) + 500, bytes(40),
                 float(rng.random()), thumbnails[i % len(thumbnails)])
                for i, face in enumerate(face_ids)
            ],
        )  # fmt: skip
        catalogue.execute_all(
            "INSERT INTO people (person_id, name, settled) VALUES (?, ?, ?)",
            [(p + 1, f"Name {p}" if p < NAMED else None, int(p < NAMED)) for p in range(person.max() + 1)],
        )
        catalogue.execute_all(
            "INSERT INTO assignments (face_id, person_id, state, distance) VALUES (?, ?, ?, 0.8)",
            [
                (int(face), int(p) + 1, "confirmed" if p < NAMED and i % 20 else "suggested")
                for i, (face, p) in enumerate(zip(face_ids, person, strict=True))
            ],
        )
        add_templates(catalogue, spec, face_ids, person, rng)
        catalogue.execute("INSERT INTO grouping VALUES (1, '', ?, 0.9, 12, NULL)", (spec.sha256,))


def draw_people(rng: np.random.Generator, n_faces: int) -> np.ndarray:
    """The person of each face; half of the faces are of people seen once or twice."""
    sizes = np.minimum(n_faces // 25, 1 + (3 * rng.pareto(0.9, n_faces // 30)).astype(int))
    sizes = np.sort(sizes)[::-1]
    once = rng.integers(1, 3, n_faces)
    sizes = np.r_[sizes[np.cumsum(sizes) < n_faces // 2], once]
    return rng.permutation(np.repeat(np.arange(len(sizes)), sizes)[:n_faces])


def draw_time(rng: np.random.Generator) -> str | None:
    year, month, day = rng.integers(2005, 2026), rng.integers(1, 13), rng.integers(1, 29)
    return None if rng.random() < 0.1 else f"{year}-{month:02d}-{day:02d}T12:00:00"


def draw_thumbnail(rng: np.random.Generator) -> bytes:
    written = io.BytesIO()
    pixels = np.clip(rng.normal(128, 40, (36, 36, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).resize((144, 144)).save(written, "JPEG", quality=82)
    return written.getvalue()


def add_templates(
    catalogue: Catalogue, spec: ModelSpec, face_ids: np.ndarray, person: np.ndarray, rng: np.random.Generator
) -> None:
    centres = rng.normal(size=(person.max() + 1, spec.dim)).astype(np.float32)
    for start in range(0, len(face_ids), 10_000):
        rows = centres[person[start : start + 10_000]]
        rows = rows + 0.7 * rng.normal(size=rows.shape).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        ids = face_ids[start : start + 10_000]
        catalogue.templates.add(ids, rows, spec, quality=np.ones(len(rows), np.float32))


def paths(folder: Path) -> list[str]:
    """Every kind of page, at its beginning and far down."""
    with closing(Catalogue(folder, create=False)) as catalogue:
        face = catalogue.value("SELECT face_id FROM faces LIMIT 1 OFFSET 777")
        largest = catalogue.value(
            "SELECT person_id FROM assignments GROUP BY person_id ORDER BY count(*) DESC LIMIT 1"
        )
    return [
        *(f"/?kind={kind}" for kind in KINDS), "/?kind=seen-once&offset=20000&part=true", f"/people/{largest}",
        f"/people/{largest}?offset=2400&part=true", f"/people/{largest}/timeline", "/photos", "/photos?offset=40000",
        "/photos?since=2010&until=2012", "/photos/777", "/search?q=name+3", f"/faces/{face:016x}", "/history", "/names",
        "/state", f"/faces/{face:016x}/thumbnail",
    ]  # fmt: skip


def milliseconds(address: str, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        with urllib.request.urlopen(address) as answer:
            answer.read()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def highest_memory_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--library", type=Path, required=True)
    chosen = parser.parse_args()
    if not (chosen.library / "library.sqlite").exists():
        make_library(chosen.library, chosen.faces)
    serve = [sys.executable, "-m", "facespace", "serve", "--no-token", "--port", "0"]
    command = [*serve, "--library", str(chosen.library)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        assert server.stderr is not None
        base = server.stderr.readline().split()[1].rstrip("/")
        try:
            smallest = milliseconds(f"{base}/static/icon.svg", ROUNDS)
            rows = [
                {
                    "path": path,
                    "first_ms": round(milliseconds(base + path, 1), 1),
                    "ms": round(milliseconds(base + path, ROUNDS), 1),
                }
                for path in paths(chosen.library)
            ]
            memory = highest_memory_mb(server.pid)
        finally:
            server.send_signal(signal.SIGINT)
    for row in rows:
        row["times_smallest"] = round(row["ms"] / smallest, 1)
    print(json.dumps({"smallest_ms": round(smallest, 2), "memory_mb": memory, "pages": rows}, indent=1))


if __name__ == "__main__":
    main()
