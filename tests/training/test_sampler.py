import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.errors import InputError
from facespace.training.sampler import TripletSampler


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=4, max_size=40),
    batch_size=st.integers(8, 40),
    faces=st.integers(2, 8),
    seed=st.integers(0, 9),
)
def test_batches_hold_groups_of_identities_then_others(
    counts: list[int], batch_size: int, faces: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    if max(counts) < 2:
        with pytest.raises(InputError):
            TripletSampler(labels, batch_size, faces)
        return
    sampler = TripletSampler(labels, batch_size, faces, seed=seed)
    seen = []
    for batch in sampler.batches(epoch=3):
        assert len(batch) == min(batch_size, len(labels))
        assert len(set(batch.tolist())) == len(batch)
        anchors = batch[: int(0.85 * batch_size)]
        assert (np.bincount(labels[anchors]) > 1).any()
        seen.append(batch)
    assert sampler.n_batches(epoch=3) == len(seen)
    again = list(sampler.batches(epoch=3))
    assert all((a == b).all() for a, b in zip(seen, again, strict=True))


def test_an_epoch_uses_nearly_every_face_as_an_anchor() -> None:
    labels = np.repeat(np.arange(200), 7)
    sampler = TripletSampler(labels, batch_size=100, faces_per_identity=5, anchor_share=0.8)
    anchors = np.concatenate([b[:76] for b in sampler.batches(0)])
    assert len(set(anchors.tolist())) > 0.9 * len(labels)


def test_epochs_differ_and_seeds_differ() -> None:
    labels = np.repeat(np.arange(50), 4)
    first = next(TripletSampler(labels, 40, 4).batches(0))
    assert (first != next(TripletSampler(labels, 40, 4).batches(1))).any()
    assert (first != next(TripletSampler(labels, 40, 4, seed=1).batches(0))).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faces_per_identity": 1}, "2 <= faces_per_identity"),
        ({"batch_size": 10}, "batch_size 10"),
        ({"anchor_share": 0.0}, "anchor_share"),
    ],
)
def test_options_that_make_no_batch_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TripletSampler(np.repeat(np.arange(5), 5), **options)
