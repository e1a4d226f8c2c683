"""The bundled typeface, Inter, with figures of equal width."""

from __future__ import annotations

from functools import cache

from PySide6.QtGui import QFont, QFontDatabase

from collage_studio.resources_dir import resources_path

FAMILY = "Inter"
_FILES = ("Inter-Regular.otf", "Inter-Medium.otf", "Inter-SemiBold.otf")


@cache
def load_fonts() -> None:
    """Register the bundled font files with the application; any thread may do it, once."""
    for name in _FILES:
        QFontDatabase.addApplicationFont(str(resources_path("fonts", name)))


@cache
def font(pixels: int = 13, weight: int = 400) -> QFont:
    """Inter at `pixels` logical px and `weight` 400, 500 or 600."""
    made = QFont(FAMILY)
    made.setPixelSize(pixels)
    made.setWeight(QFont.Weight(weight))
    made.setFeature(QFont.Tag("tnum"), 1)
    return made
