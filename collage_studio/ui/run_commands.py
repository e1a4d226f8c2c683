"""The Harmonise menu and the buttons that notices offer for runs and models."""

from __future__ import annotations

from collections.abc import Callable

from collage_studio.app.models import STARTER
from collage_studio.document.model import Start
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.panels.document_page import choose_model
from collage_studio.ui.run_view import RunView
from collage_studio.ui.session import Session


class RunCommands:
    """Binds what starts, stops and chooses among runs."""

    def __init__(self, session: Session, view: RunView, used: Callable[[], None]) -> None:
        """Args: used: called when the person has harmonised, to put the first hint away."""
        self._session, self._view, self._used = session, view, used

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        runs = self._session.runs
        table.bind("harmonise.run", self.harmonise)
        table.bind("harmonise.reroll_now", lambda: self.reroll_selected(Start.CURRENT))
        table.bind("harmonise.reroll_original", lambda: self.reroll_selected(Start.ORIGINAL))
        table.bind("harmonise.reroll_noise", lambda: self.reroll_selected(Start.NOISE))
        table.bind("harmonise.cancel", runs.cancel)
        table.bind("harmonise.more_seeds", runs.more_seeds)
        table.bind("harmonise.previous", lambda: self._view.step(-1))
        table.bind("harmonise.next", lambda: self._view.step(1))
        table.bind("harmonise.accept", self._view.accept)
        table.bind("harmonise.drop", self._view.drop)
        table.bind("harmonise.restart_engine", self._session.engine.restart)
        table.bind_command("harmonise.retry", runs.retry)
        table.bind_command(
            "harmonise.retry_smaller", lambda job_id: runs.retry(job_id, smaller_size=True)
        )
        table.bind_command("harmonise.starter", lambda _argument: self.use_starter())

    def harmonise(self) -> None:
        """Start a run, or queue another."""
        self._used()
        self._session.runs.harmonise()

    def reroll_selected(self, start: Start) -> None:
        """Re-roll the selected layers."""
        background = self._session.editor.document.background.id
        self.reroll(tuple(i for i in self._session.selection.ids if i != background), start)

    def reroll(self, ids: tuple[str, ...], start: Start = Start.CURRENT) -> None:
        """Re-roll these layers now."""
        self._used()
        self._session.runs.reroll(ids, start=start)

    def use_starter(self) -> None:
        """Go back to the bundled model."""
        choose_model(self._session.editor, "Starter", STARTER)
