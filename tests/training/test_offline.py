import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facespace.training.feed import OfflineMiner
from facespace.training.mining import distances
from facespace.training.recipe import Batches, Mining, Recipe

LABELS = np.repeat(np.arange(10), 6)
EMBEDDINGS = F.normalize(torch.randn(60, 8, generator=torch.Generator().manual_seed(0)), dim=1)


def miner(**options) -> OfflineMiner:
    batches, mining = Batches(batch_size=12, faces_per_identity=4), Mining(pool=40, **options)
    return OfflineMiner(LABELS, Recipe("offline", seed=3, batches=batches, mining=mining))


@pytest.mark.parametrize("rule", ["semi-hard", "hard", "one-sided", "any"])
def test_triplets_obey_the_rule_over_a_pool(rule: str) -> None:
    asked: list[int] = []

    def embed(idx: np.ndarray) -> torch.Tensor:
        asked.append(len(idx))
        return EMBEDDINGS[idx]

    triplets = miner(rule=rule).mine(embed, 5, 0.5)
    assert asked == [40] and len(triplets) > 10
    a, p, n = triplets.T
    assert (LABELS[a] == LABELS[p]).all() and (LABELS[a] != LABELS[n]).all() and (a != p).all()
    d = distances(EMBEDDINGS, EMBEDDINGS).numpy()
    gap = d[a, n] - d[a, p]
    least = {"semi-hard": 0.0, "hard": -9.0, "one-sided": -9.0, "any": -9.0}[rule]
    most = {"semi-hard": 0.2, "hard": 0.0, "one-sided": 0.2, "any": 9.0}[rule]
    assert (gap >= least - 1e-6).all() and (gap <= most + 1e-6).all()


def test_batches_hold_the_faces_of_their_triplets_and_all_triplets_come_up() -> None:
    offline = miner(rule="one-sided")
    triplets = offline.mine(lambda idx: EMBEDDINGS[idx], 0, 0.5)
    seen, n_batches = [], -(-len(triplets) // 4)
    for faces, local in (offline.batch(triplets, i) for i in range(n_batches)):
        assert len(faces) <= 12 and len(set(faces.tolist())) == len(faces)
        columns = torch.stack([local.anchor_idx, local.positive_idx, local.negative_idx], 1).numpy()
        seen.append(faces[columns])
    assert (np.concatenate(seen) == triplets).all()
    assert (offline.batch(triplets, n_batches)[0] == offline.batch(triplets, 0)[0]).all(), (
        "from the start again"
    )


def test_the_step_decides_pool_and_order() -> None:
    first, again, later = (miner(rule="any").mine(lambda i: EMBEDDINGS[i], s, 0.5) for s in (1, 1, 2))
    assert (first == again).all()
    assert first.shape != later.shape or (first != later).any()
