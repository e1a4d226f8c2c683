"""A thin layer over psd-tools' writer, with all its traps in one place.

psd-tools has no public way to write a merged picture of ours, group masks, or names outside
MacRoman; the private parts used here are why its version is pinned exactly.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import BlendMode as PsdBlend
from psd_tools.constants import Compression, ProtectedFlags, Resource, Tag
from psd_tools.psd.image_resources import ImageResource, ResoulutionInfo, ThumbnailResource
from psd_tools.psd.layer_and_mask import ChannelData, ChannelDataList

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import BlendMode, Layer
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.picture import shrunk
from collage_studio.formats.text import ascii_name, plain_name

Pixels = npt.NDArray[np.uint8]
_DPI = 72
_THUMBNAIL_SIDE = 160
_FIXED_POINT = 1 << 16


@dataclass(frozen=True, slots=True)
class Look:
    """What a PSD keeps of a layer beside its pixels."""

    name: str
    opacity: float = 1.0
    blend: BlendMode = BlendMode.NORMAL
    visible: bool = True
    locked: bool = False

    @classmethod
    def of_layer(cls, layer: Layer) -> Look:
        blend = layer.blend
        if blend is BlendMode.PASS_THROUGH and not layer.is_group:
            blend = BlendMode.NORMAL
        return cls(layer.name, layer.opacity, blend, layer.visible, layer.locked)


class PsdWriter:
    """A PSD under construction, bottom layer first; 8 bit RGB with layers' own alpha."""

    def __init__(self, size: Size) -> None:
        # In an "RGB" document psd-tools would turn a layer's alpha into a layer mask.
        self._psd: Any = PSDImage.new(
            "RGBA", (size.width, size.height), compression=Compression.RLE
        )
        self._size = size

    @property
    def root(self) -> Any:
        """The parent of top-level layers."""
        return self._psd

    def add_pixels(self, parent: Any, look: Look, pixels: Pixels, left: int, top: int) -> Any:
        """Put (h, w, 4) straight pixels on top of `parent`; gives the new layer."""
        layer = parent.create_pixel_layer(Image.fromarray(pixels), name="l", left=left, top=top)
        _dress(layer, look)
        return layer

    def add_group(self, parent: Any, look: Look) -> Any:
        """Put an empty group on top of `parent`; gives the new group."""
        group = parent.create_group(name="g")
        _dress(group, look)
        # A group shares its channel list with its end marker, so that a mask would be written
        # twice and break the file.
        own = ChannelDataList()
        for _ in range(4):
            own.append(ChannelData(compression=Compression.RAW, data=b""))
        group._bounding_channels = own
        return group

    def add_mask(self, layer: Any, mask: Pixels, box: Rect, *, enabled: bool = True) -> None:
        """Give a layer or group a mask channel, (h, w) in `box`; nothing shows outside it."""
        layer.create_mask(Image.fromarray(mask), top=box.top, left=box.left)
        layer._record.mask_data.background_color = 0
        layer._record.mask_data.flags.mask_disabled = not enabled

    def write(self, file: IO[bytes], merged: Pixels, xmp: bytes) -> None:
        """Finish the file.

        Args:
            merged: the flat picture, (H, W, 4) straight.
            xmp: the metadata packet.
        """
        psd = self._psd
        psd._update_record()
        # A positive count would make readers take the merged alpha for a saved channel.
        info = psd._record.layer_and_mask_information.layer_info
        info.layer_count = -abs(info.layer_count)
        psd._merged_alpha = True
        planes = [np.ascontiguousarray(plane).tobytes() for plane in _on_white(merged)]
        psd._record.image_data.set_data(planes, psd._record.header)
        for key, data in _resources(merged, self._size, xmp).items():
            psd.image_resources[key] = ImageResource(key=key, data=data)
        psd._updated = False  # else psd-tools composites a merged picture of its own
        psd._record.write(file)


def _dress(layer: Any, look: Look) -> None:
    name = plain_name(look.name)
    layer.name = name  # by the setter: it writes the Unicode name, the constructor cannot
    layer._record.name = ascii_name(name)
    layer.opacity = round(look.opacity * 255)
    layer.blend_mode = PsdBlend[look.blend.name]
    layer.visible = look.visible
    if look.locked:
        # layer.lock() alters a copy of a block that it has just made: the first call is lost.
        layer.tagged_blocks.set_data(Tag.PROTECTED_SETTING, int(ProtectedFlags.COMPLETE))


def _on_white(merged: Pixels) -> tuple[Pixels, ...]:
    """Red, green, blue matted on white, and alpha: how readers expect a merged picture."""
    alpha = merged[..., 3]
    if alpha.min() == 255:
        return tuple(merged[..., channel] for channel in range(4))
    share = alpha[..., np.newaxis].astype(np.float32) / 255
    matted = merged[..., :3] * share + 255 * (1 - share) + 0.5
    colours = matted.astype(np.uint8)
    return (*(colours[..., channel] for channel in range(3)), alpha)


def _resources(merged: Pixels, size: Size, xmp: bytes) -> dict[Resource, Any]:
    dpi = _DPI * _FIXED_POINT
    return {
        Resource.RESOLUTION_INFO: ResoulutionInfo(dpi, 1, 1, dpi, 1, 1),
        Resource.THUMBNAIL_RESOURCE: _thumbnail(merged, size),
        Resource.ICC_PROFILE: srgb_profile(),
        Resource.XMP_METADATA: xmp,
    }


def _thumbnail(merged: Pixels, size: Size) -> ThumbnailResource:
    scale = min(1.0, _THUMBNAIL_SIDE / max(size.width, size.height))
    small = Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    picture = np.stack(_on_white(shrunk(merged, small))[:3], axis=2)
    output = io.BytesIO()
    Image.fromarray(picture).save(output, "JPEG", quality=85)
    row = (small.width * 24 + 31) // 32 * 4
    return ThumbnailResource(
        1, small.width, small.height, row, row * small.height, 24, 1, output.getvalue()
    )
