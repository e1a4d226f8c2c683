"""Resources are found in a checkout and in an installed package."""

import shutil
import subprocess
import sys
from pathlib import Path

import collage_studio
from collage_studio.resources_dir import resources_path


def test_checkout_reads_resources_in_place() -> None:
    assert resources_path("samples").is_dir()


def test_installed_package_carries_its_resources_inside(tmp_path: Path) -> None:
    package = tmp_path / "collage_studio"
    (package / "_resources").mkdir(parents=True)
    source = Path(collage_studio.__file__).parent
    for name in ("__init__.py", "resources_dir.py"):
        shutil.copy(source / name, package / name)
    code = (
        "from collage_studio.resources_dir import resources_path; print(resources_path('a', 'b'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == package / "_resources" / "a" / "b"
