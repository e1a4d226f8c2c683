"""Zoom, pan and fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF

from collage_studio.document.geometry import Size
from collage_studio.ui.canvas.viewport import Viewport

sizes = st.builds(Size, st.integers(16, 4000), st.integers(16, 4000))
ratios = st.sampled_from([1.0, 1.25, 1.5, 2.0])


@given(sizes, st.integers(200, 3000), st.integers(200, 3000), ratios)
def test_fit_leaves_24_px_and_centres(canvas: Size, width: int, height: int, ratio: float) -> None:
    view = Viewport(canvas, width, height, ratio).fitted()
    rect = view.canvas_rect()
    margins = (
        rect.left(),
        rect.top(),
        width / ratio - rect.right(),
        height / ratio - rect.bottom(),
    )
    assert min(margins) >= min(24, (min(width, height) / ratio - 16) / 2) - 1.5
    assert margins[0] == pytest.approx(margins[2], abs=2)
    assert margins[1] == pytest.approx(margins[3], abs=2)


@given(st.floats(0.05, 30.0), st.floats(100, 500), st.floats(100, 400), ratios)
def test_the_point_under_the_pointer_stays_when_zooming(
    scale: float, x: float, y: float, ratio: float
) -> None:
    view = Viewport(Size(1200, 800), round(600 * ratio), round(500 * ratio), ratio).fitted()
    before = view.to_canvas(QPointF(x, y))
    zoomed = view.zoomed(scale, QPointF(x, y))
    after = zoomed.to_widget(before.x(), before.y())
    held = view.canvas_rect().contains(QPointF(x, y))
    if held:
        assert abs(after.x() - x) <= 1.0
        assert abs(after.y() - y) <= 1.0


@given(ratios)
def test_100_percent_is_one_picture_pixel_per_device_pixel(ratio: float) -> None:
    view = Viewport(Size(100, 80), 800, 600, ratio).fitted().zoomed(1.0, QPointF(50, 50))
    assert view.scaled_size == Size(100, 80)
    assert view.canvas_rect().width() == pytest.approx(100 / ratio)


@given(st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_the_canvas_never_leaves_the_widget(dx: float, dy: float) -> None:
    view = Viewport(Size(400, 300), 800, 600).fitted().panned(dx, dy)
    assert not view.visible.is_empty


@given(st.floats(0, 900), st.floats(0, 700), st.floats(0.05, 20))
def test_widget_and_canvas_positions_are_inverse(x: float, y: float, scale: float) -> None:
    view = Viewport(Size(640, 480), 900, 700, 1.5).zoomed(scale, QPointF(300, 200))
    at = view.to_canvas(QPointF(x, y))
    back = view.to_widget(at.x(), at.y())
    assert (back - QPointF(x, y)).manhattanLength() < 1e-6


def test_zoom_stops_go_up_and_down() -> None:
    view = Viewport(Size(640, 480), 900, 700, scale=1.0)
    assert view.next_stop(+1) == 1.5
    assert view.next_stop(-1) == 0.67
