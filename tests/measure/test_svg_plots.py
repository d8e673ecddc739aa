import re
from xml.etree import ElementTree

from facespace.measure.plots import draw
from facespace.measure.result import Plot, Series

PLOT = Plot(
    "c", "FAR", "VAL",
    (Series("ours", (1e-4, 1e-2, 1.0), (0.1, 0.5, 1.0)), Series("paper", (1e-3,), (0.9,), paper=True, labels=("NN1",))),
    x_log=True, x_limits=(1e-6, 1.0), y_limits=(0.0, 1.0),
)  # fmt: skip


def test_a_plot_takes_all_its_colours_from_the_page() -> None:
    svg = draw(PLOT, name="a")
    ElementTree.fromstring(svg)
    assert {"var(--ink)", "var(--grid)", "var(--paper)", "var(--series-1)"} <= set(
        re.findall(r"var\(--[\w-]+\)", svg)
    )
    assert not re.findall(r"#[0-9a-f]{6}", svg.replace("#ffffff", ""))


def test_a_plot_is_the_same_each_time_and_its_ids_are_its_own() -> None:
    first, again, other = draw(PLOT, name="a"), draw(PLOT, name="a"), draw(PLOT, name="b")
    assert first == again
    clips = [set(re.findall(r'clipPath id="([^"]+)"', svg)) for svg in (first, other)]
    assert clips[0] and not clips[0] & clips[1]


def test_the_axis_is_logarithmic_and_labelled_as_rates() -> None:
    labels = re.findall(r">([^<>]+)</text>", draw(PLOT, name="a"))
    assert {"1e-6", "1e-3", "FAR", "VAL", "ours", "paper", "NN1", "100%"} <= {text.strip() for text in labels}
