"""The server is killed in the middle of enrolments: what was acknowledged is there, and answers are exact."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facespace.distances import distance
from facespace.embed import dequantise, quantise
from facespace.gallery import Gallery
from milvus_server import MilvusProcess, why_not
from stored import V1, faces

HERE = Path(__file__).parents[1]
ENROL = """
import sys
from facespace.gallery import Gallery
from facespace.store.milvus import server
from stored import V1, faces
server.PATIENCE_S = 1.0
with Gallery(sys.argv[1]) as gallery:
    for i in range(int(sys.argv[2]), int(sys.argv[2]) + 10_000, 2):
        gallery.load(faces(2, start=i, seed=i), ["Ann", f"Nr {i}"], V1)
        print(i, flush=True)
"""
ROUNDS, STEP = 3, 100_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kill_of_the_server_loses_an_enrolment_that_was_acknowledged(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    server, safe = MilvusProcess(tmp_path / "milvus"), list[int]()
    try:
        server.start()
        for round_ in range(ROUNDS):
            start = 1 + STEP * round_
            enroller = subprocess.Popen(
                [sys.executable, "-c", ENROL, server.gallery("team"), str(start)], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
            )  # fmt: skip
            assert enroller.stdout is not None
            done = [int(enroller.stdout.readline()) for _ in range(5 + 4 * round_)]
            os.kill(server.pid, signal.SIGKILL)
            rest, said = enroller.communicate(timeout=120)
            assert enroller.returncode and "the server is away" in said.splitlines()[-1], said
            safe += done + [int(line) for line in rest.split()]
            server.stop()
            server.start()  # its port is another one now
            with Gallery(server.gallery("team"), create=False) as gallery:
                check(gallery, safe, round_)
    finally:
        server.stop()


def check(gallery: Gallery, safe: list[int], round_: int) -> None:
    """All pairs that were acknowledged, at most the one in hand besides, and searches as by brute force."""
    there = {face.face_id for face in gallery.faces()}
    assert {i + j for i in safe for j in (0, 1)} <= there and len(there) <= 2 * (len(safe) + round_ + 1)
    assert gallery.check() == ()
    ids = np.array(sorted(there))
    rows = np.concatenate([faces(2, start=i, seed=i).embedding for i in ids[::2].tolist()])
    stored = dequantise(quantise(rows, V1.byte_scale))
    probes = stored[:: max(1, len(stored) // 8)]
    found = gallery.search(probes, V1, k=3, far=1e-2)
    for probe, row in zip(dequantise(quantise(probes, V1.byte_scale)), found, strict=True):
        every = distance(np.repeat(probe[None], len(stored), axis=0), stored)
        nearest = np.lexsort((ids, every))[:3]
        assert [m.face.face_id for m in row] == ids[nearest].tolist()
        assert [m.distance for m in row] == pytest.approx(every[nearest].tolist(), abs=1e-5)
