"""The dock: part of a wide window, a drawer in a narrow one."""

from __future__ import annotations

from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow

SCROLL_BAR = 10
"""px that the style sheet gives it."""


def test_a_narrow_window_makes_the_dock_a_drawer(qtbot: QtBot, opened: OpenWindow) -> None:
    window, dock, button = opened.window, opened.window.dock, opened.window.options.panels
    window.resize(1280, 760)
    qtbot.waitUntil(lambda: not dock.is_drawer)
    assert dock.isVisible()
    assert not button.isVisible()
    wide = window.canvas.width()
    window.resize(960, 640)
    qtbot.waitUntil(lambda: dock.is_drawer)
    assert not dock.isVisible()
    assert button.isVisible()
    qtbot.waitUntil(lambda: window.canvas.width() > 900)
    button.click()
    assert dock.isVisible()
    over = dock.geometry().right(), window.canvas.mapTo(window, window.canvas.rect().topRight()).x()
    assert over[0] == over[1]
    assert dock.height() == window.canvas.height()
    assert window.caption.harmonise.isVisible()
    button.click()
    assert not dock.isVisible()
    window.resize(1280, 760)
    qtbot.waitUntil(lambda: not dock.is_drawer)
    assert dock.isVisible()
    qtbot.waitUntil(lambda: abs(window.canvas.width() - wide) < 4)


def test_a_drawer_leaves_the_room_beside_it_as_it_was_kept(
    qtbot: QtBot, opened: OpenWindow
) -> None:
    window = opened.window
    window.resize(1280, 760)
    qtbot.waitUntil(lambda: not window.dock.is_drawer)
    assert "body" in window.dock.states()
    window.resize(960, 640)
    qtbot.waitUntil(lambda: window.dock.is_drawer)
    assert "body" not in window.dock.states()


def test_the_inspector_fits_the_narrowest_dock(opened: OpenWindow) -> None:
    layer = next(one for one in opened.session.editor.document.walk() if one.raster is not None)
    opened.session.selection.select((layer.id,))
    page = opened.window.inspector.layer_page
    assert page.minimumSizeHint().width() <= opened.window.dock.minimumWidth() - SCROLL_BAR
