"""Where a training gets its data from: a folder with a manifest, or the sticker world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from collage_studio.starter.rich_context import fill_layouts, read_layouts
from collage_studio.training.rich_context.base import FrozenModel
from collage_studio.training.rich_context.config import TrainConfig, TrainingRefused
from collage_studio.training.rich_context.examples import Source
from collage_studio.training.rich_context.items import check_pictures, read_manifest
from collage_studio.training.rich_context.manifest_source import ManifestSource
from collage_studio.training.rich_context.sticker_source import StickerSource

LAYOUTS = "layouts"


def manifest_of(folder: Path, config: TrainConfig) -> Callable[[FrozenModel], Source]:
    """The items of a folder; everything is checked before the model is loaded.

    Raises:
        TrainingRefused: there is no manifest, or an item is wrong.
    """
    items = read_manifest(folder)
    check_pictures(folder, items)

    def opened(model: FrozenModel) -> Source:
        return ManifestSource(
            folder,
            items,
            side=model.side,
            factor=model.family.factor,
            max_objects=config.max_objects,
            views=config.views,
        )

    return opened


def sticker_world(folder: Path, count: int) -> Callable[[FrozenModel], Source]:
    """`count` crowded scenes, rendered into a folder where they are missing.

    Raises:
        TrainingRefused: `count` is not positive, or, when opened, the model is another one.
    """
    if count < 2:
        raise TrainingRefused("The sticker world needs at least 2 scenes to learn from.")

    def opened(model: FrozenModel) -> Source:
        vae = model.family.vae
        if not isinstance(vae, AutoencoderTiny) or vae.config["latent_channels"] != 8:
            raise TrainingRefused(
                "Encoded sticker scenes are for the starter model. For another model make "
                "pictures of them: collage-studio train prepare --synthetic N."
            )
        fill_layouts(folder, vae, count)
        return StickerSource(read_layouts(folder)[:count])

    return opened
