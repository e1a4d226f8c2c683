"""The Harmonise menu and the buttons that notices offer for runs and models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from collage_studio.app.changed import reason_against_changed
from collage_studio.app.filling import FillOffer
from collage_studio.app.models import STARTER
from collage_studio.app.runner import Runner
from collage_studio.document.extending import SIDES, extended, extension_px
from collage_studio.document.model import Variation
from collage_studio.document.recipe import Start
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.panels.document_page import choose_model
from collage_studio.ui.panels.strip_looks import ACCEPTED
from collage_studio.ui.run_view import RunView
from collage_studio.ui.session import Session


class RunCommands:
    """Binds what starts, stops and chooses among runs."""

    def __init__(
        self, session: Session, view: RunView, used: Callable[[], None], submit: Runner
    ) -> None:
        """Args:
        used: called when the person has harmonised, to put the first hint away.
        submit: works out requests that take longer than a frame.
        """
        self._session, self._view, self._used = session, view, used
        self._submit = submit
        self._offer = FillOffer(session.editor, session.runs.notice.announce, submit)

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        session, runs = self._session, self._session.runs
        table.bind("harmonise.run", self.harmonise)
        table.bind("harmonise.changed", self.harmonise_changed)
        table.bind("harmonise.fill_behind", lambda: self.fill_behind(()))
        table.bind("layer.fill_behind", lambda: self.fill_behind(session.selection.ids))
        table.bind_command("layer.fill_behind_of", lambda ids: self.fill_behind(ids.split(",")))
        table.bind("harmonise.reroll_now", lambda: self.reroll_selected(Start.CURRENT))
        table.bind("harmonise.reroll_original", lambda: self.reroll_selected(Start.ORIGINAL))
        table.bind("harmonise.reroll_noise", lambda: self.reroll_selected(Start.NOISE))
        table.bind("layer.learn", lambda: runs.learn(self._session.selection.ids))
        table.bind("harmonise.cancel", runs.cancel)
        table.bind("harmonise.more_seeds", runs.more_seeds)
        table.bind("harmonise.compare_methods", self.compare_methods)
        for side in SIDES:
            table.bind(f"harmonise.extend_{side}", lambda side=side: self.extend(side))
        table.bind("harmonise.previous", lambda: self._view.step(-1))
        table.bind("harmonise.next", lambda: self._view.step(1))
        table.bind("harmonise.accept", self._view.accept)
        table.bind("harmonise.drop", self._view.drop)
        table.bind("harmonise.restart_engine", self._session.engine.restart)
        table.bind_command("harmonise.go_on", lambda _argument: runs.set_paused(False))
        table.bind_command("harmonise.retry", runs.retry)
        table.bind_command(
            "harmonise.retry_smaller", lambda job_id: runs.retry(job_id, smaller_size=True)
        )
        table.bind_command("harmonise.starter", lambda _argument: self.use_starter())

    def harmonise(self) -> None:
        """Start a run, or queue another."""
        self._used()
        self._session.runs.harmonise()

    def harmonise_changed(self) -> None:
        """Make anew what changed since the accepted picture."""
        self._used()
        self._session.runs.harmonise_changed(submit=self._submit)

    def fill_behind(self, ids: Sequence[str]) -> None:
        """Paint what these layers hide, or what any layer hides if none are named."""
        self._offer.fill_asked(ids)
        self._session.runs.fill_behind(ids, self._offer.before, self._submit)

    def close(self) -> None:
        """Stop watching what layers leave open; called when the window closes."""
        self._offer.close()

    def harmonise_stale(self) -> None:
        """What the canvas offers where layers changed: only those, or all of them.

        All, where the picture shown is not the accepted one or not in the layers.
        """
        is_accepted = self._view.shown == ACCEPTED
        if is_accepted and not reason_against_changed(self._session.editor.document):
            self.harmonise_changed()
        else:
            self.harmonise()

    def take(self, ids: tuple[str, ...], source: Variation, base: Variation) -> None:
        """Put layers of one variation into another."""
        self._session.runs.take(ids, source, base, submit=self._submit)

    def reroll_selected(self, start: Start) -> None:
        """Re-roll the selected layers."""
        background = self._session.editor.document.background.id
        self.reroll(tuple(i for i in self._session.selection.ids if i != background), start)

    def reroll(self, ids: tuple[str, ...], start: Start = Start.CURRENT) -> None:
        """Re-roll these layers now."""
        self._used()
        self._session.runs.reroll(ids, start=start)

    def compare_methods(self) -> None:
        """Run all methods with the same seeds."""
        self._used()
        self._session.runs.compare_methods()

    def extend(self, side: str) -> None:
        """Widen the canvas on one side and paint the new part."""
        editor = self._session.editor
        size = editor.document.size
        by = extension_px(size.width if side in ("left", "right") else size.height)
        editor.apply(lambda document: extended(document, **{side: by}), "Extend picture")
        self.harmonise()

    def use_starter(self) -> None:
        """Go back to the bundled model."""
        choose_model(self._session.editor, "Starter", STARTER)
