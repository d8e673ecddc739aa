"""`facespace bench`: speed and memory on this machine, as ratios within one run."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import show, show_json
from facespace.cli.options import AsJson, DetectorFile, ModelFile, Workers
from facespace.measure.speed import measure_speed

__all__ = ["bench"]


def bench(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    baseline: Annotated[
        Path | None, typer.Option(help="Embedder file to compare with: 112x112, any preprocessing.")
    ] = None,
    baseline_detector: Annotated[Path | None, typer.Option(help="Detector file to compare with.")] = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Measure speed and memory on this machine.

    Photos per second, time compared with decoding alone, time per face compared with a baseline model, peak memory.

    Example: facespace bench ~/Pictures --baseline mobilefacenet.onnx
    """
    result = measure_speed(
        photos,
        model=model,
        detector=detector,
        baseline=baseline,
        baseline_detector=baseline_detector,
        workers=workers,
    )
    if json:
        show_json(result)
    else:
        show(*result.lines())
