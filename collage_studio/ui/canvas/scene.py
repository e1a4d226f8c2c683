"""What the canvas shows: collage or result, one or two sides, and a gesture's preview of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtGui import QImage

from collage_studio.app.stale import Stale, stale_layers
from collage_studio.document.geometry import Rect
from collage_studio.document.harmonised import harmonised_stack
from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.ui.background import Background
from collage_studio.ui.canvas.bakes import Bake, View
from collage_studio.ui.canvas.compare import Side, default_sides
from collage_studio.ui.canvas.render_cache import Renderer
from collage_studio.ui.canvas.sources import Sources
from collage_studio.ui.canvas.stack import (
    Stack,
    stack_of,
    stack_of_picture,
)
from collage_studio.ui.canvas.viewport import Viewport


@dataclass(frozen=True, slots=True)
class Shot:
    """A finished picture of the canvas and the view it was made for."""

    image: QImage
    view: View


class Scene:
    """Keeps two renderers up to date with the document; knows no pointer and no widget."""

    def __init__(self, document: Document, background: Background) -> None:
        self._document = document
        self._live = document
        self._background = background
        self._sources = Sources()
        self._renderers = (Renderer(self._sources), Renderer(self._sources))
        self._stacks: dict[int, tuple[tuple[object, ...], Stack]] = {}
        self._stale: tuple[tuple[object, ...], dict[str, Stale]] = ((), {})
        self.shown: Variation | None = None
        self.sides: tuple[Side, Side] | None = None

    @property
    def document(self) -> Document:
        """With a running gesture's preview in it."""
        return self._live

    def set_document(self, document: Document) -> None:
        self._document = self._live = document

    def preview(self, document: Document | None) -> None:
        """Show a gesture's outcome, or the document as it is."""
        self._live = document or self._document

    def patch(self, before: Layer, after: Layer, box: Rect) -> None:
        """A layer's mask will change inside `box` of its source px alone: redraw only that."""
        self._sources.patch(before, after, box)

    def result(self) -> Variation | None:
        """The variation that view "result" shows: the chosen one, else the accepted one."""
        return self.shown or self._document.accepted

    def compared(self) -> tuple[Side, Side]:
        """The two sides of the comparison, left first."""
        return self.sides or default_sides(self._document, self.shown)

    def stale_layers(self) -> dict[str, Stale]:
        """Layers that are otherwise than when the shown result was made."""
        result = self.result()
        key = (id(self._live), id(result))
        if self._stale[0] != key:
            self._stale = (key, stale_layers(self._live, result))
        return self._stale[1]

    def show(self, view: str, viewport: Viewport) -> None:
        """Tell the renderers what "collage", "result" or "compare" needs; draws nothing."""
        left, right = self._pictures(view)
        self._renderers[0].show(self._stack(0, left, over=view == "result"), viewport)
        if view == "compare":
            self._renderers[1].show(self._stack(1, right, over=False), viewport)

    def show_other(self, viewport: Viewport) -> None:
        """Prepare the other side of the plain view: the collage behind a result, and back."""
        self._renderers[1].show(self._stack(1, None, over=False), viewport)

    def work(self, index: int, budget_ms: float) -> bool:
        """Draw for a while; True when that renderer's frame is current."""
        return self._renderers[index].work(budget_ms)

    def shot(self, index: int) -> Shot | None:
        """The newest finished picture of one renderer; it may be of an older view."""
        renderer = self._renderers[index]
        if renderer.frame is None or renderer.frame_view is None:
            return None
        return Shot(renderer.frame, renderer.frame_view)

    def is_opaque(self) -> bool:
        """The background hides the checkerboard."""
        ground = self._live.background
        return ground.visible and ground.opacity >= 1.0 and ground.fill[3] == 255

    def refine(self, changed: Callable[[], None]) -> bool:
        """Start to remake one coarse layer beside the main thread; False if nothing is coarse."""
        for renderer in self._renderers:
            work = renderer.coarse()
            if work is not None:
                self._background.submit(work, lambda made, r=renderer: _take(r, made, changed))
                return True
        return False

    def has_coarse(self) -> bool:
        """Some layer is still shown in its quick version."""
        return any(renderer.coarse() is not None for renderer in self._renderers)

    def _changed_stack(self, picture: Raster, changed: tuple[str, ...]) -> Stack:
        """A result after layers changed: its own layers as they lie now, where they have it."""
        accepted = self._live.accepted
        is_in_layers = (
            accepted is not None
            and accepted.id == self._live.written_back
            and accepted.picture is picture
        )
        if changed and is_in_layers:
            return stack_of(harmonised_stack(self._live))
        return stack_of_picture(self._live, picture, changed)

    def _pictures(self, view: str) -> tuple[Raster | None, Raster | None]:
        if view == "compare":
            left, right = self.compared()
            return left.picture, right.picture
        result = self.result() if view == "result" else None
        return (result.picture if result else None), None

    def _stack(self, index: int, picture: Raster | None, *, over: bool) -> Stack:
        stale = self.stale_layers() if picture is not None and over else {}
        changed = tuple(layer_id for layer_id, found in stale.items() if found.is_seen)
        key = (id(self._live), id(picture), changed)
        known = self._stacks.get(index)
        if known is not None and known[0] == key:
            return known[1]
        live = self._live
        stack = stack_of(live) if picture is None else self._changed_stack(picture, changed)
        self._stacks[index] = (key, stack)
        return stack


def _take(renderer: Renderer, made: tuple[str, Bake], changed: Callable[[], None]) -> None:
    renderer.take(*made)
    changed()
