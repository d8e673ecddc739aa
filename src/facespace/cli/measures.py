"""`facespace evaluate quality` and `facespace evaluate bytes`: is quality of use, and what do bytes cost?"""

from facespace.cli.console import console, data_folder, progress, show_json
from facespace.cli.options import AsJson, Data, ModelFile

__all__ = ["byte_form", "quality"]


def quality(data: Data = None, model: ModelFile = None, json: AsJson = False) -> None:
    """TAR (VAL) on `DATA/faces/val` without the tenth of least quality, beside that without a tenth by chance.

    Each person keeps at least five faces; the difference has an interval over people.

    Example: facespace evaluate quality --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import embed_holdout
    from facespace.evaluate.quality import evaluate_quality, holdout_quality

    root, embedder = data_folder(data) / "faces" / "val", Embedder(model)
    with progress("embedding") as on_face:
        faces = embed_holdout(root, embedder, on_face=on_face)
    result = evaluate_quality(faces, holdout_quality(root, embedder))
    if json:
        show_json(result)
        return
    console.print(
        f"TAR (VAL) at FAR {result.far:g}: {100 * result.tar_all:.2f} % of all {result.n_faces} faces, "
        f"{100 * result.tar_without_worst:.2f} % without the {result.n_dropped} of least quality, "
        f"{100 * result.tar_without_random:.2f} % without as many by chance"
    )
    low, high = (100 * value for value in result.gain_interval)
    console.print(f"gain {100 * result.gain:.2f} points (95 %: {low:.2f} to {high:.2f})")


def byte_form(data: Data = None, model: ModelFile = None, json: AsJson = False) -> None:
    """TAR (VAL) on `DATA/faces/val` of embeddings stored as bytes, beside that of the floats.

    Example: facespace evaluate bytes --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.byte_form import evaluate_bytes
    from facespace.evaluate.holdout import embed_holdout

    embedder = Embedder(model)
    with progress("embedding") as on_face:
        faces = embed_holdout(data_folder(data) / "faces" / "val", embedder, on_face=on_face)
    result = evaluate_bytes(faces, embedder.spec.byte_scale)
    if json:
        show_json(result)
        return
    if result.change is None or result.tar_floats is None or result.tar_bytes is None:
        console.print(f"{result.n_diff} different pairs cannot support FAR {result.far:g}")
        return
    low, high = (100 * value for value in result.change_interval)
    console.print(
        f"TAR (VAL) at FAR {result.far:g}: {100 * result.tar_floats:.3f} % as floats, {100 * result.tar_bytes:.3f} % "
        f"as bytes: {100 * result.change:+.3f} points (95 %: {low:+.3f} to {high:+.3f})"
    )
    console.print(f"scale {result.byte_scale}, {100 * result.clipped:.4f} % of the components clipped")
