"""Which trained rich-context adapter a run uses. Looks at file names alone and loads nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from collage_studio.document.method_settings import NO_ADAPTER
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.checkpoint import check_file, read_header
from collage_studio.formats.errors import FormatError
from collage_studio.resources_dir import resources_path

FILE_NAME = "rich_context.safetensors"
METHOD = "rich_context"


def adapter_file(settings: RunSettings) -> Path | None:
    """The adapter of a run of the method; None where the settings want none or none is there.

    A model's own adapter lies in its folder; the starter's comes with the program.
    """
    named = settings.methods.rich_context.adapter
    if settings.method != METHOD or named == NO_ADAPTER:
        return None
    if named:
        return Path(named).expanduser()
    if settings.model == "starter":
        own = resources_path("starter", FILE_NAME)
    else:
        own = Path(settings.model).expanduser() / FILE_NAME
    return own if own.is_file() else None


def adapter_sentence(settings: RunSettings) -> str:
    """Says which adapter a run uses; empty for other methods."""
    if settings.method != METHOD:
        return ""
    if settings.methods.rich_context.adapter == NO_ADAPTER:
        return "Regional attention without training."
    found = adapter_file(settings)
    if found is None:
        return NOT_THERE
    if not settings.methods.rich_context.adapter:
        return "Uses the trained adapter that belongs to this model."
    return f"Uses the trained adapter {found.name}."


def check_adapter(path: Path) -> None:
    """Raise `FormatError` with a sentence unless the file is an adapter of this program."""
    check_file(path)
    header = read_header(path)
    if header.facts.get("kind") != KIND:
        is_published = any(".fuser." in name for name in header.shapes)
        raise FormatError((_UNCONVERTED if is_published else _OTHER).format(name=path.name))


KIND = "rich-context adapter"
_OTHER = "{name} is no rich-context adapter. Choose another file."
_UNCONVERTED = (
    "{name} is a rich-context checkpoint as it was published. "
    "Convert it first: collage-studio rich-context convert {name} adapter.safetensors"
)
NOT_THERE = "No trained adapter for this model: regional attention without training."


def settled(settings: RunSettings) -> RunSettings:
    """The settings with "no adapter" said outright where there is none, as recipes keep it."""
    own = settings.methods.rich_context
    if settings.method != METHOD or own.adapter or adapter_file(settings) is not None:
        return settings
    said = replace(settings.methods, rich_context=replace(own, adapter=NO_ADAPTER))
    return replace(settings, methods=said)
