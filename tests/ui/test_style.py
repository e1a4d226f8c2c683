"""The look: contrasts of the token table, icons, fonts."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QFontDatabase, QIcon
from pytestqt.qtbot import QtBot

from collage_studio.resources_dir import resources_path
from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import load_fonts
from collage_studio.ui.style.icons import icon
from collage_studio.ui.style.qss import style_sheet
from collage_studio.ui.style.tokens import DARK, LIGHT, NOISE_RAMP, Tokens, contrast, mixed

GROUNDS = ("panel", "raised", "hover", "pressed", "selected", "popover")
QUIET_GROUNDS = ("panel", "raised", "pressed", "popover")


def _lowest(theme: Tokens, token: str, grounds: tuple[str, ...]) -> float:
    color = getattr(theme, token)
    return min(contrast(color, getattr(theme, ground)) for ground in grounds)


@pytest.mark.parametrize(
    ("theme", "token", "grounds", "least"),
    [
        (DARK, "t1", (*GROUNDS, "paste"), 9.3),
        (LIGHT, "t1", (*GROUNDS, "paste"), 10.9),
        (DARK, "t2", (*GROUNDS, "paste"), 5.8),
        (LIGHT, "t2", (*GROUNDS, "paste"), 5.9),
        (DARK, "t3", QUIET_GROUNDS, 4.8),
        (LIGHT, "t3", ("panel", "raised", "popover"), 4.8),
        (DARK, "accent", GROUNDS, 5.2),
        (LIGHT, "accent", ("panel", "raised", "hover", "selected", "popover"), 4.7),
        (DARK, "danger", GROUNDS, 4.7),
        (LIGHT, "danger", ("panel", "raised", "hover", "selected", "popover"), 4.7),
        (DARK, "edge", ("panel", "raised", "popover"), 3.2),
        (LIGHT, "edge", ("panel", "raised", "popover"), 3.2),
    ],
)
def test_every_token_can_be_read_on_each_ground_it_may_stand_on(
    theme: Tokens, token: str, grounds: tuple[str, ...], least: float
) -> None:
    assert _lowest(theme, token, grounds) >= least - 0.05


@pytest.mark.parametrize(("theme", "least"), [(DARK, 8.0), (LIGHT, 6.1)])
def test_words_on_the_filled_button_can_be_read(theme: Tokens, least: float) -> None:
    assert contrast(theme.on_accent, theme.accent) >= least - 0.05


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_numbers_on_a_noise_bar_can_be_read(theme: Tokens) -> None:
    grounds = [mixed(color, theme.raised, theme.noise_strength) for color in NOISE_RAMP]
    assert min(contrast(theme.t1, ground) for ground in grounds) >= 5.4


def test_noise_ramp_grows_lighter_with_noise() -> None:
    brightness = [contrast(color, "#000000") for color in NOISE_RAMP]
    assert brightness == sorted(brightness)


def test_style_sheet_leaves_no_name_unfilled() -> None:
    for theme in (DARK, LIGHT):
        assert "$" not in style_sheet(theme)


def test_every_icon_file_paints_something(qtbot: QtBot) -> None:
    for file in sorted(resources_path("icons").glob("*.svg")):
        image = icon(file.stem).pixmap(QSize(20, 20), 2.0).toImage()
        assert image.width() == 40, file.name
        drawn = sum(image.pixelColor(x, y).alpha() > 0 for x in range(40) for y in range(40))
        assert drawn > 20, file.name


def test_icon_takes_the_accent_when_it_is_on(qtbot: QtBot) -> None:
    tokens.activate(DARK)
    image = icon("mask").pixmap(QSize(20, 20), QIcon.Mode.Normal, QIcon.State.On).toImage()
    middle = image.pixelColor(image.width() // 2, image.height() // 2)
    assert middle.name().upper() == DARK.accent


def test_inter_is_bundled(qtbot: QtBot) -> None:
    load_fonts()
    assert "Inter" in QFontDatabase.families()
