"""The hostile inputs themselves: as many as asked for, the same every time, and not all alike."""

from hostile.mutate import mutations, peak_memory_bytes


def test_mutations_are_counted_seeded_and_different() -> None:
    good = [b"", b"faces=rect64(3f845bcb59418507),8e62b2035b74b477", b"photo,person\na.jpg,Ann\n"]
    made = list(mutations(good, 300, seed=1, words=[b"photo", b"person"]))
    assert len(made) == 300
    assert made == list(mutations(good, 300, seed=1, words=[b"photo", b"person"]))
    assert len(set(made)) > 250
    assert list(mutations(good, 20, seed=2)) != made[:20]
    assert max(map(len, made)) < 100_000


def test_peak_memory_is_in_bytes() -> None:
    assert peak_memory_bytes() > 10_000_000
