"""The one table of actions: menus, shortcuts, Find and context menus all read it.

Data only; the ui binds each id to a function.
"""
# ruff: noqa: E501  one line per action: it is read as a table

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from collage_studio.app.stale import what_changed
from collage_studio.document.model import Document

Scope = Literal["window", "canvas"]

MENUS = ("File", "Edit", "Layer", "Mask", "Harmonise", "View", "Help")

REASONS = {
    "layers": "The collage has no layers yet",
    "selection": "No layer is selected",
    "one_selected": "Select exactly one layer",
    "several_selected": "Select several layers",
    "group_selected": "Select a group",
    "painted": "The selected layers have no painted noise",
    "unlocked": "The layer is locked",
    "undo": "There is nothing to undo",
    "redo": "There is nothing to redo",
    "running": "Nothing runs at the moment",
    "variations": "There are no variations yet",
    "variation_shown": "Choose a variation in the strip",
    "harmonised": "Harmonise the collage first",
    "accepted": "Accept a variation first",
    "changed": "Nothing changed since the accepted picture was made",
    "modified": "Everything is saved",
}


@dataclass(frozen=True, slots=True)
class Action:
    """A menu entry.

    Args:
        id: "menu.name"; numbered ones end in the number.
        menu: path from the menu bar, levels divided by a slash.
        shortcut: in Qt's portable notation, Ctrl is Cmd on macOS; empty if there is none.
        tooltip: one sentence.
        icon: name in UX.md's list; empty if there is none.
        needs: names of states that must hold, all keys of REASONS.
        scope: "canvas" shortcuts work only while canvas, strip or layer list has the focus.
    """

    id: str
    label: str
    menu: str
    shortcut: str = ""
    tooltip: str = ""
    icon: str = ""
    needs: frozenset[str] = frozenset()
    scope: Scope = "window"


def _action(
    action_id: str,
    label: str,
    menu: str,
    shortcut: str = "",
    tooltip: str = "",
    *,
    icon: str = "",
    needs: str = "",
    scope: Scope = "window",
) -> Action:
    return Action(action_id, label, menu, shortcut, tooltip, icon, frozenset(needs.split()), scope)


_FILE = (
    _action("file.new", "New", "File", "Ctrl+N", "Starts an empty collage."),
    _action("file.open", "Open…", "File", "Ctrl+O", "Opens a collage or a picture."),
    _action("file.recent", "Open recent", "File", "", "Files used lately."),
    _action("file.samples", "Samples", "File", "", "Collages to try things with."),
    _action("file.add", "Add pictures…", "File", "", "Puts pictures in as layers.", icon="add"),
    _action(
        "file.import_layout",
        "Import layout…",
        "File",
        "",
        "Opens places and texts of NoiseCollage, DenseDiffusion and others.",
    ),
    _action("file.save", "Save", "File", "Ctrl+S", "Writes the collage to its file."),
    _action("file.save_as", "Save as…", "File", "Ctrl+Shift+S", "Writes it to another file."),
    _action(
        "file.export",
        "Export…",
        "File",
        "Ctrl+Shift+E",
        "Writes a layered PSD, a PNG or an OpenRaster file.",
        icon="export",
    ),
    _action("file.quit", "Quit", "File", "Ctrl+Q", "Closes Collage Studio."),
)

_EDIT = (
    _action("edit.undo", "Undo", "Edit", "Ctrl+Z", "Takes the last edit back.", icon="undo", needs="undo"),
    _action("edit.redo", "Redo", "Edit", "Ctrl+Shift+Z", "Brings it back.", icon="redo", needs="redo"),
    _action("edit.cut", "Cut", "Edit", "Ctrl+X", "Moves the layers to the clipboard.", needs="selection unlocked"),
    _action("edit.copy", "Copy", "Edit", "Ctrl+C", "Copies the layers.", needs="selection"),
    _action("edit.paste", "Paste as layer", "Edit", "Ctrl+V", "Puts the copied picture in as a layer."),
    _action("edit.duplicate", "Duplicate", "Edit", "Ctrl+J", "Makes a second one of each selected layer.", needs="selection"),
    _action("edit.delete", "Delete", "Edit", "Delete", "Removes the layers; undo brings them back.", icon="bin", needs="selection unlocked", scope="canvas"),
    _action("edit.select_all", "Select all", "Edit", "Ctrl+A", "Selects every layer.", needs="layers", scope="canvas"),
    _action("edit.select_none", "Select none", "Edit", "Ctrl+Shift+A", "Selects nothing.", needs="selection"),
    _action("edit.preferences", "Preferences…", "Edit", "Ctrl+K", "What the program remembers: colours, canvas, recovery.", icon="settings"),
    _action("edit.find", "Find action…", "Edit", "Ctrl+F", "Everything the program can do, by name.", icon="find"),
)  # fmt: skip

_LAYER = (
    _action("layer.add_box", "Layout box", "Layer", "Ctrl+B", "A place with a text and no picture: the model draws it there.", icon="layout"),
    _action("layer.group", "Group", "Layer", "Ctrl+G", "Puts the layers into one group.", icon="group", needs="selection"),
    _action("layer.ungroup", "Ungroup", "Layer", "Ctrl+Shift+G", "Takes the layers out of their group.", needs="group_selected"),
    _action("layer.clip", "Clip to layer below", "Layer", "Ctrl+Alt+G", "Shows the layer only where the one below it shows; again frees it.", icon="clip", needs="selection unlocked"),
    _action("layer.raise", "Raise", "Layer/Order", "Ctrl+]", "One place further to the front.", needs="one_selected"),
    _action("layer.lower", "Lower", "Layer/Order", "Ctrl+[", "One place further to the back.", needs="one_selected"),
    _action("layer.to_front", "To front", "Layer/Order", "Ctrl+Shift+]", "In front of all others.", needs="one_selected"),
    _action("layer.to_back", "To back", "Layer/Order", "Ctrl+Shift+[", "Behind all others.", needs="one_selected"),
    _action("layer.rename", "Rename", "Layer", "F2", "Gives the layer another name.", needs="one_selected"),
    _action("layer.text", "Edit text", "Layer", "F3", "What this layer shows, in a few words.", icon="text", needs="one_selected"),
    _action("layer.add_chip", "Add to caption", "Layer", "", "Puts the layer's text into the caption.", needs="one_selected"),
    _action("layer.flip_horizontal", "Flip horizontally", "Layer/Transform", "Shift+H", "Swaps left and right.", icon="flip", needs="selection unlocked", scope="canvas"),
    _action("layer.flip_vertical", "Flip vertically", "Layer/Transform", "Shift+V", "Swaps top and bottom.", icon="flip", needs="selection unlocked", scope="canvas"),
    _action("layer.reset_transform", "Reset transform", "Layer/Transform", "", "Back to its own size, upright, in place.", needs="selection unlocked"),
    _action("layer.align_left", "Left edges", "Layer/Align", "", "Lines up the left edges.", icon="align", needs="selection unlocked"),
    _action("layer.align_center", "Centres, across", "Layer/Align", "", "Lines up the centres left to right.", icon="align", needs="selection unlocked"),
    _action("layer.align_right", "Right edges", "Layer/Align", "", "Lines up the right edges.", icon="align", needs="selection unlocked"),
    _action("layer.align_top", "Top edges", "Layer/Align", "", "Lines up the top edges.", icon="align", needs="selection unlocked"),
    _action("layer.align_middle", "Centres, down", "Layer/Align", "", "Lines up the centres top to bottom.", icon="align", needs="selection unlocked"),
    _action("layer.align_bottom", "Bottom edges", "Layer/Align", "", "Lines up the bottom edges.", icon="align", needs="selection unlocked"),
    _action("layer.visible", "Show or hide", "Layer", "Ctrl+,", "Hidden layers take no part in a run.", icon="eye", needs="selection"),
    _action("layer.lock", "Lock", "Layer", "Ctrl+L", "Locked layers cannot be moved or deleted.", icon="lock", needs="selection"),
    _action("layer.keep", "Keep", "Layer/Next run", "Alt+0", "These pixels stay exactly as they are.", icon="keep", needs="selection"),
    _action("layer.harmonise", "Harmonise", "Layer/Next run", "", "The next run fits this layer to the rest.", icon="harmonise", needs="selection"),
    _action("layer.reroll", "Re-roll", "Layer/Next run", "Shift+R", "The next run makes this layer anew, nothing else.", icon="reroll", needs="selection"),
    _action("layer.fill_behind", "Fill behind", "Layer", "", "Paints what this layer hides, so that moving it leaves no hole.", icon="fill", needs="selection accepted"),
    _action("layer.learn", "Learn look", "Layer", "", "Teaches the model this cutout, so it stays itself at higher noise.", icon="learn", needs="selection"),
    _action("layer.noise_less", "Noise − 5", "Layer/Noise", "Alt+Left", "Keeps more of the pixels.", needs="selection"),
    _action("layer.noise_more", "Noise + 5", "Layer/Noise", "Alt+Right", "Lets the model repaint more.", needs="selection"),
    _action("layer.clear_paint", "Clear painted noise", "Layer/Noise", "", "The layer has one noise everywhere again.", icon="noise-brush", needs="selection painted"),
)  # fmt: skip

_MASK = (
    _action("mask.remove_background", "Remove background…", "Mask", "Ctrl+Shift+B", "Cuts the object out, by strokes or by a model.", icon="pick", needs="one_selected unlocked"),
    _action("mask.cut", "Cut out the strokes", "Mask", "", "Makes the strokes of Pick the layer's mask.", icon="check", needs="one_selected unlocked"),
    _action("mask.refine", "Refine edge", "Mask", "Ctrl+Alt+R", "Finds the outline anew, hair included.", icon="mask", needs="one_selected unlocked"),
    _action("mask.edge", "Grow, smooth, feather…", "Mask", "", "Moves and softens the mask's edge.", icon="mask", needs="one_selected unlocked"),
    _action("mask.clean", "Clean edge colours", "Mask", "", "Takes the backdrop's colour out of the edge.", needs="one_selected unlocked"),
    _action("mask.invert", "Invert mask", "Mask", "Ctrl+Shift+I", "Shows what was hidden, hides what was shown.", needs="one_selected unlocked"),
    _action("mask.toggle", "Mask on or off", "Mask", "", "Shows the whole picture for a moment.", icon="mask", needs="one_selected"),
    _action("mask.drop", "Remove mask", "Mask", "", "Everything of the layer is shown again.", icon="bin", needs="one_selected unlocked"),
    _action("mask.show", "Red over hidden parts", "Mask", "O", "Shows while a mask tool is on what the mask hides.", icon="mask", scope="canvas"),
    _action("mask.swap", "Add or remove", "Mask/Brush", "X", "Swaps what mask brush and Pick do.", scope="canvas"),
    _action("mask.smaller", "Smaller", "Mask/Brush", "[", "Makes the brush smaller.", scope="canvas"),
    _action("mask.bigger", "Larger", "Mask/Brush", "]", "Makes the brush larger.", scope="canvas"),
    _action("mask.softer", "Softer", "Mask/Brush", "Shift+[", "Makes the brush's edge softer.", scope="canvas"),
    _action("mask.harder", "Harder", "Mask/Brush", "Shift+]", "Makes the brush's edge harder.", scope="canvas"),
)  # fmt: skip

_NOISE = tuple(
    _action(
        f"layer.noise_{digit * 10}",
        f"Noise {digit * 10}",
        "Layer/Noise",
        f"Alt+{digit}",
        "0 keeps every pixel, 100 lets the model repaint.",
        needs="selection",
    )
    for digit in range(1, 10)
)

_OPACITY = tuple(
    _action(
        f"layer.opacity_{digit * 10}",
        f"Opacity {digit * 10} %",
        "Layer/Opacity",
        str(digit % 10),
        "How much of the layer covers what lies behind it.",
        needs="selection",
        scope="canvas",
    )
    for digit in range(1, 11)
)

_RUNS = (
    _action("harmonise.run", "Harmonise", "Harmonise", "Ctrl+Return", "Fits light, colour and shadow of all layers. Objects stay in place.", icon="harmonise"),
    _action("harmonise.changed", "Harmonise what changed", "Harmonise", "Ctrl+Alt+Return", "Only layers that changed and the places they left. The rest stays to the bit.", icon="stale", needs="changed"),
    _action("harmonise.fill_behind", "Fill behind everything", "Harmonise", "", "Paints what layers hide of each other and of the background.", icon="fill", needs="accepted"),
    _action("harmonise.reroll_now", "Re-roll now", "Harmonise", "Ctrl+Shift+Return", "New seeds for this layer. Every other pixel stays identical.", icon="reroll", needs="selection"),
    _action("harmonise.reroll_original", "Re-roll from the cutout", "Harmonise/Re-roll from", "", "Starts from the picture you put in.", icon="reroll", needs="selection"),
    _action("harmonise.reroll_noise", "Re-roll from noise", "Harmonise/Re-roll from", "", "Starts from nothing but the text.", icon="reroll", needs="selection"),
    _action("harmonise.cancel", "Cancel", "Harmonise", "Ctrl+.", "Stops the run within a step.", icon="close", needs="running"),
    _action("harmonise.compare_methods", "Compare methods", "Harmonise", "", "Runs every method with the same seeds, side by side in the strip.", icon="compare"),
    _action("harmonise.more_seeds", "More seeds", "Harmonise", "", "More variations with the same recipe.", icon="add", needs="variations"),
    _action("harmonise.previous", "Previous variation", "Harmonise", ",", "Shows the one before.", needs="variations", scope="canvas"),
    _action("harmonise.next", "Next variation", "Harmonise", ".", "Shows the one after.", needs="variations", scope="canvas"),
    _action("harmonise.accept", "Accept", "Harmonise", "Return", "Puts this variation into the layers. Undo brings it back.", icon="check", needs="variation_shown", scope="canvas"),
    _action("harmonise.drop", "Delete variation", "Harmonise", "", "Takes this variation off the strip.", icon="bin", needs="variation_shown"),
    _action("harmonise.extend_left", "To the left", "Harmonise/Extend picture", "", "Paints on beyond the left edge; what is there stays."),
    _action("harmonise.extend_right", "To the right", "Harmonise/Extend picture", "", "Paints on beyond the right edge; what is there stays."),
    _action("harmonise.extend_up", "Upwards", "Harmonise/Extend picture", "", "Paints on beyond the upper edge; what is there stays."),
    _action("harmonise.extend_down", "Downwards", "Harmonise/Extend picture", "", "Paints on beyond the lower edge; what is there stays."),
    _action("harmonise.queue", "Queue", "Harmonise", "", "What runs, what waits, what failed.", icon="queue"),
    _action("harmonise.settings", "Settings", "Harmonise", "", "Quality, seeds, method. The defaults suit most pictures.", icon="settings"),
    _action("harmonise.model", "Model", "Harmonise", "", "What paints, and whether it fits this computer.", icon="model"),
    _action("harmonise.restart_engine", "Restart engine", "Harmonise", "", "Starts the engine afresh; the document is not touched."),
)  # fmt: skip

_VIEW = (
    _action("tool.move", "Move", "View/Tool", "V", "Selects, moves, scales and turns layers.", icon="move", scope="canvas"),
    _action("tool.pick", "Pick", "View/Tool", "W", "Strokes on an object and around it cut it out.", icon="pick", scope="canvas"),
    _action("tool.brush", "Mask brush", "View/Tool", "B", "Adds to the mask. X removes.", icon="brush", scope="canvas"),
    _action("tool.eraser", "Eraser", "View/Tool", "E", "Hides parts of a layer.", icon="eraser", scope="canvas"),
    _action("tool.lasso", "Lasso", "View/Tool", "L", "Keeps, adds or hides the part you draw around.", icon="lasso", scope="canvas"),
    _action("tool.noise", "Noise brush", "View/Tool", "N", "Paint more or less change into the layer.", icon="noise-brush", scope="canvas"),
    _action("tool.layout", "Layout box", "View/Tool", "U", "Draws a place with a text and no picture.", icon="layout", scope="canvas"),
    _action("tool.crop", "Crop", "View/Tool", "C", "Cuts the canvas or makes it larger; layers keep all their pixels.", icon="crop", scope="canvas"),
    _action("tool.hand", "Hand", "View/Tool", "H", "Moves the view.", icon="hand", scope="canvas"),
    _action("tool.zoom", "Zoom", "View/Tool", "Z", "Brings the view nearer.", icon="zoom", scope="canvas"),
    _action("view.collage", "Collage", "View", "Alt+Shift+1", "The layers as you placed them."),
    _action("view.harmonised", "Harmonised", "View", "Alt+Shift+2", "The picture the model made of them.", needs="harmonised"),
    _action("view.compare", "Compare", "View", "Y", "Wipe between two versions.", icon="compare", needs="harmonised", scope="canvas"),
    _action("view.fit", "Fit", "View", "Ctrl+0", "The whole picture in the window.", icon="zoom"),
    _action("view.actual", "100 %", "View", "Ctrl+1", "One picture pixel for each screen pixel."),
    _action("view.zoom_in", "Zoom in", "View", "Ctrl++", "Nearer."),
    _action("view.zoom_out", "Zoom out", "View", "Ctrl+-", "Further away."),
    _action("view.noise_map", "Noise map", "View", "Shift+N", "What the sampler will change, and how much.", icon="noise-map", scope="canvas"),
    _action("view.overlays", "Overlays", "View", "Ctrl+H", "Outlines, handles, guides and badges.", icon="guides"),
    _action("view.canvas_only", "Canvas only", "View", "F", "Hides all panels.", scope="canvas"),
    _action("view.theme", "Light or dark", "View", "", "Changes the colours of the window."),
)  # fmt: skip

_HELP = (
    _action("help.shortcuts", "Shortcuts", "Help", "F1", "All keys at a glance."),
    _action("help.about", "About Collage Studio", "Help", "", "Version and licences."),
)

ACTIONS: tuple[Action, ...] = (
    *_FILE, *_EDIT, *_LAYER, *_MASK, *_NOISE, *_OPACITY, *_RUNS, *_VIEW, *_HELP,
)  # fmt: skip

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def has_paint(document: Document, selected: Sequence[str]) -> bool:
    """One of the layers, or what a group of them holds, has painted noise."""
    layers = (layer for layer in map(document.find, selected) if layer is not None)
    return any(inner.noise_paint is not None for layer in layers for inner in layer.walk())


def states_of(
    document: Document,
    selected: Sequence[str],
    *,
    undo: bool = False,
    redo: bool = False,
    running: bool = False,
    shown_variation: str = "",
    modified: bool = False,
) -> frozenset[str]:
    """Which states hold now; an action works when all its `needs` are among them."""
    layers = [layer for layer in map(document.find, selected) if layer is not None]
    holds = {
        "layers": bool(document.layers),
        "selection": bool(layers),
        "one_selected": len(layers) == 1,
        "several_selected": len(layers) > 1,
        "group_selected": any(layer.is_group for layer in layers),
        "painted": has_paint(document, selected),
        "unlocked": not any(layer.locked for layer in layers),
        "undo": undo,
        "redo": redo,
        "running": running,
        "variations": bool(document.variations),
        "variation_shown": any(item.id == shown_variation for item in document.variations),
        "harmonised": bool(document.variations) or document.accepted is not None,
        "accepted": document.accepted is not None,
        "changed": bool(what_changed(document)),
        "modified": modified,
    }
    return frozenset(name for name, is_so in holds.items() if is_so)


def reason_against(action: Action, states: frozenset[str]) -> str:
    """Why the action cannot be used now, for its tooltip; empty if it can."""
    return next((text for name, text in REASONS.items() if name in action.needs - states), "")


def find_actions(words: str) -> tuple[Action, ...]:
    """Actions whose label, menu or tooltip holds every word, those whose label does first."""
    wanted = words.lower().split()

    def place(action: Action) -> int | None:
        label = action.label.lower()
        everything = f"{label} {action.menu} {action.tooltip}".lower()
        if not all(word in everything for word in wanted):
            return None
        return 0 if all(word in label for word in wanted) else 1

    found = [(place(action), action) for action in ACTIONS]
    kept = [(rank, action) for rank, action in found if rank is not None]
    return tuple(action for _, action in sorted(kept, key=lambda pair: pair[0]))
