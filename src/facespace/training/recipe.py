"""A training run as data: one TOML file, resolved into frozen dataclasses so that a misspelt option fails."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facespace.errors import DataError
from facespace.training.augment import Augmentation

__all__ = ["Batches", "Mining", "Optimiser", "Recipe", "read_recipe"]


@dataclass(frozen=True)
class Batches:
    """How a batch is made up; see `facespace.training.sampler.TripletSampler`."""

    batch_size: int = 384
    faces_per_identity: int = 8
    anchor_share: float = 0.85


@dataclass(frozen=True)
class Mining:
    """How triplets are made; see `facespace.training.mining.mine_semi_hard`."""

    margin: float = 0.2
    negatives_per_pair: int = 1
    choice: str = "uniform"


@dataclass(frozen=True)
class Optimiser:
    """AdamW: a linear rise over `warmup`, level, then a linear fall to zero over the last `decay` of the run.

    The level middle lets a run be lengthened without changing what was trained so far.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: float = 0.02
    decay: float = 0.4
    ema: float = 0.998


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run's outcome besides the pictures.

    `alignment` is how faces will be cropped in use: "similarity", as the training pictures are, or "tight", the
    detector's box alone (paper, section 5). Tight crops are imitated: `augmentation` must then move the aligned
    faces as far as boxes do, and the exported spec says that they were.
    """

    name: str
    version: str = "1"
    network: str = "plain-residual"
    dim: int = 128
    alignment: str = "similarity"
    epochs: int = 20
    seed: int = 0
    bfloat16: bool = False
    threads: int = 0
    batches: Batches = field(default_factory=Batches)
    mining: Mining = field(default_factory=Mining)
    optimiser: Optimiser = field(default_factory=Optimiser)
    augmentation: Augmentation = field(default_factory=Augmentation)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        DataError: no such file, no TOML, an unknown option, or a value of another type.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: expected a recipe in TOML, got: {error}") from error
    recipe: Recipe = _fill(Recipe, document, str(path))
    if recipe.alignment not in ("similarity", "tight"):
        raise DataError(f'{path}: \'alignment\' is "similarity" or "tight", got {recipe.alignment!r}')
    return recipe


def _fill(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - set(fields)):
        raise DataError(
            f"{where}: unknown option '{unknown[0]}', expected one of {', '.join(sorted(fields))}"
        )
    filled = {}
    for name, value in values.items():
        default: Any = fields[name].default_factory
        if isinstance(default, type):
            if not isinstance(value, dict):
                raise DataError(f"{where}: '{name}' is a table, write [{name}], got {value!r}")
            filled[name] = _fill(default, value, f"{where} [{name}]")
        else:
            filled[name] = _checked(value, fields[name].type, f"{where}: '{name}'")
    if "name" in fields and "name" not in filled:
        raise DataError(f"{where}: a recipe needs a name")
    return kind(**filled)


def _checked(value: Any, kind: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value
