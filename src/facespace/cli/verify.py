"""`facespace verify`: one person or two?"""

from typing import Annotated

import typer

from facespace import jobs
from facespace.cli.console import among, say, show, show_json
from facespace.cli.options import AsJson, DetectorFile, Far, ModelFile, NetworkDevice, Population
from facespace.embed import Embedder
from facespace.faces.detect import Detector
from facespace.models import VERIFY_FAR
from facespace.models.devices import AUTO

PHOTO = (
    "The largest face is compared; PHOTO#K names the K-th face from the left. In a video the longest appearance "
    "is compared; VIDEO#K names the K-th by time."
)


def verify(
    a: Annotated[
        str, typer.Argument(metavar="PHOTO", help=f"First photo or video. {PHOTO}", show_default=False)
    ],
    b: Annotated[str, typer.Argument(metavar="OTHER", help="Second one, likewise.", show_default=False)],
    any_face: Annotated[
        bool, typer.Option("--any", help="Compare all faces, and take the closest pair.")
    ] = False,
    far: Far = VERIFY_FAR,
    population: Population = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    device: NetworkDevice = AUTO,
    json: AsJson = False,
) -> None:
    """Compare two photos or videos: the same person or not?

    Exit code 0: the same person. 1: different people. 2: an error.

    Example: facespace verify passport.jpg selfie.jpg
    """
    embedder = Embedder(model, device=device).on_population(population)
    verdict = jobs.verify(
        a, b, far=far, any_face=any_face, detector=Detector(detector, device=device), embedder=embedder
    )
    for name, face in zip((a, b), verdict.faces, strict=True):
        if face.n_faces > 1 and name == str(face.photo) and not any_face:
            shown, used = ("faces", "largest") if face.time_s is None else ("appearances", "longest")
            say(
                f"{name}: {face.n_faces} {shown}, the {used} is used; {name}#K names another, --any takes the closest"
            )
    if json:
        show_json(verdict.to_json())
    else:
        show(
            f"{'same person' if verdict.same else 'different people'}: distance {verdict.distance:.3f}, "
            f"threshold {verdict.threshold:.3f} (about 1 in {round(1 / far):,} pairs of different people are closer"
            f"{among(population, embedder.spec)})"
        )
    raise typer.Exit(0 if verdict.same else 1)
