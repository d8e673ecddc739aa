"""What a gallery of many faces costs, by store: derived from a calibration of seconds on this machine."""

import math
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from facespace.embed import quantise
from facespace.gallery.gallery import Gallery
from facespace.gallery.identification import FPIR, comparison_far
from facespace.models import ModelSpec, far_curve
from facespace.store.cells import ITERATIONS, ROWS_PER_CELL, n_cells, timed_build
from facespace.store.nearest import ByteRows
from facespace.store.scan import ByteScan, faiss_if_there
from facespace.table import FaceTable

ID_BYTES = 16
CELL_ID_BYTES = 8
# Milvus keeps vectors as float32 in its object store, and IVF_SQ8 in the memory of its query nodes.
MILVUS_DISK, MILVUS_MEMORY = 4, 1
# Both also hold a template as text, four characters for three bytes, and a face's details and ids.
MILVUS_DETAILS = 340
# Of the cells, for 98 % of the hits among a million drawn faces; more faces need a smaller share, so this is a bound.
SHARE_LOOKED_INTO = 1 / 6
N_ROWS, N_LOADED, N_PROBES = 40_000, 5_000, 64


@dataclass(frozen=True)
class Calibration:
    """What was measured on this machine, with drawn vectors.

    Attributes:
        load_per_s: faces enrolled a second from a table.
        store_bytes_a_face: of the gallery's file.
        exact_ms_per_million: a single probe against a million templates, by comparing all.
        exact_batch_ms_per_million: one of many probes likewise.
        code_ns: a probe against one code of a cell; None without the extra `index`.
        centre_ns: a row against the centre of one cell, in the building; likewise.
        encode_us: to put a row into its cell, but for that; likewise.
        least_ms: a probe in an index of cells, but for the codes; likewise.
        dim: components of a template.
    """

    load_per_s: float
    store_bytes_a_face: float
    exact_ms_per_million: float
    exact_batch_ms_per_million: float
    code_ns: float | None
    centre_ns: float | None
    encode_us: float | None
    least_ms: float | None
    dim: int


@dataclass(frozen=True)
class StorePlan:
    """A store of so many faces; figures are derived, times of one processor, None where nothing here says it.

    Attributes:
        store: "exact", "cells" or "milvus".
        memory_bytes: that a search uses, of one process or of all query nodes.
        disk_bytes: of everything.
        load_s: to enrol all from tables.
        build_s: of the index.
        ms_single: a probe.
        ms_batch: one of many probes.
        note: what to know, for people.
    """

    store: str
    memory_bytes: float
    disk_bytes: float
    load_s: float | None
    build_s: float | None
    ms_single: float | None
    ms_batch: float | None
    note: str


@dataclass(frozen=True)
class Plan:
    """What a gallery of ``n`` faces costs, and what its answers are worth.

    Attributes:
        n: faces.
        model: label of the model whose thresholds are meant.
        stores: each way to keep them.
        false_hits: faces of different people within the threshold that are expected a probe, by its FAR.
        far_needed: of one comparison, so that 1 unknown person in 100 is taken for somebody; each face a subject.
        far_is_measured: whether the model is calibrated there; else its distance is extrapolated.
        calibration: measured; everything else follows from it.
    """

    n: int
    model: str
    stores: tuple[StorePlan, ...]
    false_hits: dict[str, float]
    far_needed: float
    far_is_measured: bool
    calibration: Calibration

    def to_json(self) -> dict[str, Any]:
        """The document that `facespace gallery plan --json` prints."""
        return {"faces": self.n, "derived": True, **{k: v for k, v in asdict(self).items() if k != "n"}}


def plan(n: int, spec: ModelSpec, calibration: Calibration) -> Plan:
    """Derive what ``n`` faces cost.

    Args:
        n: faces, 1 or more.
        spec: of a calibrated embedder.
        calibration: of this machine.

    Raises:
        ModelError: the model is not calibrated.
    """
    curve, needed = far_curve(spec, spec), comparison_far(FPIR, n)
    rates = sorted((float(far) for far, d in spec.distances.items() if d is not None), reverse=True)
    return Plan(
        n, spec.label, (_exact(n, calibration), _cells(n, calibration), _milvus(n, calibration)),
        {f"{far:g}": n * far for far in rates}, needed, bool(math.log10(needed) >= curve.log_fars[0]), calibration,
    )  # fmt: skip


def _exact(n: int, known: Calibration) -> StorePlan:
    held = known.dim + ID_BYTES
    return StorePlan(
        "exact", n * held, n * (known.store_bytes_a_face + held), n / known.load_per_s, None,
        n / 1e6 * known.exact_ms_per_million, n / 1e6 * known.exact_batch_ms_per_million,
        "finds every hit; one file, its pages shared by all processes",
    )  # fmt: skip


def _cells(n: int, known: Calibration) -> StorePlan:
    cells = n_cells(n)
    codes = known.dim / 4 + CELL_ID_BYTES
    memory, bytes_mapped = n * codes + 4 * cells * known.dim, n * (known.dim + ID_BYTES)
    line = StorePlan(
        "cells", memory, memory + bytes_mapped + n * known.store_bytes_a_face, n / known.load_per_s, None, None, None,
        "at least 98 % of the hits within the threshold, measured when it is built; needs the extra 'index'",
    )  # fmt: skip
    if known.code_ns is None or known.centre_ns is None or known.encode_us is None or known.least_ms is None:
        return line
    trained = ITERATIONS * min(n, ROWS_PER_CELL * cells) * cells * known.centre_ns * 1e-9
    put_in = n * (cells * known.centre_ns * 1e-9 + known.encode_us * 1e-6)
    looked = known.least_ms + (n * SHARE_LOOKED_INTO * known.code_ns + cells * known.centre_ns) * 1e-6
    return replace(line, build_s=trained + put_in, ms_single=looked, ms_batch=looked)


def _milvus(n: int, known: Calibration) -> StorePlan:
    texts = 4 * -(-known.dim // 3) + MILVUS_DETAILS
    return StorePlan(
        "milvus", n * (known.dim * MILVUS_MEMORY + texts), n * (known.dim * MILVUS_DISK + texts), None, None,
        None, None, "over all query nodes, for one replica; its speed is that of the cluster and is not derived here",
    )  # fmt: skip


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def calibrate(spec: ModelSpec) -> Calibration:
    """Measure what `plan` derives from; takes some seconds and a few ten MB, of memory and of the temporary folder.

    Seconds are those of one processor, so that a busy machine says the same; vectors are drawn.

    Args:
        spec: of a model with a byte form.
    """
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((N_ROWS, spec.dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = quantise(rows, spec.byte_scale)
    held = ByteRows.of(np.arange(N_ROWS), np.arange(N_ROWS), vectors)
    probes = vectors[:N_PROBES]
    faiss = faiss_if_there()
    scan = held.nearest if faiss is None else partial(ByteScan(held, faiss).rows, among=None)
    single = min(_seconds(lambda: scan(probes[:1], 5)) for _ in range(3))
    batch = min(_seconds(lambda: held.nearest(probes, 5)) for _ in range(2)) / N_PROBES
    load_per_s, size = _loaded(rows[:N_LOADED], spec)
    a_million = 1e6 / N_ROWS * 1e3
    known = Calibration(
        load_per_s, size, single * a_million, batch * a_million, None, None, None, None, spec.dim
    )
    return known if faiss is None else _with_cells(known, held, probes)


def _with_cells(known: Calibration, held: ByteRows, probes: NDArray[np.int8]) -> Calibration:
    """Times of a small index, by how many cells are looked into and how long the two parts of building take."""
    find, centre_s, encode_s = timed_build(held)
    cells = n_cells(len(held))
    few, all_ = (
        min(_seconds(lambda m=m: find(probes, m)) for _ in range(2)) / len(probes) for m in (1, cells)
    )
    code_ns = 1e9 * max(0.0, all_ - few) / (len(held) * (1 - 1 / cells))
    return replace(
        known, code_ns=code_ns, centre_ns=1e9 * centre_s, encode_us=1e6 * encode_s, least_ms=1e3 * few
    )


def _loaded(rows: NDArray[np.float32], spec: ModelSpec) -> tuple[float, float]:
    """Faces a second that are enrolled, and bytes a face of the file."""
    n = len(rows)
    box, points = np.full((n, 4), np.nan, np.float32), np.zeros((n, 5, 2), np.float32)
    photos, one = tuple(f"/photos/a folder/{i}.jpg" for i in range(n)), np.ones(n, np.float32)
    ids = np.random.default_rng(1).integers(1, 2**62, n)
    table = FaceTable(
        spec.sha256, photos, tuple(f"{i:064x}" for i in range(n)), ids, np.arange(n, dtype=np.int32), box, points,
        one, one, rows,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gallery"
        with Gallery(path) as gallery:
            seconds = _seconds(lambda: gallery.load(table, [f"person {i // 5}" for i in range(n)], spec))
        return n / seconds, path.stat().st_size / n


def _seconds(work: Any) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
