"""The one style sheet, filled with a theme's tokens. Kinds are dynamic properties."""

from __future__ import annotations

from dataclasses import asdict
from string import Template

from collage_studio.ui.style.tokens import Tokens

_SHEET = Template("""
QWidget { color: $t1; }
QToolTip { background: $popover; color: $t1; border: 1px solid $edge; padding: 4px 6px; }

QWidget[region="bar"], QWidget[region="dock"] { background: $panel; }
QMainWindow { background: $panel; }
QWidget[region="paste"] { background: $paste; }
QFrame[line="h"] { background: $line; border: none; max-height: 1px; min-height: 1px; }
QFrame[line="v"] { background: $line; border: none; max-width: 1px; min-width: 1px; }
QFrame[line="H"] { background: $line_strong; border: none; max-height: 1px; min-height: 1px; }
QFrame[line="V"] { background: $line_strong; border: none; max-width: 1px; min-width: 1px; }

QLabel[role="title"] { font-weight: 600; }
QLabel[role="sheet"] { font-size: 17px; font-weight: 600; }
QLabel[role="callout"] { font-size: 15px; font-weight: 600; }
QLabel[role="second"] { color: $t2; font-size: 12px; }
QLabel[role="hint"] { color: $t3; font-size: 12px; }
QLabel[role="small"] { color: $t2; font-size: 11px; }
QLabel[role="label"] { color: $t2; font-size: 12px; font-weight: 500; }
QLabel[role="ok"] { color: $ok; font-size: 12px; }
QLabel[role="warn"] { color: $warn; font-size: 12px; }
QLabel[role="danger"] { color: $danger; font-size: 12px; }

QPushButton, QToolButton {
  background: $raised; color: $t1; border: 1px solid $control; border-radius: 4px;
  padding: 0 10px; font-weight: 600; font-size: 13px; outline: none;
}
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $pressed; }
QPushButton:disabled, QToolButton:disabled { color: $disabled; background: transparent;
  border-color: $line; }
QPushButton[kind="primary"] {
  background: $accent; color: $on_accent; border: 1px solid $accent; border-radius: 6px;
}
QPushButton[kind="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[kind="primary"]:pressed { background: $accent; }
QPushButton[kind="primary"]:disabled { background: $raised; color: $disabled;
  border-color: $control; }
QPushButton[kind="tinted"] {
  background: $selected; color: $accent; border: 1px solid $selected; border-radius: 6px;
}
QPushButton[kind="tinted"]:hover { border-color: $accent; }
QPushButton[kind="tinted"]:disabled { background: $raised; color: $disabled; }
QPushButton[kind="quiet"] {
  background: transparent; border: 1px solid transparent; padding: 0 8px; font-weight: 500;
}
QPushButton[kind="quiet"]:hover { background: $hover; }
QPushButton[kind="quiet"]:pressed { background: $pressed; }
QPushButton[kind="link"] {
  background: transparent; border: 1px solid transparent; color: $accent; padding: 0 4px;
  font-weight: 500;
}
QPushButton[kind="link"]:hover { color: $accent_hover; }
QPushButton[kind="tool"] {
  background: transparent; border: 1px solid transparent; padding: 0; border-radius: 4px;
}
QPushButton[kind="tool"]:hover { background: $hover; }
QPushButton[kind="tool"]:pressed { background: $pressed; }
QPushButton[kind="tool"]:checked { background: $selected; }
QPushButton[kind="heading"] {
  background: transparent; border: 1px solid transparent; padding: 0; text-align: left;
}
QPushButton[kind="heading"]:hover { color: $accent; }
QPushButton[kind="row"] {
  background: transparent; border: none; border-radius: 0; padding: 0 12px; text-align: left;
}
QPushButton[kind="row"]:hover { background: $hover; }
QPushButton[ring="true"] { border: 2px solid $focus; }
QPushButton::menu-indicator { image: none; width: 0; }

QMenuBar { background: transparent; border: none; padding: 0; font-size: 13px; }
QMenuBar::item { background: transparent; padding: 6px 8px; border-radius: 4px; color: $t1; }
QMenuBar::item:selected { background: $hover; }
QMenuBar::item:pressed { background: $pressed; }
QMenu { background: $popover; border: 1px solid $control; padding: 4px; font-size: 13px; }
QMenu::item { padding: 5px 24px 5px 12px; border-radius: 4px; color: $t1; }
QMenu::item:selected { background: $selected; }
QMenu::item:disabled { color: $disabled; background: transparent; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }

QLineEdit, QPlainTextEdit, QTextEdit {
  background: $raised; color: $t1; border: 1px solid $control; border-radius: 4px;
  padding: 0 7px; selection-background-color: $accent; selection-color: $on_accent;
  font-size: 13px;
}
QPlainTextEdit { padding: 3px 4px; }
QTextEdit { padding: 0 4px; }
QLineEdit:hover, QPlainTextEdit:hover, QTextEdit:hover { border-color: $edge; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus { border: 1px solid $accent; }
QLineEdit:disabled, QPlainTextEdit:disabled { color: $disabled; background: transparent; }
QLineEdit[kind="bar"] { border: 1px solid $accent; font-weight: 500; }
QLineEdit[kind="bare"] { background: transparent; border: none; padding: 0; }
QLineEdit[kind="danger"] { border: 1px solid $danger; }

QTreeView { background: $panel; border: none; outline: none; }
QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget { background: transparent; }
QListView { background: transparent; border: none; outline: none; font-size: 13px; }
QListView::item { padding: 4px 8px; border-radius: 4px; min-height: 20px; }
QListView::item:hover { background: $hover; }
QListView::item:selected { background: $selected; color: $t1; }

QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $fill; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $edge; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QSplitter[floats="true"] { background: $panel; border-left: 1px solid $line_strong; }
QSplitter::handle { background: $line_strong; }
QProgressBar { background: $pressed; border: none; border-radius: 3px; max-height: 6px;
  min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
""")


def style_sheet(theme: Tokens) -> str:
    """The application's style sheet in `theme`."""
    return _SHEET.substitute(asdict(theme))
