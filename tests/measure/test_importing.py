"""Foreign embedders drawn up for the test: a fixed random projection of a few colours of the crop."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from facespace.embed import Embedder
from facespace.errors import DataError, InputError, ModelError
from facespace.measure.importing import import_embedder
from facespace.models import ModelSpec, find_model, read_spec, weights_sha256
from facespace.models.summary import summarise

SIDE = 32
N_IDENTITIES, N_FACES = 24, 4


def draft(**changes: object) -> ModelSpec:
    spec = ModelSpec("foreign", "imported", "embedder", (SIDE, SIDE), mean=0.0, std=255.0, dim=0)
    return dataclasses.replace(spec, **changes)  # type: ignore[arg-type]


def foreign_model(
    path: Path, *, layout: str = "NCHW", batch: int | str = "batch", side: int | str = SIDE,
    outputs: int = 1, bias: float = -0.4, weight: float = 1.0,
) -> Path:  # fmt: skip
    """Mean colour of each quarter of the crop, its blue thrown away, less a bias, through a random matrix."""
    rng = np.random.default_rng(1)
    matrix = weight * rng.normal(size=(8, 16)).astype(np.float32)
    keep = np.tile(np.array([1, 1, 0], np.float32).reshape(1, 3, 1, 1), (1, 1, 1, 1))
    shape = [batch, 3, side, side] if layout == "NCHW" else [batch, side, side, 3]
    nodes = [helper.make_node("Transpose", ["x"], ["c"], perm=[0, 3, 1, 2])] if layout == "NHWC" else []
    nodes += [
        helper.make_node("AveragePool", ["c" if nodes else "x"], ["p"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Mul", ["p", "keep"], ["k"]),
        helper.make_node("Slice", ["k", "zero", "two", "one"], ["s"]),
        helper.make_node("Flatten", ["s"], ["f"]),
        helper.make_node("Add", ["f", "bias"], ["b"]),
        helper.make_node("MatMul", ["b", "matrix"], ["embedding"]),
        *([helper.make_node("Relu", ["embedding"], ["other"])] if outputs == 2 else []),
    ]  # fmt: skip
    constants = {
        "matrix": matrix, "keep": keep, "bias": np.full(8, bias, np.float32),
        "zero": np.array([0], np.int64), "two": np.array([2], np.int64), "one": np.array([1], np.int64),
    }  # fmt: skip
    names = ["embedding", "other"][:outputs]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 16]) for name in names],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def holdout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People told apart by the red and green of four quarters; their blue is noise."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("holdout") / "val"
    for identity in range(N_IDENTITIES):
        colours = rng.uniform(30, 220, (2, 2, 3))
        (root / f"{identity:02}").mkdir(parents=True)
        for face in range(N_FACES):
            quarters = colours + rng.normal(0, 4, (2, 2, 3))
            quarters[..., 2] = rng.uniform(0, 255, (2, 2))
            pixels = np.kron(np.clip(quarters, 0, 255), np.ones((SIDE // 2, SIDE // 2, 1))).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"{identity:02}" / f"{face}.png")
    return root


def test_an_imported_model_is_whole_and_calibrated(tmp_path: Path, holdout: Path) -> None:
    source = foreign_model(tmp_path / "foreign.onnx")
    before, steps = source.read_bytes(), []
    result = import_embedder(
        source, tmp_path / "new" / "m.onnx", draft(), holdout=holdout, on_face=lambda *s: steps.append(s)
    )
    assert source.read_bytes() == before and steps[-1] == (96, 96)
    assert list((tmp_path / "new").iterdir()) == [result.path]
    assert result.spec == read_spec(result.path) == Embedder(result.path).spec
    assert result.spec.sha256 == weights_sha256(source)
    assert (result.spec.dim, result.spec.calibration[:20]) == (
        16,
        f"{holdout.parent.name}/val, all pairs"[:20],
    )
    assert 0 < result.spec.distances["1e-2"] < 2 and result.spec.distances["1e-3"] is None
    assert result.spec.byte_scale > 0
    assert result.warnings == () and result.trial_far == 1e-2
    assert summarise(result.path).dim == 16


def test_the_wrong_channel_order_is_reported_with_the_right_one(tmp_path: Path, holdout: Path) -> None:
    source = foreign_model(tmp_path / "foreign.onnx")
    result = import_embedder(source, tmp_path / "m.onnx", draft(colour="BGR"), holdout=holdout)
    named, other = result.trials[:2]
    assert (named.change, other.change) == ("as named", "colour RGB")
    assert named.gain == 0 and other.gain > 0.3 and other.clearly_better
    assert len(result.warnings) == 1 and "colour RGB gives TAR" in result.warnings[0]


def test_a_published_embedder_told_a_wrong_scaling_is_reported(tmp_path: Path, data: Path) -> None:
    for identity in sorted((data / "faces" / "val").iterdir())[:24]:
        (tmp_path / "val" / identity.name).mkdir(parents=True)
        for face in sorted(identity.iterdir())[:3]:
            (tmp_path / "val" / identity.name / face.name).symlink_to(face)
    wrong = draft(input_hw=(112, 112), std=1.0)
    peer = data / "peers" / "mobilefacenet.onnx"
    result = import_embedder(peer, tmp_path / "m.onnx", wrong, holdout=tmp_path / "val")
    assert result.trials[0].tar < 0.3
    assert len(result.warnings) == 1 and "more than what was named" in result.warnings[0]
    assert {t.change for t in result.trials if t.clearly_better} >= {"scaling 127.5/127.5", "scaling 0/255"}


@pytest.mark.parametrize(
    ("layout", "batch", "side"), [("NHWC", "batch", SIDE), ("NCHW", 1, SIDE), ("NHWC", 1, "s"), ("NCHW", 3, "s")]
)  # fmt: skip
def test_axes_batches_and_open_sizes_give_the_same_embeddings(
    tmp_path: Path, holdout: Path, layout: str, batch: int | str, side: int | str
) -> None:
    crops = np.stack([np.asarray(Image.open(p)) for p in sorted(holdout.rglob("*.png"))[:7]])
    plain = import_embedder(foreign_model(tmp_path / "a.onnx"), tmp_path / "1.onnx", draft(), holdout=holdout)
    source = foreign_model(tmp_path / "b.onnx", layout=layout, batch=batch, side=side)
    other = import_embedder(source, tmp_path / "2.onnx", draft(input_layout=layout), holdout=holdout)
    expected, got = (Embedder(result.path).embed(crops) for result in (plain, other))
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert summarise(other.path).input_hw == (SIDE, SIDE)


def test_one_of_several_outputs_must_be_named(tmp_path: Path, holdout: Path) -> None:
    source = foreign_model(tmp_path / "two.onnx", outputs=2)
    with pytest.raises(InputError, match="several outputs, name one of embedding, other"):
        import_embedder(source, tmp_path / "m.onnx", draft(), holdout=holdout)
    with pytest.raises(InputError, match="expected one of embedding, other"):
        import_embedder(source, tmp_path / "m.onnx", draft(options={"output": "third"}), holdout=holdout)
    named = draft(options={"output": "other"})
    assert (
        Embedder(import_embedder(source, tmp_path / "m.onnx", named, holdout=holdout).path)
        .embed(np.full((1, SIDE, SIDE, 3), 99, np.uint8))
        .min()
        >= 0
    )


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"input_hw": (64, 64)}, InputError, "expected 32"),
        ({"input_layout": "NHWC"}, InputError, "the file says NCHW"),
        ({"name": "facespace-s"}, InputError, "is built in"),
        ({"name": "../x"}, InputError, "letters, digits"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(
    tmp_path: Path, holdout: Path, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    source = foreign_model(tmp_path / "foreign.onnx")
    with pytest.raises(error, match=said):
        import_embedder(source, tmp_path / "m.onnx", draft(**changes), holdout=holdout)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("weight", "said"), [(0.0, "NaN, infinity or zeros"), (float("nan"), "NaN, infinity or zeros")]
)
def test_a_network_without_embeddings_is_refused(
    tmp_path: Path, holdout: Path, weight: float, said: str
) -> None:
    source = foreign_model(tmp_path / "foreign.onnx", weight=weight)
    with pytest.raises(ModelError, match=said):
        import_embedder(source, tmp_path / "m.onnx", draft(), holdout=holdout)
    assert list(tmp_path.iterdir()) == [source]


def test_one_embedding_for_all_is_refused(tmp_path: Path, holdout: Path) -> None:
    source = foreign_model(tmp_path / "foreign.onnx", bias=1e6)
    with pytest.raises(ModelError, match="one embedding for all pictures"):
        import_embedder(source, tmp_path / "m.onnx", draft(), holdout=holdout)


def test_files_that_are_no_foreign_embedder_are_refused(tmp_path: Path, holdout: Path) -> None:
    with pytest.raises(ModelError, match="carries a ModelSpec"):
        import_embedder(find_model(None, "embedder"), tmp_path / "m.onnx", draft(), holdout=holdout)
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="expected an ONNX model"):
        import_embedder(tmp_path / "bad.onnx", tmp_path / "m.onnx", draft(), holdout=holdout)
    source = foreign_model(tmp_path / "foreign.onnx")
    with pytest.raises(DataError, match="<identity>/<image>"):
        import_embedder(source, tmp_path / "m.onnx", draft(), holdout=tmp_path)


def test_importing_again_replaces_the_same_weights_alone_and_keeps_their_bytes(
    tmp_path: Path, holdout: Path
) -> None:
    source, output = foreign_model(tmp_path / "foreign.onnx"), tmp_path / "m.onnx"
    first = import_embedder(source, output, draft(colour="BGR"), holdout=holdout)
    second = import_embedder(source, output, draft(), holdout=holdout)
    assert second.spec.byte_scale == first.spec.byte_scale and read_spec(output).colour == "RGB"
    other = foreign_model(tmp_path / "other.onnx", bias=-0.3)
    with pytest.raises(ModelError, match="another model stands there"):
        import_embedder(other, output, draft(), holdout=holdout)
    assert read_spec(output) == second.spec


def test_too_few_faces_are_said_to_be_too_few(tmp_path: Path, holdout: Path) -> None:
    small = tmp_path / "small"
    for name in ("00", "01"):
        (small / name).mkdir(parents=True)
        for face in (holdout / name).iterdir():
            (small / name / face.name).write_bytes(face.read_bytes())
    source = foreign_model(tmp_path / "foreign.onnx")
    result = import_embedder(source, tmp_path / "m.onnx", draft(), holdout=small)
    assert [line.split(":")[0] for line in result.warnings] == [
        "too few hold-out faces to question the preprocessing",
        "too few hold-out pairs for any threshold",
    ]
