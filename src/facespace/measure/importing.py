"""Import a foreign embedder: check it, question its preprocessing, calibrate it, and write it with its ModelSpec.

Channel order and scaling cannot be read from a file, and a network fed wrongly still gives vectors, only worse
ones. So the preprocessing that was named is measured beside its usual alternatives on the same faces, and
one that is surely better is reported.
"""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance_matrix
from facespace.embed import Embedder, fit_byte_scale
from facespace.errors import DataError, InputError, ModelError
from facespace.images import read_image
from facespace.measure.calibration import calibrate
from facespace.measure.embedding import OnStep, embed_faces
from facespace.measure.faces import FaceSet, open_crops
from facespace.measure.views import AS_IT_IS, crop_face
from facespace.metrics import compare_tar
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS
from facespace.models import BUILT_IN, ModelSpec, read_spec, weights_sha256, write_spec
from facespace.models.foreign import check_name, read_foreign
from facespace.saved_files import written_beside

SAMPLE_IDENTITIES = 128
SAMPLE_FACES = 6
N_DRAWS = 300
# An alternative is reported when it is better by this much, and its whole interval lies above zero. Swapped
# channels cost one to three points; a wrong scaling costs ten and more, while standardising each crop evens out
# poor light and so gains a point even for a network that was not trained with it.
CLEARLY_BETTER = {"colour": 0.01, "scaling": 0.04}
LEAST_DISTANCE = 1e-5
USUAL_SCALINGS: dict[str, dict[str, object]] = {
    "scaling 127.5/127.5": {"scaling": "fixed", "mean": 127.5, "std": 127.5},
    "scaling 0/255": {"scaling": "fixed", "mean": 0.0, "std": 255.0},
    "scaling 0/1": {"scaling": "fixed", "mean": 0.0, "std": 1.0},
    "scaling per-image": {"scaling": "per_image"},
}


@dataclass(frozen=True)
class Trial:
    """One way to feed the network, measured on a sample of the hold-out faces."""

    change: str  # from what was named; "as named" for that itself
    tar: float  # TAR (VAL) at the sample's FAR
    gain: float  # its TAR less that of what was named, in the same sample
    gain_interval: tuple[float, float]  # 95 %, identities resampled in pairs

    @property
    def clearly_better(self) -> bool:
        """True where the difference is large and no chance of the sample."""
        least = CLEARLY_BETTER.get(self.change.split()[0], np.inf)
        return self.gain >= least and self.gain_interval[0] > 0


@dataclass(frozen=True)
class ImportResult:
    """An imported model."""

    path: Path  # where it stands
    spec: ModelSpec  # with its thresholds
    # what was named and its alternatives; empty where the faces are too few to tell
    trials: tuple[Trial, ...]
    trial_far: float | None  # the FAR that they were measured at, or None
    warnings: tuple[str, ...]  # what to look at, a line each


def import_embedder(
    source: Path,
    output: Path,
    spec: ModelSpec,
    *,
    holdout: Path,
    on_trial: OnStep | None = None,
    on_face: OnStep | None = None,
) -> ImportResult:
    """Write the foreign embedder ``source`` to ``output`` with its ModelSpec, checked and calibrated.

    Args:
        source: an ONNX file without a ModelSpec; it is not changed.
        output: the file to write, in one step; may replace an earlier import of the same weights.
        spec: name, preprocessing and licence; its size and axes must be the file's. ``dim``, ``byte_scale`` and
            ``distances`` are found here.
        holdout: `<identity>/<image>` of ready crops of people that the model was not trained on.
        on_trial: called with (ways to feed it tried, in all), before calibrating.
        on_face: called with (faces done, faces in all) while calibrating.

    Raises:
        ModelError: no such embedder, one that does not tell faces apart, or another model at ``output``.
        InputError: a spec that does not fit the file.
        DataError: no hold-out faces.
    """
    _check_fits(source, spec)
    _check_free(output, source)
    known = open_crops(holdout)
    crops, labels = _sample(known, spec)
    with written_beside(output) as partial:
        shutil.copyfile(source, partial)
        embedder = _open(partial, spec, crops, source)
        far, trials = _try_alternatives(embedder, crops, labels, on_trial)
        faces = known.embedded(embed_faces(known, embedder, on_step=on_face)[0])
        earlier = read_spec(output).byte_scale if output.exists() else 0.0
        scale = earlier or fit_byte_scale(faces.embeddings)
        found = dataclasses.replace(embedder.spec, byte_scale=scale)
        found = calibrate(partial, found, faces, source=f"{known.name}, all pairs")
    return ImportResult(output, found, trials, far, tuple(_warnings(found, trials, far)))


def _check_fits(source: Path, spec: ModelSpec) -> None:
    declared = read_foreign(source)
    rows, columns = spec.input_hw
    if check_name(spec.name) in BUILT_IN.values():
        raise InputError(f"name: {spec.name} is built in; choose another")
    if rows != columns or (declared.side_px and declared.side_px != rows) or rows < 16:
        raise InputError(f"input_hw: expected {declared.side_px or 'a square'}, got {spec.input_hw}")
    if declared.layout not in (None, spec.input_layout):
        raise InputError(f"input_layout: the file says {declared.layout}, got {spec.input_layout}")
    if "output" not in spec.options and len(declared.outputs) > 1:
        raise InputError(f"output: {source} has several outputs, name one of {', '.join(declared.outputs)}")
    if spec.options.get("output", declared.outputs[0]) not in declared.outputs:
        raise InputError(
            f"output: expected one of {', '.join(declared.outputs)}, got {spec.options['output']}"
        )


def _check_free(output: Path, source: Path) -> None:
    if output.exists() and weights_sha256(output) != weights_sha256(source):
        raise ModelError(f"{output}: another model stands there; choose another name or output")


def _sample(faces: FaceSet, spec: ModelSpec) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Crops of a few faces of each of a few identities, spread evenly over their sorted names, and their labels."""
    people, counts = np.unique(faces.labels, return_counts=True)
    people = people[counts >= 2]
    if len(people) < 2:
        raise DataError(
            f"{faces.name}: expected folders <identity>/<image> of ready crops, met {len(people)} of two or more"
        )
    chosen = [
        i
        for person in _evenly(people, SAMPLE_IDENTITIES)
        for i in _evenly(np.flatnonzero(faces.labels == person), SAMPLE_FACES)
    ]
    crops = [crop_face(read_image(faces.paths[i]).pixels, None, AS_IT_IS, spec) for i in chosen]
    return np.stack(crops), np.unique(faces.labels[chosen], return_inverse=True)[1]


def _evenly(items: NDArray[np.int64], n: int) -> list[int]:
    places = np.linspace(0, len(items) - 1, min(n, len(items))).round().astype(int)
    return [int(item) for item in items[places]]


def _open(partial: Path, spec: ModelSpec, crops: NDArray[np.uint8], source: Path) -> Embedder:
    """The model with its number of components filled in, once it has shown that it tells pictures apart."""
    write_spec(partial, spec)
    try:
        embedder = Embedder(partial)
        rows = embedder.embed(crops[:: max(1, len(crops) // 16)])
    except Exception as error:  # onnxruntime raises its own unrelated classes
        raise ModelError(f"{source}: cannot embed with this model: {str(error).splitlines()[0]}") from error
    if not (np.isfinite(rows).all() and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)):
        raise ModelError(
            f"{source}: expected finite embeddings, got NaN, infinity or zeros; check the scaling"
        )
    if distance_matrix(rows, rows).max() < LEAST_DISTANCE:
        raise ModelError(f"{source}: gives one embedding for all pictures: no embedder, or another scaling")
    embedder.spec = write_spec(partial, dataclasses.replace(spec, dim=rows.shape[1]))
    return embedder


def _try_alternatives(
    embedder: Embedder, crops: NDArray[np.uint8], labels: NDArray[np.int64], on_trial: OnStep | None
) -> tuple[float | None, tuple[Trial, ...]]:
    """What was named and each alternative on one sample, at the smallest FAR that its pairs support."""
    counts = np.bincount(labels)
    n_diff = (len(labels) ** 2 - (counts**2).sum()) // 2
    far = next((far for far in (1e-3, 1e-2) if n_diff * far >= MIN_FALSE_ACCEPTS), None)
    if far is None:
        return None, ()
    ways, trials, named = _alternatives(embedder.spec), list[Trial](), embedder.embed(crops)
    for done, (change, spec) in enumerate(ways.items(), 1):
        rows = named if spec is embedder.spec else embedder.fed_as(spec).embed(crops)
        if np.isfinite(rows).all() and np.linalg.norm(rows, axis=1).min() > 0.5:
            found = compare_tar(rows, named, labels, far=far, n_draws=N_DRAWS)
            gain = found.difference
            assert found.first is not None and found.second is not None and gain is not None
            trials.append(Trial(change, found.first, found.first - found.second, (gain.low, gain.high)))
        if on_trial:
            on_trial(done, len(ways))
    return far, tuple(trials)


def _alternatives(spec: ModelSpec) -> dict[str, ModelSpec]:
    other = "BGR" if spec.colour == "RGB" else "RGB"
    changed = {"as named": spec, f"colour {other}": dataclasses.replace(spec, colour=other)}
    for name, scaling in USUAL_SCALINGS.items():
        alternative = dataclasses.replace(spec, **scaling)  # type: ignore[arg-type]
        if not _nearly_equal(alternative, spec):
            changed[name] = alternative
    return changed


def _nearly_equal(a: ModelSpec, b: ModelSpec) -> bool:
    if a.scaling == b.scaling == "per_image":
        return True
    return a.scaling == b.scaling and np.allclose([a.mean, a.std], [b.mean, b.std], rtol=0.05, atol=1.0)


def _warnings(spec: ModelSpec, trials: tuple[Trial, ...], far: float | None) -> list[str]:
    lines = []
    best = max((trial for trial in trials if trial.clearly_better), key=lambda t: t.tar, default=None)
    if best:
        lines.append(
            f"{best.change} gives TAR {100 * best.tar:.1f} % at FAR {far:g} on a sample, "
            f"{100 * best.gain:.1f} points more than what was named: is the preprocessing right?"
        )
    if not trials:
        lines.append("too few hold-out faces to question the preprocessing: it is taken as named")
    if all(distance is None for distance in spec.distances.values()):
        lines.append("too few hold-out pairs for any threshold: most commands need one")
    if spec.alignment == "tight":
        lines.append("thresholds come from the hold-out crops as they are: they should be cut by boxes too")
    return lines
