"""`facespace models export`: a training run becomes a model file."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import data_folder, show, show_json
from facespace.cli.holdout_faces import embed_val
from facespace.cli.options import AsJson, Data, Licence, TrainingData
from facespace.cli.train import need_torch
from facespace.measure.calibration import calibrate, declare_compatible
from facespace.measure.faces import EmbeddedFaces
from facespace.models import ModelSpec

SOURCE = "faces/val, all pairs"

Made = tuple[Path, ModelSpec, EmbeddedFaces]  # a model file, its spec and the hold-out faces by it


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="ONNX file to write.", show_default=False)],
    int8: Annotated[Path | None, typer.Option(help="Write an int8 version to this file too.")] = None,
    windows: Annotated[
        bool,
        typer.Option(
            "--windows", help="Embed three windows of each face and add the results: three times the time."
        ),
    ] = False,
    old: Annotated[
        Path | None, typer.Option(help="Of a harmonic run: where the older model is now, if it has moved.")
    ] = None,
    data: Data = None,
    training_data: TrainingData = "not stated",
    licence: Licence = "not stated",
    json: AsJson = False,
) -> None:
    """Export a training run as an ONNX model.

    Its distances are calibrated on `DATA/faces/val`. The int8 version takes its ranges from training pictures, and its
    ModelSpec states the VAL that it loses. With --windows a model tells more people apart; in int8 it takes about the
    time of one window in floats. The ModelSpec of a harmonic run states the older model that it is
    compatible with, and the distances between the two.

    Example: facespace models export runs/s -o s.onnx --data DIR
    """
    specs = export_run(
        run,
        output,
        int8=int8,
        windows=windows,
        old=old,
        data=data,
        training_data=training_data,
        licence=licence,
    )
    if json:
        show_json(specs[0] if int8 is None else specs)
    for spec in [] if json else specs:
        _show(spec)


def export_run(
    run: Path,
    output: Path,
    *,
    int8: Path | None = None,
    windows: bool = False,
    old: Path | None = None,
    data: Path | None = None,
    training_data: str = "not stated",
    licence: str = "not stated",
) -> list[ModelSpec]:
    """Make a run an ONNX file, and perhaps an int8 version; returns their specs."""
    need_torch()
    from facespace.training.export import export_embedder, old_version_of
    from facespace.training.windows import export_windows

    root = data_folder(data)
    met = old_version_of(run, old)
    export_embedder(run, output, training_data=training_data, licence=licence)
    if windows:
        export_windows(output, output)
    embedder, faces = embed_val(output, data)
    made = [(output, calibrate(output, embedder.spec, faces, source=SOURCE), faces)]
    if int8 is not None:
        made.append(_twin(run, int8, root, original=made[0]))
    if met is not None:
        made = _compatible(made, met, data)
    return [spec for _, spec, _ in made]


def _twin(run: Path, out: Path, root: Path, *, original: Made) -> Made:
    """Its spec says what it loses, and that it may be compared with the original."""
    from facespace.training.int8 import evenly_drawn, export_int8
    from facespace.training.run_folder import read_facts

    model, of_floats, of_original = original
    export_int8(model, out, evenly_drawn(root / read_facts(run)["data"]["train"], of_floats.input_hw))
    twin, faces = embed_val(out, root)
    spec = calibrate(out, twin.spec, faces, source=SOURCE)
    spec = dataclasses.replace(spec, options={**spec.options, "tar_original": of_floats.options["tar"]})
    return out, declare_compatible(out, spec, faces, other=of_floats, of_other=of_original), faces


def _compatible(made: list[Made], old: Path, data: Path | None) -> list[Made]:
    """The models, with the distances between each and the older one in its spec."""
    older, of_old = embed_val(old, data)
    return [
        (model, declare_compatible(model, spec, faces, other=older.spec, of_other=of_old), faces)
        for model, spec, faces in made
    ]


def _show(spec: ModelSpec) -> None:
    show(f"{spec.label}, {spec.options.get('precision', 'fp32')}")
    for far, distance in spec.distances.items():
        show(f"FAR {far}: {'not supported' if distance is None else f'distance {distance:.3f}'}")
    for sha256, distances in spec.compatible_with.items():
        known = [
            f"{distance:.3f} at FAR {far}" for far, distance in distances.items() if distance is not None
        ]
        show(f"compatible with {sha256[:8]}: distance {', '.join(known)}")
    if "tar_original" in spec.options:
        tar, original = (100 * spec.options[key] for key in ("tar", "tar_original"))
        show(f"VAL at FAR {spec.options['far']:g}: {tar:.2f} %, of the original {original:.2f} %")
