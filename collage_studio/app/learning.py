"""Between the engine's learned looks and the document: what a job has learned becomes one edit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from collage_studio.app.editor import Editor
from collage_studio.app.looks import learn_request, with_looks
from collage_studio.document.looks import Look
from collage_studio.document.model import Document
from collage_studio.engine.api import Learned, LearnRequest, LearnSettings

LEAST_MORE = 50
"""Steps that going on adds at least."""


class Lessons:
    """The newest look of each layer by job; applied when the job ends, however it ends."""

    def __init__(self, editor: Editor, finished: Callable[[Look], object]) -> None:
        """Args: finished: called with every look that is applied, finished or not."""
        self._editor, self._finished = editor, finished
        self._looks: dict[str, dict[str, Look]] = {}

    def take(self, job_id: str, event: Learned) -> None:
        """Keep what a layer has learned so far."""
        self._looks.setdefault(job_id, {})[event.layer_id] = event.look

    def apply(self, job_id: str) -> None:
        """Give the layers their looks as one edit; a layer deleted meanwhile is left alone."""
        document = self._editor.document
        looks = {
            layer_id: look
            for layer_id, look in self._looks.pop(job_id, {}).items()
            if document.find(layer_id) is not None
        }
        if not looks:
            return
        label = f"Learn look of {_names(document, tuple(looks))}"
        self._editor.apply(lambda current: with_looks(current, dict(looks)), label)
        for look in looks.values():
            self._finished(look)

    def forget(self) -> None:
        """Another document was opened."""
        self._looks.clear()


def go_on_request(document: Document, layer_ids: Sequence[str], vectors: int) -> LearnRequest:
    """Learn on from the looks the layers have, for the steps they still owe."""
    owed = [
        layer.look.recipe.planned - layer.look.recipe.steps
        for layer_id in layer_ids
        if (layer := document.find(layer_id)) is not None and layer.look is not None
    ]
    counts = {
        layer.look.count
        for layer_id in layer_ids
        if (layer := document.find(layer_id)) is not None and layer.look is not None
    }
    learning = LearnSettings(
        vectors=min(counts.pop(), 4) if len(counts) == 1 else vectors,
        steps=max([LEAST_MORE, *owed]),
    )
    return learn_request(document, layer_ids, learning, goes_on=True)


def again(request: LearnRequest, document: Document) -> LearnRequest:
    """The same layers as they are now, going on from what they have learned."""
    ids = tuple(i for i in request.layer_ids if document.find(i) is not None)
    fresh = go_on_request(document, ids, request.learning.vectors)
    return replace(fresh, settings=request.settings)


def _names(document: Document, ids: Sequence[str]) -> str:
    if len(ids) > 1:
        return f"{len(ids)} layers"
    layer = document.find(ids[0])
    return layer.name if layer else "layer"
