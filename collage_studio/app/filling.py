"""Fill behind: asks the model for what the accepted picture could not show, and puts it in place.

The runs see the collage as it lay when its picture was accepted: what is hidden there is what a
layer leaves open when it moves or goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.requests import lean
from collage_studio.document.geometry import Affine
from collage_studio.document.harmonised import GROUND
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.document.tree import mapped
from collage_studio.engine.api import Filled, FillRequest

Submit = Callable[[Callable[[], Any], Callable[[Any], None]], None]

NOTHING = "Nothing is missing there: what is hidden has pixels of its own in the right light."


def reason_against_filling(document: Document) -> str:
    """Why nothing can be filled now; empty if it can."""
    if document.accepted is None:
        return "Accept a variation first: there is nothing harmonised to fill yet."
    if document.written_back != document.accepted.id:
        return "The accepted picture is still on its way into the layers. Try again in a moment."
    return ""


def as_accepted(document: Document, before: Document | None = None) -> Document:
    """The document with its layers where they lay when its picture was accepted.

    Args:
        before: an earlier state with the same accepted picture, for layers that are gone since.
    """
    accepted = document.accepted
    assert accepted is not None
    places = {
        str(entry.get("id")): tuple(float(value) for value in entry["placement"])
        for entry in accepted.recipe.layers
        if "placement" in entry
    }
    source = document
    if before is not None and before.written_back == document.written_back:
        source = replace(_with_pixels_of(before, document), beside=document.beside)

    def placed(layer: Layer) -> tuple[Layer]:
        place = places.get(layer.id)
        if place is None or place == layer.placement.as_tuple():
            return (layer,)
        return (replace(layer, placement=Affine(*place)),)

    ids = {layer.id for layer in source.walk()}
    return replace(source, layers=mapped(source.layers, ids, placed))


def fill_request(
    document: Document,
    layer_ids: Sequence[str],
    seed: int,
    before: Document | None = None,
) -> FillRequest | None:
    """Paint what these layers hide, or all of them if none are named; None if nothing is missing.

    Args:
        before: as in `as_accepted`.
    """
    # OpenCV is not needed before there is a picture.
    from collage_studio.writeback.filling import needs_run
    from collage_studio.writeback.hidden import gaps_of

    arranged = as_accepted(document, before)
    if not any(needs_run(gap) for gap in gaps_of(arranged, layer_ids)):
        return None
    return FillRequest(lean(arranged), tuple(layer_ids), seed, document.settings)


class Fillings:
    """What the jobs have painted so far; applied as one edit when a job is done."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._found: dict[str, list[Filled]] = {}

    def take(self, job_id: str, event: Filled) -> None:
        """Keep a layer's pixels until the job is done."""
        self._found.setdefault(job_id, []).append(event)

    def apply(self, job_id: str, request: FillRequest) -> None:
        """Give the layers their pixels, unless another picture was accepted meanwhile."""
        events = self._found.pop(job_id, [])
        if self._editor.document.written_back != request.document.written_back:
            return
        label = f"Fill behind {_names(request.document, request.layer_ids)}"
        self._editor.apply(lambda document: with_fillings(document, events), label)

    def drop(self, job_id: str) -> None:
        """The job was stopped or failed."""
        self._found.pop(job_id, None)

    def forget(self) -> None:
        """Another document was opened."""
        self._found.clear()


def with_fillings(document: Document, events: Sequence[Filled]) -> Document:
    """Take over filled pixels in order; a layer with other pixels than the run saw keeps its."""
    for event in events:
        if key_of(document, event.layer_id) != event.before:
            continue
        raster = Raster(event.pixels)
        if event.layer_id == GROUND:
            beside = tuple(
                replace(one, raster=raster, placement=event.placement) if one.id == GROUND else one
                for one in document.beside
            )
            document = replace(document, beside=beside)
            continue

        def given(layer: Layer, raster: Raster = raster, to: Affine = event.placement) -> Any:
            return (replace(layer, harmonised=raster, harmonised_placement=to),)

        layers = mapped(document.layers, {event.layer_id}, given)
        document = replace(document, layers=layers)
    return document


def key_of(document: Document, layer_id: str) -> str:
    """Key of a layer's harmonised pixels, or of the canvas's own; empty if there are none."""
    if layer_id == GROUND:
        rasters = [layer.raster for layer in document.beside if layer.id == GROUND]
    else:
        rasters = [layer.harmonised for layer in document.walk() if layer.id == layer_id]
    return next((raster.key for raster in rasters if raster is not None), "")


class FillOffer:
    """Watches one editor: offers to fill behind a harmonised layer that moved or went."""

    def __init__(self, editor: Editor, notice: Callable[[Notice], None], submit: Submit) -> None:
        self._editor, self._notice, self._submit = editor, notice, submit
        self._key = ""
        self._before: Document | None = None
        self._asked: set[str] = set()
        self._subscription = editor.changed.subscribe(lambda _change: self._on_changed())

    @property
    def before(self) -> Document | None:
        """The document when its picture had just come into the layers; None if it has not."""
        return self._before

    def close(self) -> None:
        """Stop watching."""
        self._subscription.close()

    def fill_asked(self, layer_ids: Sequence[str]) -> None:
        """The person has asked for it: these need no offer any more."""
        there = (layer.id for layer in self._editor.document.walk())
        self._asked.update(layer_ids or there)

    def _on_changed(self) -> None:
        document = self._editor.document
        if reason_against_filling(document):
            self._key, self._before = "", None
            return
        if document.written_back != self._key:
            self._key, self._before = document.written_back, document
            self._asked = set()
        left = [i for i in self._left_their_place(document) if i not in self._asked]
        if not left:
            return
        self._asked.update(left)
        key, before = self._key, self._before

        def arrived(request: FillRequest | None) -> None:
            if request is not None and key == self._key:
                self._offer(left)

        self._submit(lambda: fill_request(document, left, 0, before), arrived)

    def _left_their_place(self, document: Document) -> list[str]:
        """Harmonised layers that do not lie where the accepted picture shows them."""
        accepted, before = document.accepted, self._before
        assert accepted is not None
        places = {str(entry.get("id")): entry.get("placement") for entry in accepted.recipe.layers}
        there = {layer.id: layer for layer in document.walk()}
        found = list[str]()
        for layer in before.walk() if before is not None else document.walk():
            now, place = there.get(layer.id), places.get(layer.id)
            if place is None or (layer.harmonised is None and not layer.is_group):
                continue
            same = now is not None and now.visible and tuple(place) == now.placement.as_tuple()
            if not same:
                found.append(layer.id)
        return found

    def _offer(self, ids: Sequence[str]) -> None:
        source = self._before or self._editor.document
        names = _names(source, ids)
        text = f"{names} left a place where nothing was painted yet."
        button = (("Fill behind", f"layer.fill_behind_of:{','.join(ids)}"),)
        self._notice(Notice(text, "info", button, key="fill-behind"))


def _with_pixels_of(before: Document, document: Document) -> Document:
    """`before` with the harmonised pixels that its layers have now."""
    now = {layer.id: layer for layer in document.walk()}

    def given(layer: Layer) -> tuple[Layer]:
        same = now.get(layer.id)
        if same is None or layer.is_group:
            return (layer,)
        back = same.harmonised_placement
        return (replace(layer, harmonised=same.harmonised, harmonised_placement=back),)

    ids = {layer.id for layer in before.walk()}
    return replace(before, layers=mapped(before.layers, ids, given))


def _names(document: Document, ids: Collection[str]) -> str:
    if len(ids) > 1:
        return f"{len(ids)} layers"
    layer = document.find(next(iter(ids))) if ids else None
    return layer.name if layer else "everything"
