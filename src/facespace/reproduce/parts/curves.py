"""The models that Figures 4 and 5 and Table 3 compare: the report's own, and the trained runs that it was given."""

from dataclasses import dataclass

from facespace.embed import Embedder
from facespace.evaluate.sweeps import ModelCurve, model_curve
from facespace.models.summary import summarise
from facespace.reproduce.context import Context
from facespace.reproduce.paper import NETWORKS
from facespace.reproduce.part import OnPicture

__all__ = ["REMEDY", "Measured", "measured_models", "own_model", "runs_of"]

REMEDY = "facespace train RECIPE --data DIR --out RUNS/NAME, then facespace reproduce --runs RUNS"


@dataclass(frozen=True)
class Measured:
    """A model on the validation faces.

    Attributes:
        network: the recipe's; "" for the report's own model.
        title: for people.
        budget: how long it was trained, on what.
        dim: components of its embedding.
        input_hw: rows and columns of its input.
        curve: what it reaches and costs.
    """

    network: str
    title: str
    budget: str
    dim: int
    input_hw: tuple[int, int]
    curve: ModelCurve


def own_model(context: Context, on_picture: OnPicture) -> Measured:
    """The report's own model."""
    return _measure(
        context,
        on_picture,
        context.embedder,
        "",
        context.embedder.spec.name,
        context.embedder.spec.training_data,
    )


def measured_models(context: Context, on_picture: OnPicture) -> list[Measured]:
    """The report's own model, then the runs."""
    opened = [(run, Embedder(run.model)) for run in context.runs]
    return [
        own_model(context, on_picture),
        *(
            _measure(context, on_picture, embedder, run.network, run.name, run.budget())
            for run, embedder in opened
        ),
    ]


def runs_of(network: str, models: list[Measured]) -> list[Measured]:
    """The runs of a network of the paper: its own input, 128 components, and no other model in its place."""
    printed = next(n for n in NETWORKS if n.key == network)
    return [m for m in models if m.network == network and m.input_hw == printed.input_hw and m.dim == 128]


def _measure(
    context: Context, on_picture: OnPicture, embedder: Embedder, network: str, title: str, budget: str
) -> Measured:
    rows = context.holdout_rows(on_picture, embedder)
    curve = model_curve(context.holdout, rows, embedder.spec, summarise(embedder.path))
    return Measured(network, title, budget, embedder.spec.dim, embedder.spec.input_hw, curve)
