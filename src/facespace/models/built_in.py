"""The models inside the package and in the user's model folder, and the one door from a name to a file."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_path

from facespace.errors import ModelError
from facespace.models.spec import ModelSpec, read_spec

BUILT_IN = {"embedder": "facespace-s", "detector": "facespace-detector"}
# Names of earlier versions, and what does their work now.
FORMER = {"facespace-s-int8": "facespace-s"}


def weights_folder() -> Path:
    """Where the package keeps its model files."""
    return Path(str(files("facespace.models") / "weights"))


def user_models_folder() -> Path:
    """Where models of the user's own are found by name: `<data directory>/facespace/models`."""
    return user_data_path("facespace", appauthor=False) / "models"


def built_in_models() -> list[ModelSpec]:
    """The specs of all built-in models, by name."""
    return sorted((read_spec(path) for path in weights_folder().glob("*.onnx")), key=lambda spec: spec.name)


def installed_models() -> Iterator[tuple[Path, ModelSpec | ModelError]]:
    """The files of the user's model folder with their specs, by name; where one cannot be read, why not."""
    for path in sorted(user_models_folder().glob("*.onnx")):
        try:
            yield path, read_spec(path)
        except ModelError as error:
            yield path, error


def find_model(model: str | Path | None, task: str) -> Path:
    """The file of a model: a built-in name, a path, or a name in the user's model folder, in that order.

    None is the built-in model for ``task``.

    Raises:
        ModelError: none of them.
    """
    name = BUILT_IN[task] if model is None else str(model)
    plain = Path(name).name == name
    if plain and (weights_folder() / f"{name}.onnx").is_file():
        return weights_folder() / f"{name}.onnx"
    if Path(name).is_file():
        return Path(name)
    if plain and (user_models_folder() / f"{name}.onnx").is_file():
        return user_models_folder() / f"{name}.onnx"
    if name in FORMER:
        return find_model(FORMER[name], task)
    known = ", ".join(path.stem for path in _files())
    raise ModelError(
        f"{name}: expected a built-in model or one of your own ({known}), or the path of an ONNX file, found neither"
    )


def find_weights(sha256: str) -> Path | None:
    """The file, built in or in the user's model folder, that holds the weights of this hash."""
    for path in _files():
        try:
            if read_spec(path).sha256 == sha256:
                return path
        except ModelError:
            continue
    return None


def _files() -> list[Path]:
    return [p for folder in (weights_folder(), user_models_folder()) for p in sorted(folder.glob("*.onnx"))]
