"""The whole job in a real window under Xvfb. Slow: `pytest -m window tests/window`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.window
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
def test_the_whole_job_works_in_a_real_window(tmp_path):
    environment = os.environ | {
        "QT_QPA_PLATFORM": "xcb",
        "COLLAGE_STUDIO_HOME": str(tmp_path / "home"),
    }
    command = ["xvfb-run", "-a", "-s", "-screen 0 1440x900x24", sys.executable, "-m"]
    subprocess.run(
        [*command, "tests.window.scripted_session", str(tmp_path / "out")],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=1800,
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert all(count >= report["steps"] for count in report["previews_per_seed"].values())
    assert not any(report["pixels_changed_outside_feather"])
    assert report["torch_in_window_process"] is False
    assert report["retry"] == "done"
