"""Shows the runs: previews on the canvas, tiles in the strip, progress in the caption bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from collage_studio.app.editor import Changed
from collage_studio.app.stale import stale_layers
from collage_studio.document.model import Document, Variation
from collage_studio.engine.api import FetchRequest, Previewed
from collage_studio.jobs.board import Job, JobState
from collage_studio.ui.canvas.canvas import Canvas
from collage_studio.ui.panels.caption_bar import CaptionBar
from collage_studio.ui.panels.layers_tree import LayersTree
from collage_studio.ui.panels.strip import Strip
from collage_studio.ui.panels.strip_looks import ACCEPTED, COLLAGE, Pending
from collage_studio.ui.panels.top_bar import TopBar
from collage_studio.ui.session import Session
from collage_studio.ui.throttle import Throttle
from collage_studio.ui.turns import Turns

if TYPE_CHECKING:
    from collage_studio.ui.proofs import Proofs

PREVIEW_MS = 33
"""Previews are painted at most this often: 30 a second."""
COUNT_AFTER_MS = 150


class RunView:
    """Between the RunController's announcements and five widgets. Holds no document state."""

    def __init__(
        self,
        session: Session,
        canvas: Canvas,
        strip: Strip,
        caption: CaptionBar,
        top: TopBar,
        rows: LayersTree,
        changed: Callable[[], None],
    ) -> None:
        """Args: changed: called when what is shown or runs has changed, to refresh actions."""
        self._session, self._canvas, self._strip = session, canvas, strip
        self._caption, self._top, self._rows, self._changed = caption, top, rows, changed
        self._first_of_run = ""
        self._chosen_meanwhile = False
        self._throttle: Throttle[tuple[Job, Previewed]] = Throttle(
            lambda pair: self._paint_preview(*pair), PREVIEW_MS, canvas
        )
        self._turns = Turns(canvas)
        # Counting beside the window slows it down, so a new picture is painted first.
        self._uncounted: list[tuple[Document, Variation]] = []
        self._count_timer = QTimer(canvas, singleShot=True, interval=COUNT_AFTER_MS)
        self._count_timer.timeout.connect(self._count)
        runs = session.runs
        self._subscriptions = [
            runs.job_changed.subscribe(self._on_job),
            runs.preview_changed.subscribe(self._on_preview),
            runs.produced.subscribe(self._on_produced),
            session.editor.changed.subscribe(self._on_document),
        ]
        strip.show_requested.connect(self._on_tile)
        strip.accept_requested.connect(self.accept)
        strip.drop_requested.connect(self.drop)
        strip.more_requested.connect(runs.more_seeds)
        strip.retry_requested.connect(runs.retry)
        strip.compare_requested.connect(lambda: self.show_view("compare"))
        strip.clear_requested.connect(self._clear_run)
        top.view_chosen.connect(self.show_view)
        canvas.view_changed.connect(self._on_view)

    @cached_property
    def _proofs(self) -> Proofs:
        """What was counted; nothing is before there is a variation."""
        from collage_studio.ui.proofs import Proofs

        return Proofs(self._canvas.background, lambda _id: self._show_proof())

    def start(self) -> None:
        """Show what the document holds; called once the window stands."""
        self._on_document(None)

    def close(self) -> None:
        """Stop listening; called when the window closes."""
        self._throttle.drop()
        self._turns.drop()
        self._count_timer.stop()
        for subscription in self._subscriptions:
            subscription.close()

    # What is on the canvas

    @property
    def shown(self) -> str:
        """Key of the shown tile: "collage", "accepted" or a variation's id."""
        return self._strip.shown

    def show(self, key: str) -> None:
        """Put the collage, the accepted picture or a variation on the canvas."""
        self._put_on_canvas(key)
        self._say_what_is_shown()

    def _put_on_canvas(self, key: str) -> None:
        document = self._session.editor.document
        variation = next((v for v in document.variations if v.id == key), None)
        self._canvas.show_variation(variation)
        if key == COLLAGE:
            self._canvas.view = "collage"
        elif self._canvas.view == "collage":
            self._canvas.view = "result"
        self._strip.show_key(key)

    def _say_what_is_shown(self) -> None:
        self._refresh_next_step()
        self._show_proof()

    def show_view(self, view: str) -> None:
        """Switch to "collage", "result" or "compare"; the latter show the newest there is."""
        if view == "collage":
            self.show(COLLAGE)
            return
        if self._strip.shown == COLLAGE:
            key = self._newest_key()
            if not key:
                return
            self.show(key)
        self._canvas.view = "compare" if view == "compare" else "result"

    def toggle_compare(self) -> None:
        """Into Compare or back out of it."""
        self.show_view("result" if self._canvas.view == "compare" else "compare")

    def step(self, by: int) -> None:
        """Show the next or previous variation."""
        key = self._strip.step(by)
        if key:
            self._on_tile(key)

    def accept(self, key: str = "") -> None:
        """Accept a variation, by default the shown one."""
        document = self._session.editor.document
        wanted = key or self._strip.shown
        if any(v.id == wanted for v in document.variations):
            self._session.runs.accept(wanted)
            self.show(ACCEPTED)

    def drop(self, key: str = "") -> None:
        """Take a variation off the strip, by default the shown one."""
        document = self._session.editor.document
        wanted = key or self._strip.shown
        if any(v.id == wanted for v in document.variations):
            self._session.runs.drop(wanted)

    def _on_tile(self, key: str) -> None:
        self._chosen_meanwhile = True
        self._throttle.drop()
        self._strip.mark_streaming("")
        self._canvas.show_preview(None)
        self.show(key)

    def _clear_run(self, run: int) -> None:
        document = self._session.editor.document
        for variation in [v for v in document.variations if v.run == run]:
            self._session.runs.drop(variation.id)

    def _newest_key(self) -> str:
        document = self._session.editor.document
        if document.variations:
            return document.variations[-1].id
        return ACCEPTED if document.accepted else ""

    def _on_view(self, view: str) -> None:
        self._top.show_view(view)
        self._show_proof()
        self._changed()

    def _on_document(self, change: Changed | None) -> None:
        document = self._session.editor.document
        there = {v.id for v in document.variations} | {COLLAGE}
        if document.accepted is not None:
            there |= {ACCEPTED, document.accepted.id}
        if self._strip.shown not in there:
            self.show(ACCEPTED if document.accepted else COLLAGE)
        elif (
            change is not None
            and self._strip.shown == ACCEPTED
            and change.before.accepted is not document.accepted
        ):
            self._canvas.show_variation(None)
        self._top.set_harmonised(len(there) > 1)
        self._refresh_next_step()
        self._show_proof()

    def _show_proof(self) -> None:
        """Say in the rows and on the canvas what the shown picture changed, once counted."""
        document = self._session.editor.document
        variation, shown = self._canvas.scene.result(), self._canvas.view != "collage"
        if variation is None or not shown:
            self._rows.show_changes(None, {})
            self._canvas.proof = ""
            return
        from collage_studio.ui.proofs import outside_words

        self._ask_for_proof(document, variation)
        proof = self._proofs.get(variation)
        self._rows.show_changes(variation, proof.changes if proof is not None else {})
        # Of an accepted one the other side of Compare is the collage, not the picture before it.
        is_open = variation is not document.accepted
        self._canvas.proof = outside_words(document, variation, proof) if proof and is_open else ""

    def _ask_for_proof(self, document: Document, variation: Variation) -> None:
        """Count for a picture of an opened file, where what the run saw is still there."""
        will_be_counted = any(waiting is variation for _, waiting in self._uncounted)
        if will_be_counted or stale_layers(document, variation):
            return
        if variation is not document.accepted:
            self._proofs.request(document, variation)
        elif not variation.recipe.layer_ids:
            self._proofs.request(replace(document, accepted=None), variation)

    def _refresh_next_step(self) -> None:
        variations = self._session.editor.document.variations
        waits = any(v.id == self._strip.shown for v in variations)
        self._caption.set_next_step(not waits)
        self._changed()

    # Runs

    def _on_job(self, job: Job) -> None:
        if job.is_fetch:
            self._show_running()  # a download makes nothing for strip and canvas
            return
        running = self._session.runs.board.running
        self._show_pending(job if running is None or running.is_fetch else running)
        if job.is_over:
            self._end(job)
            self._turns.add(self._show_running)
            return
        if job.state is JobState.RUNNING and not job.step and not job.seeds_done:
            self._first_of_run, self._chosen_meanwhile = "", False
        self._show_running()

    def _show_running(self) -> None:
        board = self._session.runs.board
        running = board.running
        self._caption.show_job(running)
        self._top.show_running(len(board.in_progress), len(board.waiting))
        self._changed()

    def _show_pending(self, job: Job) -> None:
        previews = self._session.runs.previews
        pending: list[Pending] = []
        for seed in job.seeds:
            if seed in job.seeds_done or job.state in {JobState.DONE, JobState.CANCELLED}:
                continue
            state = "running" if (job.id, seed) in previews else "waiting"
            if job.state is JobState.FAILED:
                state = "failed"
            pending.append(Pending(f"{job.id}:{seed}", seed, state))
        self._strip.set_pending(tuple(pending), self._run_number())

    def _run_number(self) -> int:
        """The number the next variations will have, as far as the document tells."""
        document = self._session.editor.document
        runs = [v.run for v in document.variations]
        accepted = [document.accepted.run] if document.accepted else []
        return max([0, *runs, *accepted]) + 1

    def _on_preview(self, message: tuple[str, Previewed]) -> None:
        job_id, preview = message
        job = self._session.runs.board.find(job_id)
        if job is None:
            return
        key = f"{job_id}:{preview.seed}"
        if self._strip.tile(key) is None or self._strip.state_of(key) != "running":
            self._show_pending(job)
        leading = next((seed for seed in job.seeds if seed not in job.seeds_done), preview.seed)
        if preview.seed == leading:
            self._throttle.push((job, preview))
        else:
            share = preview.step / job.steps if job.steps else 0.0
            self._strip.show_preview(key, preview.picture, share)

    def _paint_preview(self, job: Job, preview: Previewed) -> None:
        share = preview.step / job.steps if job.steps else 0.0
        self._strip.show_preview(f"{job.id}:{preview.seed}", preview.picture, share)
        if self._chosen_meanwhile:
            return
        self._strip.mark_streaming(f"{job.id}:{preview.seed}")
        number = job.seeds.index(preview.seed) + 1 if preview.seed in job.seeds else 1
        badge = f"Preview of variation {number}, step {preview.step} of {job.steps}"
        self._canvas.show_preview(preview.picture, preview.box, job.progress, badge)

    def _on_produced(self, variation: Variation) -> None:
        if not self._first_of_run:
            self._first_of_run = variation.id
        running = self._session.runs.board.running
        if running is not None and not isinstance(running.request, FetchRequest):
            self._uncounted.append((running.request.document, variation))
            self._count_timer.start()

    def _count(self) -> None:
        for document, variation in self._uncounted:
            self._proofs.request(document, variation)
        self._uncounted.clear()

    def _end(self, job: Job) -> None:
        self._throttle.drop()
        self._strip.mark_streaming("")
        first, self._first_of_run = self._first_of_run, ""
        if first and not self._chosen_meanwhile and job.state is not JobState.WAITING:
            # The strip is painted before the picture is made; the last preview stands until then.
            self._turns.add(lambda: self._show_first(first))
        else:
            self._canvas.show_preview(None)

    def _show_first(self, variation_id: str) -> None:
        self._canvas.show_preview(None)
        there = any(v.id == variation_id for v in self._session.editor.document.variations)
        if there and not self._chosen_meanwhile:
            self._put_on_canvas(variation_id)
            self._turns.add(self._say_what_is_shown)
