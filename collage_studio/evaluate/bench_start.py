"""Measures the time from process start to the first painted window, over several starts."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPORT_VARIABLE = "COLLAGE_STUDIO_STARTUP_REPORT"
_START = "import sys; from collage_studio.ui.app import run; sys.exit(run([]))"


def start_once(home: Path, limit_seconds: float = 30.0) -> float:
    """Start the program with its files in `home`, wait for its first paint, end it; seconds."""
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
        return float(report.read_text("utf-8")) - began
    finally:
        process.kill()
        process.wait()


def measure(starts: int = 5) -> dict[str, float | list[float]]:
    """Start `starts` times after one start that warms the disk: {"median_s", "all_s"}."""
    with tempfile.TemporaryDirectory() as folder:
        start_once(Path(folder))
        taken = [round(start_once(Path(folder)), 3) for _ in range(starts)]
    return {"median_s": statistics.median(taken), "all_s": taken}


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    sys.stdout.write(json.dumps(measure(parser.parse_args().starts)) + "\n")


if __name__ == "__main__":
    main()
