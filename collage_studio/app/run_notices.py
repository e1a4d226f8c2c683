"""What runs tell: why one failed, what cannot be run, that the queue is paused."""

from __future__ import annotations

from collage_studio.app.notices import Notice
from collage_studio.engine.api import Failed

_BUTTONS: dict[str, tuple[tuple[str, str], ...]] = {
    "retry": (("Run again", "harmonise.retry"),),
    "retry_smaller": (("Retry smaller", "harmonise.retry_smaller"),),
    "fetch_model": (("Download", "harmonise.fetch_model"), ("Use Starter", "harmonise.starter")),
    "choose_model": (("Find file", "harmonise.choose_model"), ("Use Starter", "harmonise.starter")),
}


def failed(job_id: str, event: Failed) -> Notice:
    """Why a job failed, with what may help."""
    buttons = tuple(
        (label, f"{action}:{job_id}" if "retry" in action else action)
        for label, action in _BUTTONS.get(event.remedy, ())
    )
    return Notice(event.message, "danger", buttons, key=f"job-{job_id}", details=event.details)


def told(text: str, action: str = "") -> Notice:
    """Why something was not queued; `action` adds a picture."""
    buttons = (("Add picture", action),) if action else ()
    return Notice(text, "info", buttons, key="runs")


def paused(waiting: int, *, is_kept: bool = False) -> Notice:
    """How many runs wait until the queue goes on.

    Args:
        is_kept: they are from the session before.
    """
    whence = "from your last session " if is_kept else ""
    words = f"1 run {whence}waits" if waiting == 1 else f"{waiting} runs {whence}wait"
    buttons = (("Go on", "harmonise.go_on"), ("Show queue", "harmonise.queue"))
    return Notice(f"{words} in the queue, which is paused.", "info", buttons, key="paused")
