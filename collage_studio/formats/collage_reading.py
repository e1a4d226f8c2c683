"""The plain data of collage.json -> Document, with every value checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, cast

from collage_studio.document.extras import LayerExtras
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.looks import Look
from collage_studio.document.model import (
    BlendMode,
    Caption,
    Document,
    Layer,
    LayerKind,
    LayerRef,
    Mask,
    NextState,
    Raster,
    Variation,
)
from collage_studio.document.recipe import Recipe, RunSettings, Start
from collage_studio.formats.collage_json import mask_member, pixels_member
from collage_studio.formats.extras_json import read_layer_extras, read_run_extras
from collage_studio.formats.fields import BadData, Fields
from collage_studio.formats.limits import MAX_DEPTH

_BITMAPS = ("pixels", "mask", "harmonised", "control_picture", "noise_paint")


@dataclass(frozen=True, slots=True)
class Asset:
    """A bitmap that collage.json refers to: `depth` is 8 or 16, or 1 for a mask."""

    key: str
    width: int
    height: int
    depth: int

    @property
    def member(self) -> str:
        return mask_member(self.key) if self.depth == 1 else pixels_member(self.key)


@dataclass(slots=True)
class Assets:
    """The bitmaps that could be read, and what was lost with the others."""

    rasters: Mapping[str, Raster] = field(default_factory=dict[str, Raster])
    masks: Mapping[str, Mask] = field(default_factory=dict[str, Mask])
    lost_layers: list[str] = field(default_factory=list[str])
    lost_masks: list[str] = field(default_factory=list[str])
    lost_harmonised: list[str] = field(default_factory=list[str])
    lost_noise_paint: list[str] = field(default_factory=list[str])
    lost_variations: int = 0
    looks: Mapping[str, Look] = field(default_factory=dict[str, Look])
    lost_looks: list[str] = field(default_factory=list[str])


def assets_of(data: Mapping[str, Any]) -> set[Asset]:
    """Every bitmap that the document in `data` refers to.

    Raises:
        BadData: a reference is not well-formed.
    """
    root = Fields(data, "the document", [])
    found = set[Asset]()
    for layer in _walk(*_layer_items(root)):
        found.update(_asset(layer, name) for name in _BITMAPS if layer.raw(name))
    for item in (*root.items("variations"), root.raw("accepted")):
        if item is not None:
            found.add(_asset(Fields(item, "a variation", []), "picture"))
    return found


def look_keys_of(data: Mapping[str, Any]) -> set[str]:
    """The key of every learned look that the document in `data` refers to.

    Raises:
        BadData: a reference is not well-formed.
    """
    root = Fields(data, "the document", [])
    layers = _walk(*_layer_items(root))
    return {_key(inner) for layer in layers if (inner := _look_reference(layer)) is not None}


def _look_reference(layer: Fields) -> Fields | None:
    return layer.inner("look", f"look of {layer.where}")


def _layer_items(root: Fields) -> tuple[Any, ...]:
    return (root.raw("background"), *root.items("layers"), *root.items("beside"))


def _walk(*items: Any, depth: int = 0) -> Iterator[Fields]:
    if depth > MAX_DEPTH:
        raise BadData(f"more than {MAX_DEPTH} groups lie inside each other")
    for item in items:
        if item is not None:
            layer = Fields(item, "a layer", [])
            yield layer
            yield from _walk(*layer.items("children"), depth=depth + 1)


def _asset(owner: Fields, name: str) -> Asset:
    reference = owner.inner(name, f"{name} of {owner.where}")
    if reference is None:
        raise BadData(f"{owner.where} has no {name}")
    key = _key(reference)
    depth = 1 if name == "mask" else reference.whole("depth", 8)
    if depth not in (1, 8, 16):
        raise BadData(f"{reference.where} has {depth} bits")
    width, height = (reference.whole(side, 0, 1) for side in ("width", "height"))
    return Asset(key, width, height, depth)


def _key(reference: Fields) -> str:
    key = reference.text("key")
    if not key or len(key) > 128 or not key.isalnum():
        raise BadData(f"{reference.where} has no proper key")
    return key


def read_document(data: Mapping[str, Any], assets: Assets, notices: list[str]) -> Document:
    """The document in `data`. Layers and variations without their pixels are left out and listed.

    Raises:
        BadData: a value is not what it must be.
    """
    root = Fields(data, "the document", notices)
    for key in ("format", "version", "app_version"):
        root.raw(key)
    size = root.numbers("size", 2)
    background = root.inner("background", "the background")
    settings = root.inner("settings", "the settings")
    if size is None:
        raise BadData("the document has no size")
    document = Document(size=_checked(Size, int(size[0]), int(size[1])))
    if background is not None:
        document = replace(
            document, background=_read_layer(background, assets, 0) or document.background
        )
    accepted = root.inner("accepted", "the accepted variation")
    variations = [Fields(item, "a variation", notices) for item in root.items("variations")]
    return _with_unique_ids(
        replace(
            document,
            layers=_read_layers(root.items("layers"), assets, notices, 0),
            caption=Caption(tuple(_read_part(part, notices) for part in root.items("caption"))),
            settings=_read_settings(settings) if settings else RunSettings(),
            variations=tuple(v for v in (_read_variation(f, assets) for f in variations) if v),
            accepted=_read_variation(accepted, assets) if accepted else None,
            beside=_read_layers(root.items("beside"), assets, notices, 0),
            written_back=root.text("written_back"),
            unknown=root.unknown(),
        )
    )


def _checked(make: Any, *values: Any, **named: Any) -> Any:
    """Build a value of the document; what it refuses is bad data."""
    try:
        return make(*values, **named)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadData(str(error).rstrip(".")) from error


def _with_unique_ids(document: Document) -> Document:
    seen = {document.background.id}
    for layer in (*document.walk(), *document.beside):
        if layer.id in seen:
            raise BadData(f"two layers have the id {layer.id}")
        seen.add(layer.id)
    return document


def _read_part(part: Any, notices: list[str]) -> str | LayerRef:
    if isinstance(part, str):
        return part
    return LayerRef(Fields(part, "a part of the caption", notices).text("layer"))


def _read_layers(
    items: list[Any], assets: Assets, notices: list[str], depth: int
) -> tuple[Layer, ...]:
    layers = list[Layer]()
    for item in items:
        source = Fields(item, "a layer", notices)
        layer = _read_layer(source, assets, depth)
        if layer is not None:
            layers.append(layer)
    return tuple(layers)


def _read_layer(source: Fields, assets: Assets, depth: int) -> Layer | None:
    """The layer, or None if its pixels are lost."""
    layer_id, name = source.text("id"), source.text("name")
    source.where = f"layer {name or layer_id}"
    if not layer_id:
        raise BadData(f"{source.where} has no id")
    kind = source.choice("kind", LayerKind.PICTURE)
    raster, mask = _read_bitmaps(source, name, assets)
    placement = source.numbers("placement", 6)
    values: dict[str, Any] = {
        "mask_enabled": source.flag("mask_enabled", True),
        "placement": _checked(Affine, *placement) if placement else Affine(),
        "opacity": source.number("opacity", 1.0, 0.0, 1.0),
        "blend": source.choice("blend", BlendMode.NORMAL),
        "visible": source.flag("visible", True),
        "locked": source.flag("locked", False),
        "text": source.text("text"),
        "noise": source.number("noise", 0.5, 0.0, 1.0),
        "state": source.choice("state", NextState.HARMONISE),
        "attention_in": source.number("attention_in", 0.4, 0.0),
        "attention_out": source.number("attention_out", 0.8, 0.0),
        "fill": _read_fill(source),
        "clipped": source.flag("clipped", False),
        **_read_harmonised(source, name, assets),
        "noise_paint": _read_noise_paint(source, name, assets),
        "look": _read_look(source, name, assets),
        "extras": _read_extras(source, name, assets),
        "children": _read_layers(source.items("children"), assets, source.notices, depth + 1),
    }
    has_pixels = kind in (LayerKind.PICTURE, LayerKind.LAYOUT)
    if (has_pixels and raster is None) or (kind is LayerKind.LAYOUT and mask is None):
        assets.lost_layers.append(name or layer_id)
        return None
    return _checked(Layer, layer_id, name, kind, raster, mask, **values, unknown=source.unknown())


def _read_bitmaps(source: Fields, name: str, assets: Assets) -> tuple[Raster | None, Mask | None]:
    raster = assets.rasters.get(_asset(source, "pixels").key) if source.raw("pixels") else None
    if not source.raw("mask"):
        return raster, None
    mask = assets.masks.get(_asset(source, "mask").key)
    if mask is None:
        assets.lost_masks.append(name or source.text("id"))
    return raster, mask


def _read_harmonised(source: Fields, name: str, assets: Assets) -> dict[str, Any]:
    """The harmonised pixels and their place; a layer that lost them shows its own."""
    inner = source.inner("harmonised", f"harmonised of {source.where}")
    if inner is None:
        return {}
    raster = assets.rasters.get(_asset(source, "harmonised").key)
    placement = inner.numbers("placement", 6)
    if raster is None:
        assets.lost_harmonised.append(name or source.text("id"))
        return {}
    placed = _checked(Affine, *placement) if placement else Affine()
    return {"harmonised": raster, "harmonised_placement": placed}


def _read_noise_paint(source: Fields, name: str, assets: Assets) -> Raster | None:
    """The painted noise; a layer that lost it has one noise everywhere."""
    if not source.raw("noise_paint"):
        return None
    paint = assets.rasters.get(_asset(source, "noise_paint").key)
    if paint is None:
        assets.lost_noise_paint.append(name or source.text("id"))
    return paint


def _read_look(source: Fields, name: str, assets: Assets) -> Look | None:
    reference = _look_reference(source)
    if reference is None:
        return None
    look = assets.looks.get(_key(reference))
    if look is None:
        assets.lost_looks.append(name or source.text("id"))
    return look


def _read_extras(source: Fields, name: str, assets: Assets) -> LayerExtras:
    picture = None
    if source.raw("control_picture"):
        picture = assets.rasters.get(_asset(source, "control_picture").key)
        if picture is None:
            source.notices.append(f"The control picture of {name} is missing and was left out.")
    inner = source.inner("extras", f"extras of {source.where}")
    return _checked(read_layer_extras, inner, picture)


def _read_fill(source: Fields) -> tuple[int, int, int, int]:
    values = source.numbers("fill", 4) or [150, 150, 150, 255]
    if not all(0 <= value <= 255 for value in values):
        raise BadData(f"fill of {source.where} is no colour")
    red, green, blue, alpha = (int(value) for value in values)
    return red, green, blue, alpha


def _read_settings(source: Fields) -> RunSettings:
    """Every key that is present; keys this version does not know are of no use to it."""
    extras = read_run_extras(source.inner("extras", f"extras of {source.where}"))
    return replace(_read_values(RunSettings(), source), extras=extras)


def _read_values(defaults: Any, source: Fields) -> Any:
    """`defaults`, a flat or nested dataclass of plain values, with what `source` says instead."""
    values = dict[str, Any]()
    for item in fields(defaults):
        default = getattr(defaults, item.name)
        if is_dataclass(default):
            inner = source.inner(item.name, f"{item.name} of {source.where}")
            values[item.name] = default if inner is None else _read_values(default, inner)
        elif isinstance(default, str):
            values[item.name] = source.text(item.name, default)
        elif isinstance(default, bool):
            values[item.name] = source.flag(item.name, default)
        elif isinstance(default, int):
            values[item.name] = source.whole(item.name, default)
        elif isinstance(default, float):
            values[item.name] = source.number(item.name, default)
    return _checked(type(defaults), **values)


def _read_variation(source: Fields, assets: Assets) -> Variation | None:
    picture = assets.rasters.get(_asset(source, "picture").key)
    recipe = source.inner("recipe", "a recipe")
    box = source.numbers("box", 4)
    if recipe is None:
        raise BadData(f"{source.where} has no recipe")
    if picture is None:
        assets.lost_variations += 1
        return None
    return Variation(
        id=source.text("id"),
        run=source.whole("run", 0),
        picture=picture,
        recipe=read_recipe_data(recipe),
        box=Rect(*(int(value) for value in box)) if box else None,
    )


def read_recipe_data(source: Fields) -> Recipe:
    """The recipe in `source`.

    Raises:
        BadData: a value is not what it must be.
    """
    settings = source.inner("settings")
    return Recipe(
        kind=source.text("kind"),
        seed=source.whole("seed", 0),
        settings=_read_settings(settings) if settings else RunSettings(),
        caption=source.text("caption"),
        layer_ids=tuple(str(item) for item in source.items("layer_ids")),
        start=source.choice("start", Start.CURRENT),
        layers=tuple(_object(item) for item in source.items("layers")),
        app_version=source.text("app_version"),
        also=source.text("also"),
        taken=tuple(_taken(Fields(item, "a taken layer", [])) for item in source.items("taken")),
    )


def _taken(source: Fields) -> tuple[str, int]:
    return source.text("layer"), source.whole("seed", 0)


def _object(item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise BadData("a layer of a recipe is no list of named values")
    return cast(dict[str, Any], item)
