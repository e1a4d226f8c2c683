"""The composite of a stack at screen resolution, kept up to date in small pieces.

Every layer is baked once per scale; a change redraws only the boxes that differ, between a
cached picture of what lies below and one of what lies above.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from PySide6.QtGui import QColor, QImage, QPainter

from collage_studio.document.geometry import Affine, Rect
from collage_studio.document.model import BlendMode, Layer
from collage_studio.ui.canvas import bakes
from collage_studio.ui.canvas.bakes import Bake, View
from collage_studio.ui.canvas.painter_modes import (
    mask_picture,
)
from collage_studio.ui.canvas.plans import (
    Placed,
    Plan,
    around_hole,
    box_around,
    copy_part,
    ids_of,
    in_picture,
    is_plain,
    lay_over,
    paint_atop,
    paint_plan,
)
from collage_studio.ui.canvas.sources import Sources, blank
from collage_studio.ui.canvas.stack import Item, Stack
from collage_studio.ui.canvas.viewport import Viewport


@dataclass(slots=True)
class _Sandwich:
    """Composites of what lies below and above the entries that keep changing."""

    box: Rect
    below_plan: Plan
    below: QImage
    above_plan: Plan
    above: QImage | None


@dataclass(slots=True)
class _Served:
    """A leaf's entry and all it depends on by identity; `is_final` needs no refining."""

    layer: Layer
    parent: Affine
    view: View
    bake: Bake
    entry: Placed
    is_final: bool


class Renderer:
    """Paints one stack for one viewport. `show` is cheap; `work` does it, a slice at a time."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._stack: Stack | None = None
        self._view: View | None = None
        self._bakes: dict[str, Bake] = {}
        self._groups: dict[str, tuple[Plan, Bake]] = {}
        self._served: dict[str, _Served] = {}
        self._plan: Plan = ()
        self._ground: tuple[object, ...] = ()
        self._last_span: tuple[int, int] = (-1, -1)
        self._sandwich: _Sandwich | None = None
        self._settled = False
        self.frame: QImage | None = None
        self.frame_view: View | None = None

    @property
    def is_current(self) -> bool:
        """The frame shows the stack and viewport last given."""
        return self._settled

    def show(self, stack: Stack, viewport: Viewport) -> None:
        """Take what to paint; nothing is drawn yet."""
        view = View(viewport.scale, viewport.scaled_size, viewport.visible)
        if stack is self._stack and view == self._view:
            return
        self._stack, self._settled = stack, False
        if view != self._view:
            self._view = view

    def work(self, budget_ms: float = 10.0) -> bool:
        """Bring the frame nearer to what is shown; True when it is there.

        A frame that is not ready leaves the former one in place.
        """
        if self._settled or self._stack is None or self._view is None:
            return True
        until = time.perf_counter() + budget_ms / 1000.0
        for _ in self._missing(self._stack.items):
            if time.perf_counter() > until:
                break
        if any(True for _ in self._missing(self._stack.items, make=False)):
            return False
        self._compose(self._plan_of(self._stack.items))
        self._settled = True
        self._forget_unused()
        return True

    def coarse(self) -> Callable[[], tuple[str, Bake]] | None:
        """The remaking of one coarse layer as the export makes it, for any thread; None if done.

        Give what it returns to `take`.
        """
        if not self._settled or self._stack is None or self._view is None:
            return None
        for item in _leaves(self._stack.items):
            served = self._serve(item)
            if served is None or not served.is_final:
                return partial(_refined, item, self._placed(item), self._view)
        return None

    def take(self, layer_id: str, bake: Bake) -> bool:
        """Use a refined bake if it still fits; True if the frame changed."""
        if not self._settled or self._stack is None or self._view is None:
            return False
        item = next((i for i in _leaves(self._stack.items) if i.layer.id == layer_id), None)
        if item is None:
            return False
        found = bakes.fit(bake, item, self._placed(item), self._view)
        if found is None or not found.is_exact:
            return False
        self._bakes[layer_id] = bake
        self._compose(self._plan_of(self._stack.items))
        return True

    def _placed(self, item: Item) -> Affine:
        assert self._stack is not None
        assert self._view is not None
        return bakes.scaled_placement(item, self._view, self._stack.size)

    def _missing(self, items: Iterable[Item], *, make: bool = True) -> Iterator[Item]:
        """Leaves without a serving bake; with `make`, each gets one before it is yielded."""
        assert self._view is not None
        for item in _leaves(items):
            if self._serve(item) is None:
                if make:
                    self._bakes[item.layer.id] = bakes.make_coarse(
                        item, self._placed(item), self._view, self._sources
                    )
                yield item

    def _serve(self, item: Item) -> _Served | None:
        """The entry of a leaf where it lies now; None if its bake has to be made anew."""
        assert self._view is not None
        layer = item.layer
        bake = self._bakes.get(layer.id)
        if bake is None:
            return None
        known = self._served.get(layer.id)
        if (
            known is not None
            and known.layer is layer
            and known.bake is bake
            and known.view is self._view
            and known.parent == item.parent
        ):
            return known
        found = bakes.fit(bake, item, self._placed(item), self._view)
        if found is None:
            return None
        box = bakes.moved(bake.box, found.dx, found.dy)
        entry = Placed(layer.id, bake, box, layer.opacity, layer.blend)
        final = bake.is_fine and found.is_exact
        served = _Served(layer, item.parent, self._view, bake, entry, final)
        self._served[layer.id] = served
        return served

    def _plan_of(self, items: Iterable[Item]) -> Plan:
        return tuple(self._entry(item) for item in items)

    def _entry(self, item: Item) -> Placed:
        assert self._view is not None
        layer = item.layer
        if item.clips:
            return self._clipped(item)
        if layer.is_group and layer.blend is BlendMode.PASS_THROUGH:
            return self._through(item)
        return self._alone(item)

    def _alone(self, item: Item) -> Placed:
        """A leaf, or a group by itself whatever its blend mode."""
        layer = item.layer
        if layer.is_group:
            bake = self._group_bake(item)
            return Placed(layer.id, bake, bake.box, layer.opacity, layer.blend)
        served = self._serve(item)
        assert served is not None
        return served.entry

    def _clipped(self, item: Item) -> Placed:
        """A layer with the clipped layers on it, as one picture that takes its blend mode."""
        assert self._view is not None
        layer = item.layer
        base = replace(self._alone(item), opacity=1.0, blend=BlendMode.NORMAL)
        clips = tuple(self._alone(clip) for clip in item.clips)
        box = base.box.intersect(self._view.visible)
        key, plan = f"{layer.id} with clips", (base, *clips)
        known = self._groups.get(key)
        if known is None or known[0] != plan or known[1].box != box:
            image = blank(box.width, box.height)
            paint_plan(image, box, (base,), box)
            paint_atop(image, box, clips)
            known = (plan, Bake(image, box, item.placed, (), False, True))
            self._groups[key] = known
        return Placed(layer.id, known[1], box, layer.opacity, layer.blend)

    def _through(self, item: Item) -> Placed:
        """A pass-through group that fades what its children do."""
        layer = item.layer
        plan = self._plan_of(item.children)
        mask = layer.mask if layer.mask_enabled else None
        return Placed(
            layer.id,
            None,
            box_around(plan),
            layer.opacity,
            layer.blend,
            plan,
            mask,
            self._placed(item),
        )

    def _group_bake(self, item: Item) -> Bake:
        """An isolated group's own composite, remade when anything inside it changed."""
        assert self._view is not None
        plan = self._plan_of(item.children)
        box = box_around(plan).intersect(self._view.visible)
        known = self._groups.get(item.layer.id)
        source = (*bakes.source_of(item.layer), item.layer.placement)
        if known and known[0] == plan and known[1].box == box and known[1].source == source:
            return known[1]
        image = blank(box.width, box.height)
        paint_plan(image, box, plan, box)
        mask = item.layer.mask if item.layer.mask_enabled else None
        if mask is not None and not box.is_empty:
            mask_picture(image, box, mask, self._placed(item))
        bake = Bake(image, box, item.placed, source, False, True)
        self._groups[item.layer.id] = (plan, bake)
        return bake

    def _compose(self, plan: Plan) -> None:
        """Redraw what differs from the plan painted last."""
        assert self._stack is not None
        assert self._view is not None
        box, ground = self._view.visible, self._ground_of()
        same_look = (
            self.frame is not None
            and self.frame_view is not None
            and (self.frame_view.scale, self.frame_view.size) == (self._view.scale, self._view.size)
            and ground == self._ground
            and ids_of(plan) == ids_of(self._plan)
        )
        if not same_look:
            self.frame = blank(box.width, box.height)
            self.frame_view, self._sandwich = self._view, None
            self._repaint(self.frame, box, plan, box)
        else:
            if self.frame_view != self._view:
                self._shift_frame(box, plan)
            self._repaint_difference(plan)
        self._plan, self._ground = plan, ground

    def _shift_frame(self, box: Rect, plan: Plan) -> None:
        """The view was panned: keep what stays in sight, paint the strips that come into it."""
        assert self.frame is not None
        assert self.frame_view is not None
        old_box, old = self.frame_view.visible, self.frame
        self.frame, self.frame_view = blank(box.width, box.height), self._view
        kept = old_box.intersect(box)
        if kept.is_empty:
            self._repaint(self.frame, box, plan, box)
            return
        painter = QPainter(self.frame)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(in_picture(kept, box).topLeft(), old, in_picture(kept, old_box))
        painter.end()
        for strip in around_hole(box, kept):
            self._repaint(self.frame, box, plan, strip)

    def _repaint_difference(self, plan: Plan) -> None:
        assert self._view is not None
        assert self.frame is not None
        differing = [
            i for i, (old, new) in enumerate(zip(self._plan, plan, strict=True)) if old != new
        ]
        if not differing:
            return
        dirty = Rect(0, 0, 0, 0)
        for index in differing:
            dirty = dirty.union(self._plan[index].box).union(plan[index].box)
        dirty = dirty.intersect(self._view.visible)
        span = (differing[0], differing[-1])
        box = self._view.visible
        if span == self._last_span:
            self._repaint_between(plan, span, dirty)
        else:
            self._repaint(self.frame, box, plan, dirty)
        self._last_span = span

    def _repaint_between(self, plan: Plan, span: tuple[int, int], dirty: Rect) -> None:
        """The same entries changed again: everything below and above comes from a cache."""
        assert self.frame is not None
        assert self._view is not None
        box = self._view.visible
        below_plan, above_plan = plan[: span[0]], plan[span[1] + 1 :]
        cache = self._sandwich
        if (
            cache is None
            or cache.box != box
            or cache.below_plan != below_plan
            or cache.above_plan != above_plan
        ):
            cache = self._sandwich = self._make_sandwich(box, below_plan, above_plan)
        copy_part(self.frame, cache.below, box, dirty)
        paint_plan(self.frame, box, plan[span[0] : span[1] + 1], dirty)
        if cache.above is None:
            paint_plan(self.frame, box, above_plan, dirty)
        else:
            lay_over(self.frame, cache.above, box, dirty)

    def _make_sandwich(self, box: Rect, below_plan: Plan, above_plan: Plan) -> _Sandwich:
        below = blank(box.width, box.height)
        self._repaint(below, box, below_plan, box)
        above = None
        if all(is_plain(entry) for entry in above_plan):
            above = blank(box.width, box.height)
            paint_plan(above, box, above_plan, box)
        return _Sandwich(box, below_plan, below, above_plan, above)

    def _repaint(self, image: QImage, box: Rect, plan: Plan, dirty: Rect) -> None:
        assert self._stack is not None
        painter = QPainter(image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        ground = self._stack.background
        color = QColor(*ground.fill)
        color.setAlphaF(color.alphaF() * ground.opacity if ground.visible else 0.0)
        painter.fillRect(in_picture(dirty, box), color)
        painter.end()
        paint_plan(image, box, plan, dirty)

    def _ground_of(self) -> tuple[object, ...]:
        assert self._stack is not None
        ground = self._stack.background
        return ground.fill, ground.opacity, ground.visible

    def _forget_unused(self) -> None:
        assert self._stack is not None
        used = {item.layer.id for item in _everything(self._stack.items)}
        used |= {f"{i.layer.id} with clips" for i in _everything(self._stack.items) if i.clips}
        for held in (self._bakes, self._groups, self._served):
            for layer_id in [i for i in held if i not in used]:
                del held[layer_id]


def _leaves(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if item.layer.is_group:
            yield from _leaves(item.children)
        else:
            yield item
        yield from _leaves(item.clips)


def _everything(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _everything(item.children)
        yield from _everything(item.clips)


def _refined(item: Item, placed: Affine, view: View) -> tuple[str, Bake]:
    return item.layer.id, bakes.make_fine(item, placed, view)
