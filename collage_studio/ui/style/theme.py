"""Put a theme on the application: palette and style sheet.

The style is plain Fusion: a proxy style in Python is called for every primitive drawn, and all it
would change here the style sheet does (`outline: none` drops the focus rectangle). The application
gets it as `STYLE_ARGUMENTS`: `setStyle` answers with a style, and readying that class takes 12 ms.
"""

from __future__ import annotations

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from collage_studio.ui.style import tokens
from collage_studio.ui.style.fonts import font, load_fonts
from collage_studio.ui.style.qss import style_sheet

STYLE_ARGUMENTS = ("-style", "Fusion")


def palette(theme: tokens.Tokens) -> QPalette:
    """Qt's palette in the colours of `theme`."""
    made = QPalette()
    role = QPalette.ColorRole
    pairs = {
        role.Window: "panel",
        role.WindowText: "t1",
        role.Base: "raised",
        role.AlternateBase: "panel",
        role.Text: "t1",
        role.Button: "raised",
        role.ButtonText: "t1",
        role.BrightText: "t1",
        role.PlaceholderText: "t3",
        role.ToolTipBase: "popover",
        role.ToolTipText: "t1",
        role.Highlight: "accent",
        role.HighlightedText: "on_accent",
        role.Link: "accent",
        role.Mid: "line",
        role.Dark: "line_strong",
        role.Light: "hover",
    }
    for which, token in pairs.items():
        made.setColor(which, theme.color(token))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, theme.color("disabled"))
    return made


def apply_theme(app: QApplication, name: str) -> None:
    """Switch the whole application to the theme "dark" or "light"."""
    theme = tokens.THEMES.get(name, tokens.DARK)
    tokens.activate(theme)
    app.setPalette(palette(theme))
    app.setStyleSheet(style_sheet(theme))


def prepare_application(app: QApplication, theme: str) -> None:
    """Fonts and colours of a fresh application, once at its start.

    The style sheet is left to `apply_theme` before the first window is shown: widgets that are put
    together under a style sheet are polished one by one, which takes 70 ms longer.
    """
    load_fonts()
    app.setFont(font(13))
    tokens.activate(tokens.THEMES.get(theme, tokens.DARK))
    app.setPalette(palette(tokens.current()))
