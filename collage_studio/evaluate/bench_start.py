"""Measures the time from process start to the first painted window, over several starts.

The clock runs from just before the process is made until its first frame has been given to the
window system: the whole window with its bars and panels. What comes after it is the sample, and
the picture of it on the canvas; `median_picture_s` says when that was there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPORT_VARIABLE = "COLLAGE_STUDIO_STARTUP_REPORT"
_SETTLING_SECONDS = 4.0
_START = "import sys; from collage_studio.ui.app import run; sys.exit(run([]))"


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds on the clock, and processor seconds, which other programs hardly touch.

    Args:
        seconds, cpu_seconds: until the window was painted.
        picture_seconds, picture_cpu_seconds: until the picture stood on its canvas.
    """

    seconds: float
    cpu_seconds: float
    picture_seconds: float
    picture_cpu_seconds: float


def start_once(home: Path, *, lives_on_s: float = 0.0, limit_seconds: float = 30.0) -> Start:
    """Start the program with its files in `home`, wait for its first paint, end it.

    Args:
        lives_on_s: how long it may go on after that, as to write byte code for the next start.
    """
    report = home / "first-paint"
    report.unlink(missing_ok=True)
    environment = os.environ | {REPORT_VARIABLE: str(report), "COLLAGE_STUDIO_HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a program starts with its byte code ready
    began = time.time()
    process = subprocess.Popen(
        [sys.executable, "-c", _START], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while not (report.is_file() and report.read_text("utf-8")):
            if process.poll() is not None or time.time() - began > limit_seconds:
                raise RuntimeError("The window was never painted. Is there a display?")
            time.sleep(0.005)
        said = json.loads(report.read_text("utf-8"))
        time.sleep(lives_on_s)
        (painted, cpu), (picture, picture_cpu) = said["painted"], said["picture"]
        return Start(painted - began, cpu, picture - began, picture_cpu)
    finally:
        process.kill()
        process.wait()


def measure(starts: int = 5) -> dict[str, float | list[float]]:
    """Start `starts` times after one that warms the disk and leaves its byte code.

    Returns:
        {"median_s", "median_cpu_s", "median_picture_s", "median_picture_cpu_s", "all_s"}.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        start_once(Path(folder), lives_on_s=_SETTLING_SECONDS)
        taken = [start_once(Path(folder)) for _ in range(starts)]
    return {
        "median_s": _median([one.seconds for one in taken]),
        "median_cpu_s": _median([one.cpu_seconds for one in taken]),
        "median_picture_s": _median([one.picture_seconds for one in taken]),
        "median_picture_cpu_s": _median([one.picture_cpu_seconds for one in taken]),
        "all_s": [round(one.seconds, 3) for one in taken],
    }


def _median(seconds: list[float]) -> float:
    return round(statistics.median(seconds), 3)


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    sys.stdout.write(json.dumps(measure(parser.parse_args().starts)) + "\n")


if __name__ == "__main__":
    main()
