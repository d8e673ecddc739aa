"""A training run as data: one TOML file, resolved into frozen dataclasses so that a misspelt option fails."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from facespace.errors import DataError
from facespace.training import mining
from facespace.training.augment import Augmentation
from facespace.training.harmonic import COMBINATIONS


@dataclass(frozen=True)
class Data:
    """Which pictures take part; paths are below the data folder that the command is given.

    `dev_every`: identities of five faces or more whose name's hash is a multiple are not trained on but watched, so
    that models are not chosen on the validation faces; 0 trains on all and watches those. `least_faces`: identities
    with fewer are left out of training.
    """

    train: str = "faces/train"
    validation: str = "faces/val"
    dev_every: int = 0
    least_faces: int = 1
    cache_gb: float = 4.0


@dataclass(frozen=True)
class Batches:
    """How a batch is made up; see `facespace.training.sampler.TripletSampler`.

    `chunk`: faces that go through the network at a time; a batch is embedded, mined and then differentiated chunk by
    chunk, so that memory does not grow with it. 0 takes the whole batch in one piece.
    """

    batch_size: int = 384
    faces_per_identity: int = 8
    anchor_share: float = 0.85
    chunk: int = 0


@dataclass(frozen=True)
class Curriculum:
    """The rule and the pairs to mine by up to a part of the run."""

    until: float
    rule: str = "semi-hard"
    pairs: str = "all"


@dataclass(frozen=True)
class Mining:
    """How triplets are made; see `facespace.training.mining.mine`.

    `weight` 0 trains without them. `every` > 0 mines offline: each so many steps the newest weights embed
    `pool` faces, and batches are then made of the triplets found there. A `curriculum` replaces `rule` and `pairs`
    while it lasts.
    """

    weight: float = 1.0
    margin: float = 0.2
    rule: str = "semi-hard"
    pairs: str = "all"
    negatives_per_pair: int = 1
    choice: str = "uniform"
    every: int = 0
    pool: int = 6000
    curriculum: tuple[Curriculum, ...] = ()

    def options_at(self, progress: float) -> dict[str, Any]:
        """Keyword arguments of `mine` at a part of the run: the curriculum's rule and pairs while it lasts."""
        stage = next((s for s in self.curriculum if progress < s.until), self)
        return {
            "margin": self.margin,
            "rule": stage.rule,
            "pairs": stage.pairs,
            "negatives_per_pair": self.negatives_per_pair,
            "choice": self.choice,
        }


@dataclass(frozen=True)
class MarginSoftmaxOptions:
    """See `facespace.training.margin_softmax`; `weight` 0 leaves it out.

    `of_teacher`: the identities' directions are the teacher's means and stay; else they are learned.
    """

    weight: float = 0.0
    scale: float = 24.0
    margin: float = 0.15
    of_teacher: bool = False


@dataclass(frozen=True)
class Distillation:
    """See `facespace.training.distillation`; without a `teacher` (an ONNX file with a ModelSpec) it is left out.

    `blend_share` of each batch are blends of two faces, out of `n_blends`. `vectors` and `relations` weigh where faces
    lie and how they lie to each other; a harmonic run takes the second alone where the teacher's space is not v1's.
    """

    teacher: str = ""
    weight: float = 1.0
    vectors: float = 1.0
    relations: float = 0.0
    n_blends: int = 0
    blend_share: float = 0.0


@dataclass(frozen=True)
class Harmonic:
    """See `facespace.training.harmonic`; without `old` (an ONNX file with a ModelSpec) it is left out.

    `combinations` of versions of anchor, positive and negative, "2" the new and "1" the old one; `same_face` lets the
    two versions of one face be a pair. Margin, rule and weight are those of `[mining]`. `vectors` weighs the mean
    squared distance of each face's two versions beside the triplets, which ask for an order and not for a place: a
    weak v1 brings together pictures that are alike as much as people, and v2 must keep some of that to reach it.
    """

    old: str = ""
    combinations: tuple[str, ...] = COMBINATIONS
    same_face: bool = True
    vectors: float = 0.0


@dataclass(frozen=True)
class EmbeddingStage:
    """How a harmonic run begins: the embedding layer, drawn again, is trained alone for `epochs` (0: not at all)."""

    epochs: int = 4
    learning_rate: float = 3e-3


@dataclass(frozen=True)
class Optimiser:
    """`kind` "adamw" or "adagrad" (the paper's), and how the learning rate goes.

    `schedule` "trapezoid": a linear rise over `warmup`, level, then a linear fall to zero over the last `decay` of
    the run; the level middle lets a run be lengthened without changing what was trained so far. "one-cycle": a
    linear rise over `warmup`, then a cosine to zero. "steps": `learning_rate` divided by ten at each of `lower_at`,
    parts of the run: the paper lowers it "to finish" and does not say when.
    """

    kind: str = "adamw"
    schedule: str = "trapezoid"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: float = 0.02
    decay: float = 0.4
    lower_at: tuple[float, ...] = ()
    clip: float = 5.0
    ema: float = 0.998


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run's outcome besides the pictures.

    `alignment` is how faces will be cropped in use: "similarity", as the training pictures are, or "tight", the
    detector's box alone (paper, section 5). Tight crops are imitated: `augmentation` must then move the aligned
    faces as far as boxes do, and the exported spec says that they were.

    An epoch shows each face as an anchor about once; with `epoch_steps` it is so many steps instead, whatever the
    number of faces, so that runs on more and on fewer faces are equally long.

    `input_px` is the side of a square input where the network bears another than its own; 0 keeps it.
    `bfloat16` computes in it where the device has it, elsewhere in float32. `freeze_norms` keeps batch norm at its
    running statistics; `only_embedding` draws the embedding layer again and trains it alone, all else as `--init` left
    it, batch norm included. A checkpoint is written every `checkpoint_steps` and after each epoch.
    """

    name: str
    version: str = "1"
    network: str = "plain-residual"
    dim: int = 128
    input_px: int = 0
    alignment: str = "similarity"
    epochs: int = 20
    epoch_steps: int = 0
    seed: int = 0
    bfloat16: bool = False
    freeze_norms: bool = False
    only_embedding: bool = False
    threads: int = 0
    checkpoint_steps: int = 500
    data: Data = field(default_factory=Data)
    batches: Batches = field(default_factory=Batches)
    mining: Mining = field(default_factory=Mining)
    margin_softmax: MarginSoftmaxOptions = field(default_factory=MarginSoftmaxOptions)
    distillation: Distillation = field(default_factory=Distillation)
    harmonic: Harmonic = field(default_factory=Harmonic)
    embedding_stage: EmbeddingStage = field(default_factory=EmbeddingStage)
    optimiser: Optimiser = field(default_factory=Optimiser)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def taught_by(self, teacher: Path | None) -> "Recipe":
        """The same with this teacher's file in place of its own; itself where there is none."""
        if teacher is None:
            return self
        distillation = dataclasses.replace(self.distillation, teacher=str(teacher.resolve()))
        return dataclasses.replace(self, distillation=distillation)

    def of_network(self, network: str | None) -> "Recipe":
        """The same for another network, which its name then says; itself where there is none."""
        if network is None:
            return self
        return dataclasses.replace(self, network=network, name=f"{self.name}-{network}")


CHOICES = {
    "alignment": ("similarity", "tight"),
    "kind": ("adamw", "adagrad"),
    "schedule": ("trapezoid", "one-cycle", "steps"),
    "rule": tuple(mining.RULES),
    "pairs": mining.PAIRS,
    "choice": mining.CHOICES,
    "combinations": COMBINATIONS,
}


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        DataError: no such file, no TOML, an unknown option, or a value of another type.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: expected a recipe in TOML: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: expected a recipe in TOML, got: {error}") from error
    return recipe_of(document, str(path))


def recipe_of(values: dict[str, Any], where: str) -> Recipe:
    """A recipe of plain values, such as a TOML file or a run's `recipe.json` holds; ``where`` they are from.

    Raises:
        DataError: an unknown option, or a value of another type.
    """
    recipe: Recipe = _fill(Recipe, values, where)
    if recipe.margin_softmax.of_teacher and not recipe.distillation.teacher:
        raise DataError(f"{where}: [margin_softmax] of_teacher needs [distillation] teacher")
    return recipe


def _fill(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - set(fields)):
        raise DataError(
            f"{where}: unknown option '{unknown[0]}', expected one of {', '.join(sorted(fields))}"
        )
    filled = {name: _value(fields[name].type, value, where, name) for name, value in values.items()}
    missing = [n for n, f in fields.items() if _required(f) and n not in filled]
    if missing:
        raise DataError(f"{where}: '{missing[0]}' is missing, give it")
    return kind(**filled)


def _required(field_: dataclasses.Field[Any]) -> bool:
    return field_.default is dataclasses.MISSING and field_.default_factory is dataclasses.MISSING


def _value(kind: Any, value: Any, where: str, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise DataError(f"{where}: '{name}' is a table, write [{name}], got {value!r}")
        return _fill(kind, value, f"{where} [{name}]")  # type: ignore[arg-type]
    if items := get_args(kind):  # tuple[item, ...]
        if not isinstance(value, list):
            raise DataError(f"{where}: '{name}' is a list, got {value!r}")
        return tuple(_value(items[0], item, where, name) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"{where}: '{name}': expected {kind.__name__}, got {value!r}")
    if name in CHOICES and value not in CHOICES[name]:
        allowed = ", ".join(f'"{c}"' for c in CHOICES[name])
        raise DataError(f"{where}: '{name}': expected one of {allowed}, got {value!r}")
    return value
