"""What the bootstrap decides before it touches anything."""

import importlib.util
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap() -> ModuleType:
    path = ROOT / "packaging" / "bootstrap.py"
    if not path.is_file():
        pytest.skip("packaging/ is not part of this installation")
    spec = importlib.util.spec_from_file_location("bootstrap", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "requirement",
    [
        'nvidia-cudnn-cu13==9.24.0.43; platform_system == "Linux"',
        'cuda-bindings<14,>=13.0.3; platform_system == "Linux"',
        'triton==3.5.0; platform_system == "Linux"',
    ],
)
def test_build_that_needs_cuda_libraries_is_recognised(bootstrap, requirement) -> None:
    assert bootstrap.needs_cuda(["filelock", requirement])


def test_cpu_build_is_recognised(bootstrap) -> None:
    optional = 'nvidia-something; extra == "gpu"'
    assert not bootstrap.needs_cuda(["filelock", "sympy>=1.13.3", optional])


def test_too_old_python_is_refused_in_one_sentence(bootstrap, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4, "final", 0))
    with pytest.raises(bootstrap.Trouble, match=r"needs Python 3\.11 to 3\.13"):
        bootstrap.check_python()


def test_full_disk_is_noticed_before_anything_is_downloaded(bootstrap, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: type("U", (), {"free": 1e9}))
    with pytest.raises(bootstrap.Trouble, match=r"only 1\.0 GB are free"):
        bootstrap.check_space("cpu")


def test_tests_take_arguments_for_pytest(bootstrap) -> None:
    options = bootstrap.parse(["test", "-k", "mask"])
    assert (options.what, options.pytest_args) == ("test", ["-k", "mask"])


def test_cpu_and_cuda_exclude_each_other(bootstrap) -> None:
    with pytest.raises(SystemExit):
        bootstrap.parse(["--cpu", "--cuda"])


def test_truncated_library_is_found(bootstrap, tmp_path, monkeypatch) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "env")
    site = next((tmp_path / "env").rglob("site-packages"))
    info = site / "thing-1.0.dist-info"
    info.mkdir()
    (site / "thing.py").write_bytes(b"value = 1\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (info / "RECORD").write_text("thing.py,sha256=x,10\nthing-1.0.dist-info/METADATA,,\n")
    assert bootstrap.broken_distributions() == []
    (site / "thing.py").write_bytes(b"val")
    assert bootstrap.broken_distributions() == ["thing==1.0"]


def test_bootstrap_can_be_read_by_a_python_that_is_too_old() -> None:
    code = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 8))"
    path = ROOT / "packaging" / "bootstrap.py"
    subprocess.run([sys.executable, "-c", code, path], check=True)
