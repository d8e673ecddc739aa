"""Options that several commands share, with their one help text."""

from pathlib import Path
from typing import Annotated

import typer

LARGEST = 1e9

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def _rate(value: float | None) -> float | None:
    if value is not None and not 0.0 < value < 1.0:
        raise typer.BadParameter(f"expected a rate between 0 and 1 such as 1e-3, got {value}")
    return value


def _number(value: float) -> float:
    if not 0.0 < value < LARGEST:
        raise typer.BadParameter(f"expected a number above 0, such as 12, got {value}")
    return value


Impostors = Annotated[
    float,
    typer.Option(
        callback=_number,
        help="How many faces of other people may be within the threshold of a face, on average. A larger number joins "
        "more faces, and makes more mistakes.",
    ),
]
Far = Annotated[float, typer.Option(callback=_rate, help="False-accept rate of the threshold, such as 1e-3.")]
PairFar = Annotated[
    float | None,
    typer.Option(callback=_rate, help="False-accept rate of a single pair, instead of --impostors."),
]
ModelFile = Annotated[
    str | None, typer.Option("--model", help="Embedder: a built-in name, or an ONNX file with a ModelSpec.")
]
Population = Annotated[
    str | None,
    typer.Option(
        help="People for whom the false-accept rate holds: everyone, mixed (all ages and origins alike), "
        "strictest-group (even pairs of children), public-figures. Default: everyone.",
    ),
]
DetectorFile = Annotated[
    str | None,
    typer.Option("--detector", help="Detector: a built-in name, or an ONNX file (also YuNet or SCRFD)."),
]
TileChoice = Annotated[
    str,
    typer.Option(
        "--tiles",
        metavar="auto|off|N",
        help="Also search pictures in overlapping tiles. auto: large or wide pictures; N: N tiles along the longest "
        "side. Each tile costs as much time as a photo.",
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        metavar="CLUSTER",
        help="Work on a Ray cluster: ray://HOST:10001, HOST:6379 from one of its machines, or ray, to try it on "
        "this machine.",
        show_default=False,
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of threads. Default: all cores.")]
NetworkDevice = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|coreml|directml|openvino",
        help="Where the networks run. auto takes cuda or directml where onnxruntime has them, else the processor.",
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="Folder of the data sets. Default: FACESPACE_DATA in the environment.")
]
GalleryFile = Annotated[
    str,
    typer.Argument(
        metavar="GALLERY",
        help="The gallery: one file, or milvus://HOST:PORT/NAME.",
        show_default=False,
    ),
]
GalleryPlace = Annotated[
    str,
    typer.Argument(
        metavar="GALLERY",
        help="The gallery: one file, milvus://HOST:PORT/NAME, or https://HOST/GALLERY of facespace api.",
        show_default=False,
    ),
]
GalleryKey = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="FACESPACE_KEY",
        help="Key of a gallery behind https://HOST/GALLERY.",
        show_default=False,
    ),
]
LibraryFolder = Annotated[
    Path,
    typer.Argument(
        metavar="LIBRARY",
        help="Folder of the library, or of the photos it was made from.",
        show_default=False,
    ),
]
Photos = Annotated[
    Path | None, typer.Option(help="Where the photos are now, if they have moved since the last scan.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be done.")]
Formulas = Annotated[
    str,
    typer.Option(
        "--csv-formulas",
        metavar="names|all|keep",
        help="In a CSV: put an apostrophe before names, or all cells, that a spreadsheet would take for formulas.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
RunFolder = Annotated[Path, typer.Option("-o", "--output", help="Run folder to make.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the run in that folder.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or another device name of PyTorch.")]
Teacher = Annotated[
    Path | None, typer.Option(help="ONNX file with a ModelSpec to distil from, instead of the recipe's.")
]
TrainingData = Annotated[str, typer.Option(help="What the weights were trained on, for the ModelSpec.")]
Licence = Annotated[str, typer.Option(help="Licence of the weights, for the ModelSpec.")]
