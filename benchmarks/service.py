"""The service under load, on the loopback alone: requests a second, latencies, memory, kills.

    python benchmarks/service.py load --faces 100000 --photos FOLDER     # identify by picture and by embedding
    python benchmarks/service.py memory --requests 50000                 # resident memory while requests come
    python benchmarks/service.py kill --rounds 10                        # kill -9 in mid-enrol: lost, or twice?
    python benchmarks/service.py hostile --requests 2000                 # malformed requests: no 500, no path

The gallery is of drawn faces: unit vectors, one a person. The bare pipeline beside the service does the same work in
one process, in as many threads, without HTTP; the loops beside it do a picture at a time, a search each, as
deepface's and insightface's examples do. Ratios are within one run; the machine's load stands with them.
"""

import argparse
import asyncio
import base64
import contextlib
import http.client
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import facespace
from facespace.distances import distance_matrix
from facespace.embed import quantise
from facespace.extract import find_faces
from facespace.faces.tiles import decoded_side_px
from facespace.gallery import Gallery
from facespace.images import decode_image
from facespace.table import FaceTable

TEAM = "/v1/galleries/team"
SIDE_PX = 640


def make_gallery(path: Path, n_faces: int, spec: Any) -> None:
    """A gallery of drawn faces, one a person."""
    rng = np.random.default_rng(0)
    none = np.full(10_000, np.nan, np.float32)
    with Gallery(path) as gallery:
        for start in range(0, n_faces, 10_000):
            n = min(10_000, n_faces - start)
            rows = rng.normal(size=(n, spec.dim)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            ids = np.arange(start, start + n)
            table = FaceTable(
                spec.sha256, tuple(f"{i}" for i in ids), tuple(f"{i:064x}" for i in ids), ids, np.arange(n),
                np.full((n, 4), np.nan, np.float32), np.full((n, 5, 2), np.nan, np.float32), none[:n], none[:n], rows,
            )  # fmt: skip
            gallery.load(table, [f"Person {i}" for i in ids], spec)


def photos_of_one_face(folder: Path, n: int) -> list[bytes]:
    """JPEG files of 640 px, of photos that show one face."""
    detector, found = facespace.Detector(), []
    for path in sorted(folder.glob("*.jpg")):
        pixels = decode_image(path.read_bytes(), path).pixels
        if len(detector.detect(pixels)) == 1:
            image = Image.fromarray(pixels)
            scale = SIDE_PX / max(image.size)
            written = io.BytesIO()
            size = round(image.width * scale), round(image.height * scale)
            image.resize(size, Image.Resampling.BICUBIC).save(written, "JPEG", quality=88)
            found.append(written.getvalue())
        if len(found) == n:
            return found
    raise SystemExit(f"{folder}: expected {n} photos of one face, found {len(found)}")


class Server:
    """A service in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "facespace",
            "api",
            "start",
            str(self.folder),
            "--no-keys",
            "--port",
            "0",
        ]
        self.process = subprocess.Popen([*command, *self.options], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.port = int(self.process.stderr.readline().split("/v1")[0].rpartition(":")[2])
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.1)
        raise SystemExit("the service does not start")

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def memory_mb(self, field: str = "VmRSS") -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024)

    def cpu_s(self) -> float:
        """Processor seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)


async def _client(port: int, requests: Iterator[bytes], seconds: list[float], statuses: list[int]) -> None:
    """One client with one connection: a request after the other, already written out as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - begun)
        statuses.append(int(head[9:12]))
    writer.close()


def load(server: Server, requests: list[bytes], n_requests: int, n_clients: int) -> dict[str, Any]:
    """Requests a second and latencies, at so many clients."""
    seconds: list[float] = []
    statuses: list[int] = []
    turns = iter(range(n_requests))

    def mine() -> Iterator[bytes]:
        for turn in turns:
            yield requests[turn % len(requests)]

    async def all_of_them() -> None:
        await asyncio.gather(*(_client(server.port, mine(), seconds, statuses) for _ in range(n_clients)))

    cpu, begun = server.cpu_s(), time.perf_counter()
    asyncio.run(all_of_them())
    took, spent = time.perf_counter() - begun, server.cpu_s() - cpu
    ordered = sorted(seconds)
    return {
        "requests": n_requests, "clients": n_clients, "per_second": round(n_requests / took, 1),
        "p50_ms": round(1000 * statistics.median(ordered), 1),
        "p99_ms": round(1000 * ordered[int(0.99 * len(ordered))], 1),
        "server_cpu_ms_each": round(1000 * spent / n_requests, 2), "not_200": sum(s != 200 for s in statuses),
    }  # fmt: skip


def written_out(path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def bare(photos: list[bytes], gallery: Path, n: int, threads: int) -> dict[str, Any]:
    """The same work in one process without HTTP: pictures in so many threads, searches one after the other."""
    detector, embedder = facespace.Detector(), facespace.Embedder()

    def one(i: int) -> np.ndarray:
        picture = decode_image(photos[i % len(photos)], Path("x"), longest_side_px=decoded_side_px)
        return embedder.embed(find_faces(picture, detector, embedder.spec).crops)

    with Gallery(gallery, create=False) as opened, ThreadPoolExecutor(threads) as pool:
        opened.identify(one(0), embedder.spec)
        cpu, begun = time.process_time(), time.perf_counter()
        for rows in pool.map(one, range(n)):
            opened.identify(rows, embedder.spec)
        took = time.perf_counter() - begun
    return {"per_second": round(n / took, 1), "cpu_ms_each": round(1000 * (time.process_time() - cpu) / n, 2)}


def loop(photos: list[bytes], gallery: Path, n: int, *, whole_matrix: bool) -> dict[str, Any]:
    """A picture at a time in one thread: insightface's way, with one matrix product; or deepface's, a row at a time."""
    detector, embedder = facespace.Detector(), facespace.Embedder()
    with Gallery(gallery, create=False) as opened:
        stored = np.concatenate([batch.vectors for batch in opened.templates.batches()]).astype(np.float32)
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)
    cpu, begun = time.process_time(), time.perf_counter()
    for i in range(n):
        found = facespace.extract_image(
            decode_image(photos[i % len(photos)], Path("x"), longest_side_px=decoded_side_px),
            detector,
            embedder,
        )
        for row in found.embeddings:
            if whole_matrix:
                int(distance_matrix(row[None], stored).argmin())
            else:  # as a data frame is gone through row by row
                min(range(len(stored)), key=lambda j, row=row: float(np.sum((stored[j] - row) ** 2)))
    took = time.perf_counter() - begun
    return {"per_second": round(n / took, 2), "cpu_ms_each": round(1000 * (time.process_time() - cpu) / n, 2)}


def run_load(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    spec = facespace.Embedder().spec
    path = folder / "team.gallery"
    if not path.exists():
        make_gallery(path, chosen.faces, spec)
    photos = photos_of_one_face(chosen.photos, chosen.different)
    rows = np.random.default_rng(1).normal(size=(200, spec.dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    as_bytes = [base64.b64encode(row.tobytes()).decode() for row in quantise(rows, spec.byte_scale)]
    pictures = [written_out(f"{TEAM}/identify", "image/jpeg", photo) for photo in photos]
    embedded = [
        written_out(f"{TEAM}/identify", "application/json", json.dumps({"embedding": text}).encode())
        for text in as_bytes
    ]
    many = [
        written_out(
            f"{TEAM}/identify", "application/json", json.dumps({"embeddings": as_bytes[:32]}).encode()
        )
    ]
    result: dict[str, Any] = {"faces": chosen.faces, "load_average": os.getloadavg()[0]}
    n, clients = chosen.requests, chosen.clients
    server = Server(folder, "--threads", str(chosen.threads))
    try:
        load(server, pictures, clients, clients)
        result["pictures"] = load(server, pictures, n, clients)
        result["bare_pipeline"] = bare(photos, path, n, chosen.threads)
        result["of_bare"] = round(result["pictures"]["per_second"] / result["bare_pipeline"]["per_second"], 3)
        result["pictures_one_client"] = load(server, pictures, n // 8, 1)
        result["embeddings"] = load(server, embedded, 8 * n, clients)
        batch = load(server, many, n, clients)
        result["embeddings_32_a_request"] = {
            **batch,
            "embeddings_per_second": round(32 * batch["per_second"]),
        }
        result["memory_mb"] = server.memory_mb("VmHWM")
    finally:
        server.stop()
    result["insightface_style_loop"] = loop(photos, path, n // 4, whole_matrix=True)
    result["deepface_style_loop"] = loop(photos, path, 2, whole_matrix=False)
    return result


def run_memory(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Memory after every tenth of the requests, of pictures and of embeddings by turns."""
    spec = facespace.Embedder().spec
    if not (folder / "team.gallery").exists():
        make_gallery(folder / "team.gallery", chosen.faces, spec)
    row = np.eye(1, spec.dim, dtype=np.float32)[0].tolist()
    bodies = [written_out(f"{TEAM}/identify", "application/json", json.dumps({"embedding": row}).encode())]
    photos = photos_of_one_face(chosen.photos, 8)
    pictures = [written_out(f"{TEAM}/identify", "image/jpeg", photo) for photo in photos]
    mixed = [
        pictures[i // chosen.every % len(pictures)] if i % chosen.every == 0 else bodies[0]
        for i in range(8 * chosen.every)
    ]
    server = Server(folder)
    try:
        seen, bad = [server.memory_mb()], 0
        for _ in range(10):
            bad += load(server, mixed, chosen.requests // 10, chosen.clients)["not_200"]
            seen.append(server.memory_mb())
        return {
            "requests": chosen.requests, "a_picture_in": chosen.every, "not_200": bad, "memory_mb": seen,
            "highest_mb": server.memory_mb("VmHWM"),
        }  # fmt: skip
    finally:
        server.stop()


def run_kill(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Kill the service while clients enrol: what was acknowledged is there, each key once."""
    spec = facespace.Embedder().spec
    server = Server(folder)
    server.ask("PUT", TEAM)
    acknowledged: dict[str, str] = {}
    for round_ in range(chosen.rounds):
        stop = threading.Event()

        def enrol(client: int, round_: int = round_, stop: threading.Event = stop) -> None:
            rng, number = np.random.default_rng([round_, client]), 0
            while not stop.is_set():
                row = rng.normal(size=spec.dim)
                key, subject = f"{round_}-{client}-{number}", f"Person {client}"
                body = json.dumps(
                    {"subject": subject, "embedding": (row / np.linalg.norm(row)).tolist()}
                ).encode()
                number += 1
                with contextlib.suppress(OSError, http.client.HTTPException):
                    for _ in range(2):  # a client that is not sure puts the face again
                        if server.ask("PUT", f"{TEAM}/faces/{key}", body, content_type="application/json")[
                            0
                        ] in (200, 201):
                            acknowledged[key] = subject

        clients = [threading.Thread(target=enrol, args=(client,)) for client in range(4)]
        for client in clients:
            client.start()
        time.sleep(random.Random(round_).uniform(0.3, 1.2))
        server.process.kill()
        server.process.wait()
        stop.set()
        for client in clients:
            client.join()
        server.start()
    lines = [json.loads(line) for line in server.ask("GET", f"{TEAM}/export")[1].splitlines()]
    server.stop()
    there = {line["key"]: line["subject"] for line in lines}
    with Gallery(folder / "team.gallery", create=False) as gallery:
        problems = gallery.check()
    return {
        "kills": chosen.rounds, "acknowledged": len(acknowledged), "there": len(there),
        "lost": sum(there.get(key) != subject for key, subject in acknowledged.items()),
        "twice": len(lines) - len(there), "problems": problems,
    }  # fmt: skip


def run_hostile(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Malformed requests of every route: statuses, and answers that hold a path of this machine."""
    from tests.service.malformed import malformed

    server = Server(folder)
    server.ask("PUT", TEAM)
    statuses: dict[int, int] = {}
    leaks = []
    description = json.loads(server.ask("GET", "/openapi.json")[1])
    for method, path, headers, body in malformed(description, chosen.requests, seed=chosen.seed):
        try:
            status, answer = server.ask(method, path, body, **headers)
        except (OSError, http.client.HTTPException, ValueError):
            status, answer = 0, b""
        statuses[status] = statuses.get(status, 0) + 1
        if any(
            text.encode() in answer for text in (str(folder), "site-packages", "Traceback", str(Path.home()))
        ):
            leaks.append((method, path, answer[:200].decode(errors="replace")))
    alive = server.ask("GET", "/livez")[0] == 200
    server.stop()
    return {
        "requests": chosen.requests,
        "statuses": dict(sorted(statuses.items())),
        "leaks": leaks[:5],
        "alive": alive,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    runs: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
        "load": run_load, "memory": run_memory, "kill": run_kill, "hostile": run_hostile,
    }  # fmt: skip
    parser.add_argument("what", choices=runs)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/albums/people"))
    parser.add_argument("--different", type=int, default=24, help="photos that are sent by turns")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--every", type=int, default=50, help="memory: one request in so many brings a picture"
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="of the service; a new one that goes afterwards when absent"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facespace-service-") as temporary:
        result = runs[chosen.what](chosen, chosen.folder or Path(temporary))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
