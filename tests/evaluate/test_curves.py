"""Curves: whose lies outside, and the plot of them."""

import numpy as np
import pytest

from collage_studio.evaluate.columns import Zone
from collage_studio.evaluate.curves import Rival, points_of, rivals
from collage_studio.evaluate.drawing import Panel, contact_sheet, draw_panels
from collage_studio.evaluate.scores import Scores

STRENGTHS = (0.3, 0.5, 0.7)


def _scores(seed: int, fidelity: float, distance: float) -> Scores:
    return Scores(
        seed, "gh", (True, True), (True, False), (False, False), (True, True),
        (fidelity, 0.1), distance, distance, distance, 1.0,
    )  # fmt: skip


def _curve(fidelities: tuple[float, ...], closed: tuple[float, ...]) -> list[list[Scores]]:
    """Twenty collages a strength, each a little different."""
    rng = np.random.default_rng(0)
    shifts = rng.uniform(-0.02, 0.02, 20)
    return [
        [_scores(i, f + shift, 40 * (1 - c + shift)) for i, shift in enumerate(shifts)]
        for f, c in zip(fidelities, closed, strict=True)
    ]


PASTED = [_scores(i, 1.0, 40.0) for i in range(20)]
INNER = _curve((0.8, 0.6, 0.4), (0.2, 0.5, 0.7))


def _rivals(
    outer: list[list[Scores]], zone: Zone = "objects", pasted: list[Scores] = PASTED
) -> tuple[Rival, ...]:
    return rivals(STRENGTHS, outer, INNER, pasted, zone)


def test_curve_with_more_fidelity_at_equal_harmony_lies_outside() -> None:
    found = _rivals(_curve((0.9, 0.75, 0.6), (0.2, 0.5, 0.7)))
    assert all(rival.dominates for rival in found)
    assert [rival.by for rival in found] == list(STRENGTHS)
    assert [rival.fidelity.value for rival in found] == pytest.approx([0.1, 0.15, 0.2])


def test_another_strength_may_be_the_rival() -> None:
    found = _rivals(_curve((0.5, 0.85, 0.3), (0.1, 0.8, 0.9)))
    assert {rival.by for rival in found} == {0.5}
    assert all(rival.harmony.low > 0 for rival in found)


def test_curve_does_not_lie_outside_itself_nor_inside_another() -> None:
    assert not any(rival.dominates for rival in _rivals(INNER, "shadows"))
    inner = _rivals(_curve((0.7, 0.5, 0.3), (0.2, 0.5, 0.7)), "others")
    assert not any(rival.dominates for rival in inner)


def test_harmony_that_the_outer_curve_never_reaches_has_no_rival() -> None:
    found = _rivals(_curve((0.9, 0.9, 0.9), (0.6, 0.6, 0.6)))
    assert [rival.dominates for rival in found] == [True, True, False]
    assert found[2].fidelity.count == 0
    assert np.isnan(found[2].by)


def test_collages_without_a_shadow_do_not_count() -> None:
    pasted = [*PASTED[:-1], _scores(19, 1.0, float("nan"))]
    outer = _curve((0.9, 0.75, 0.6), (0.2, 0.5, 0.7))
    assert _rivals(outer, "shadows", pasted)[0].harmony.count == 19


def test_plot_shows_every_curve_in_its_colour_beside_a_legend() -> None:
    lines = {"GH": points_of(STRENGTHS, INNER, PASTED, "objects")}
    lines["GH+CA+LN"] = points_of(
        STRENGTHS, _curve((0.9, 0.75, 0.6), (0.2, 0.5, 0.7)), PASTED, "objects"
    )
    picture = draw_panels([Panel("Harmony", "Fidelity", "Harmony", lines)] * 2)
    assert picture.shape == (516, 1240, 3)
    for colour in ((138, 147, 163), (59, 130, 214)):
        near = np.abs(picture.astype(int) - colour).max(axis=2) < 12
        assert near[:470].sum() > 100
        assert near[470:].sum() > 40


def test_plot_of_equal_points_has_a_range() -> None:
    point = points_of((0.5,), [PASTED], PASTED, "objects")
    assert draw_panels([Panel("One", "x", "y", {"GH": point})]).any()


def test_contact_sheet_needs_a_row() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        contact_sheet(["a"], [])
