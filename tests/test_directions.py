"""The rooms are entered in one direction: checked on source and on what an import drags in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TORCH = ("torch", "diffusers", "transformers")
QT = ("PySide6", "shiboken6")
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    importlib.import_module(module.name)
loaded = sorted({{name.partition(".")[0] for name in sys.modules}} & set({forbidden!r}))
sys.exit(f"{package} loads {{', '.join(loaded)}}" if loaded else 0)
"""


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("collage_studio.document", TORCH + QT),
        ("collage_studio.formats", TORCH + QT),
        ("collage_studio.writeback", (*TORCH, *QT)),
        ("collage_studio.cutout", (*TORCH, *QT, "rembg", "onnxruntime")),
        ("collage_studio.engine.api", TORCH + QT),
        ("collage_studio.jobs", TORCH + QT),
        ("collage_studio.app", TORCH + QT),
        ("collage_studio.commands", TORCH + QT),
        ("collage_studio.cli", TORCH + QT),
        ("collage_studio.ui", TORCH),
        ("collage_studio.engine", QT),
        ("collage_studio.training", QT),
    ],
)
def test_a_fresh_interpreter_loads_nothing_forbidden(package: str, forbidden: tuple[str, ...]):
    script = IMPORT_ALL.format(package=package, forbidden=forbidden)
    outcome = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr


def test_the_import_contracts_hold():
    pytest.importorskip("importlinter", reason="import-linter belongs to the dev extras")
    outcome = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
