"""`facespace bench`: speed and memory on this machine, as ratios within one run."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import show, show_json
from facespace.cli.options import AsJson, DetectorFile, ModelFile, Workers
from facespace.measure.speed import DevicesCompared, Speed, compare_devices, measure_speed


def bench(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    baseline: Annotated[
        Path | None, typer.Option(help="Embedder file to compare with: 112x112, any preprocessing.")
    ] = None,
    baseline_detector: Annotated[Path | None, typer.Option(help="Detector file to compare with.")] = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            metavar="all|NAME",
            help="Compare devices instead: those named (cpu, cuda, coreml, directml, openvino), or all that are "
            "installed; recommend one.",
        ),
    ] = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Measure speed and memory on this machine.

    Photos per second, time compared with decoding alone, time per face compared with a baseline model, peak memory.
    With --device, the devices on which networks can run.

    Example: facespace bench ~/Pictures --baseline mobilefacenet.onnx
    """
    result: DevicesCompared | Speed
    if device:
        named = [] if "all" in device else device
        result = compare_devices(photos, devices=named, model=model, detector=detector, workers=workers)
    else:
        result = measure_speed(
            photos, model=model, detector=detector, baseline=baseline, baseline_detector=baseline_detector,
            workers=workers,
        )  # fmt: skip
    show_json(result) if json else show(*result.lines())
