"""Measures the time from process start to the first painted window, over several starts.

The clock runs from just before the process is made until its first frame has been given to the
window system. That frame is the whole window: bars, panels, layer rows, and on the canvas the
picture of the sample that is opened. `with_picture` counts the starts in which the picture was
there: a machine that needs longer than a moment for it paints it in one of the next frames.
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
        has_picture: the first frame held the picture, not an empty canvas.
    """

    seconds: float
    cpu_seconds: float
    has_picture: bool


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
        return Start(said["painted_at"] - began, said["cpu_seconds"], said["has_picture"])
    finally:
        process.kill()
        process.wait()


def measure(starts: int = 5) -> dict[str, float | list[float]]:
    """Start `starts` times after one that warms the disk and leaves its byte code.

    Returns:
        {"median_s", "median_cpu_s", "all_s", "all_cpu_s", "with_picture"}.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        start_once(Path(folder), lives_on_s=_SETTLING_SECONDS)
        taken = [start_once(Path(folder)) for _ in range(starts)]
    clock = [round(one.seconds, 3) for one in taken]
    cpu = [round(one.cpu_seconds, 3) for one in taken]
    return {
        "median_s": statistics.median(clock),
        "median_cpu_s": statistics.median(cpu),
        "all_s": clock,
        "all_cpu_s": cpu,
        "with_picture": sum(one.has_picture for one in taken),
    }


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    sys.stdout.write(json.dumps(measure(parser.parse_args().starts)) + "\n")


if __name__ == "__main__":
    main()
