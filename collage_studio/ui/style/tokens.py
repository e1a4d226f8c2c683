"""The colours of both themes as frozen values, and which theme is on."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor


@dataclass(frozen=True, slots=True)
class Tokens:
    """Colours by use, as "#RRGGBB". `ground` tokens carry text, the others stand on them."""

    name: str
    paste: str
    panel: str
    raised: str
    hover: str
    pressed: str
    selected: str
    popover: str
    line_strong: str
    line: str
    control: str
    edge: str
    fill: str
    t1: str
    t2: str
    t3: str
    disabled: str
    accent: str
    accent_hover: str
    on_accent: str
    ok: str
    warn: str
    danger: str
    focus: str
    noise_strength: float
    shadow: str = "#000000"
    guide: str = "#E5007A"
    guide_pill: str = "#D1006C"
    on_picture: str = "#43C6B7"

    def color(self, token: str, alpha: float = 1.0) -> QColor:
        """The colour of a token by its name, with alpha in [0, 1]."""
        color = QColor(str(getattr(self, token)))
        color.setAlphaF(alpha)
        return color


DARK = Tokens(
    name="dark",
    paste="#191919",
    panel="#252525",
    raised="#303030",
    hover="#3B3B3B",
    pressed="#1E1E1E",
    selected="#22423F",
    popover="#2C2C2C",
    line_strong="#111111",
    line="#3A3A3A",
    control="#4A4A4A",
    edge="#7D7D7D",
    fill="#474747",
    t1="#EDEDED",
    t2="#BDBDBD",
    t3="#9C9C9C",
    disabled="#6B6B6B",
    accent="#43C6B7",
    accent_hover="#5CD6C8",
    on_accent="#06211E",
    ok="#84D294",
    warn="#F2BA55",
    danger="#FF8A7D",
    focus="#8FE8DD",
    noise_strength=0.30,
)

LIGHT = Tokens(
    name="light",
    paste="#CDCDCD",
    panel="#F4F4F4",
    raised="#FFFFFF",
    hover="#E7E7E7",
    pressed="#DADADA",
    selected="#CDE8E4",
    popover="#FFFFFF",
    line_strong="#B9B9B9",
    line="#DDDDDD",
    control="#C9C9C9",
    edge="#858585",
    fill="#D9D9D9",
    t1="#1A1A1A",
    t2="#464646",
    t3="#616161",
    disabled="#A0A0A0",
    accent="#096E65",
    accent_hover="#07574F",
    on_accent="#FFFFFF",
    ok="#1F6B35",
    warn="#855600",
    danger="#B0281C",
    focus="#096E65",
    noise_strength=0.26,
)

THEMES = {"dark": DARK, "light": LIGHT}

NOISE_RAMP = ("#2A4FB0", "#6A55C8", "#B5509E", "#EE6F5C", "#FFC64A")


@dataclass(slots=True)
class _Active:
    tokens: Tokens = DARK


_active = _Active()


def current() -> Tokens:
    """The tokens of the theme that is on; read them when painting, never keep them."""
    return _active.tokens


def activate(tokens: Tokens) -> None:
    """Make `tokens` the current ones; `theme.apply_theme` also restyles the application."""
    _active.tokens = tokens


def channels(color: str) -> tuple[int, int, int]:
    """(r, g, b) 0..255 of "#RRGGBB"."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def noise_rgb(value: float) -> tuple[int, int, int]:
    """The ramp's colour at noise `value` in [0, 1], piecewise linear."""
    position = min(max(value, 0.0), 1.0) * (len(NOISE_RAMP) - 1)
    index = min(int(position), len(NOISE_RAMP) - 2)
    share = position - index
    low, high = channels(NOISE_RAMP[index]), channels(NOISE_RAMP[index + 1])
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return red, green, blue


def noise_color(value: float) -> QColor:
    """The ramp's colour at noise `value` in [0, 1]."""
    return QColor(*noise_rgb(value))


def mixed(over: str, under: str, strength: float) -> str:
    """`over` at opacity `strength` on `under`."""
    pairs = zip(channels(over), channels(under), strict=True)
    red, green, blue = (round(a * strength + b * (1 - strength)) for a, b in pairs)
    return f"#{red:02X}{green:02X}{blue:02X}"


def _linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def contrast(first: str, second: str) -> float:
    """WCAG contrast ratio, 1..21, of two colours."""

    def luminance(color: str) -> float:
        red, green, blue = (_linear(c) for c in channels(color))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
