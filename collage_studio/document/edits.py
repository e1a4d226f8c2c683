"""All edits of a document in one place: pure functions Document -> Document.

An edit that hits a missing layer, or changes nothing, returns the very same document.
"""

from collage_studio.document.arranging import Edge, align_layers, flip_layers
from collage_studio.document.choosing import accept_variation, add_variations, drop_variation
from collage_studio.document.clipping import clip_base, set_clipped
from collage_studio.document.stacking import (
    add_chip,
    add_layer,
    change_layer,
    change_layers,
    duplicate_layers,
    group_layers,
    move_layer,
    remove_layers,
    set_caption,
    set_noise,
    set_settings,
    set_state,
    transform_layers,
    ungroup,
)

__all__ = [
    "Edge",
    "accept_variation",
    "add_chip",
    "add_layer",
    "add_variations",
    "align_layers",
    "change_layer",
    "change_layers",
    "clip_base",
    "drop_variation",
    "duplicate_layers",
    "flip_layers",
    "group_layers",
    "move_layer",
    "remove_layers",
    "set_caption",
    "set_clipped",
    "set_noise",
    "set_settings",
    "set_state",
    "transform_layers",
    "ungroup",
]
