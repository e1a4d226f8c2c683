"""Extras of layers and runs <-> the plain data of collage.json; defaults are not written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collage_studio.document.extras import ControlKind, LayerExtras, LoraUse, RunExtras
from collage_studio.document.model import Raster
from collage_studio.formats.fields import BadData, Fields

_MOST_LORAS = 64
_NAMES = (
    "control_model", "control_kind", "reference_model", "clip_model", "sam_model", "identity_model",
)  # fmt: skip


def layer_extras_data(extras: LayerExtras) -> dict[str, Any]:
    """What differs from the defaults, without the control picture."""
    plain, data = LayerExtras(), dict(extras.unknown)
    for name in ("control", "reference"):
        if getattr(extras, name) != getattr(plain, name):
            data[name] = getattr(extras, name)
    if extras.loras:
        data["loras"] = _loras_data(extras.loras)
    return data


def run_extras_data(extras: RunExtras) -> dict[str, Any]:
    """What differs from the defaults."""
    plain, data = RunExtras(), dict[str, Any]()
    for name in _NAMES:
        if getattr(extras, name) != getattr(plain, name):
            data[name] = str(getattr(extras, name))
    if extras.loras:
        data["loras"] = _loras_data(extras.loras)
    return data


def read_layer_extras(source: Fields | None, picture: Raster | None) -> LayerExtras:
    """The extras in `source`; keys of a newer version are kept.

    Raises:
        BadData: a value is not what it must be.
    """
    if source is None:
        return LayerExtras(control_picture=picture)
    plain = LayerExtras()
    return LayerExtras(
        control=source.number("control", plain.control, 0.0, 1.0),
        control_picture=picture,
        loras=_read_loras(source),
        reference=source.number("reference", plain.reference, 0.0, 1.0),
        unknown=source.unknown(),
    )


def read_run_extras(source: Fields | None) -> RunExtras:
    """The extras in `source`.

    Raises:
        BadData: a value is not what it must be.
    """
    if source is None:
        return RunExtras()
    return RunExtras(
        control_model=source.text("control_model"),
        control_kind=source.choice("control_kind", ControlKind.CANNY),
        reference_model=source.text("reference_model"),
        loras=_read_loras(source),
        clip_model=source.text("clip_model"),
        sam_model=source.text("sam_model"),
        identity_model=source.text("identity_model"),
    )


def _loras_data(loras: Sequence[LoraUse]) -> list[dict[str, Any]]:
    return [{"path": use.path, "weight": use.weight} for use in loras]


def _read_loras(source: Fields) -> tuple[LoraUse, ...]:
    items = source.items("loras")
    if len(items) > _MOST_LORAS:
        raise BadData(f"{source.where} has more than {_MOST_LORAS} LoRAs")
    loras = list[LoraUse]()
    for item in items:
        fields = Fields(item, f"a LoRA of {source.where}", source.notices)
        try:
            loras.append(LoraUse(fields.text("path"), fields.number("weight", 1.0)))
        except ValueError as error:
            raise BadData(f"{fields.where}: {str(error).rstrip('.')}") from error
    return tuple(loras)
