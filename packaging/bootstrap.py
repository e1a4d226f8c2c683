"""Install Collage Studio beside its sources and start it: `python3 packaging/bootstrap.py`.

Standard library only. Sub-commands: `run` (the default), `install`, `test`.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "collage-studio.json"
LOG = VENV / "bootstrap.log"
OUTPUT = "collage-studio-output"
SAMPLE = "Lakeside camp.collage"
SAMPLE_LAYER = "Tent"

OLDEST, NEWEST = (3, 11), (3, 13)
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Where PyTorch's own index is out of reach, an index may still hold this version's CPU build.
TORCH_FALLBACK = "torch==2.13.0"
CUDA_PACKAGES = ("nvidia-", "cuda-", "triton", "pytorch-triton")
NEEDED_GB = {"cpu": 4, "cuda": 12, "default": 4}

QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
}

CHECK_FILES = """
import importlib.metadata as metadata, json, sys
from pathlib import Path
broken = []
for dist in metadata.distributions():
    for file in dist.files or ():
        if file.size is None or file.suffix == ".pyc":
            continue
        path = Path(dist.locate_file(file))
        if not path.is_file() or path.stat().st_size != file.size:
            broken.append(f"{dist.metadata['Name']}=={dist.version}")
            break
json.dump(sorted(set(broken)), sys.stdout)
"""


class Trouble(Exception):
    """A reason to stop, as one sentence for the person at the terminal."""


def say(text: str) -> None:
    print(text, flush=True)


# The machine


def check_python() -> None:
    """Refuse an interpreter that the program does not run on, naming a better one."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    known = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    better = next((name for name in known if shutil.which(name)), None)
    remedy = (
        f"run `{better} packaging/bootstrap.py` instead" if better else "install one of these first"
    )
    raise Trouble(
        f"Collage Studio needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, this is "
        f"{platform.python_version()}; {remedy}."
    )


def check_space(flavour: str) -> None:
    """Refuse to begin an installation that the disk cannot hold."""
    free = shutil.disk_usage(ROOT).free / 1e9
    needed = NEEDED_GB[flavour]
    if free < needed:
        raise Trouble(
            f"The installation needs about {needed} GB in {ROOT}, "
            f"but only {free:.1f} GB are free; make room and run this again."
        )


def has_nvidia_card() -> bool:
    """Whether a CUDA build of torch could be of use here."""
    if sys.platform == "darwin":
        return False
    if Path("/proc/driver/nvidia/version").exists():
        return True
    if not shutil.which("nvidia-smi"):
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0


def has_display() -> bool:
    """Whether a window can be shown."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def missing_packages() -> list[str]:
    """Debian packages of the system libraries Qt needs and this machine lacks."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for soname, package in QT_LIBRARIES.items() if not _loads(soname)]


def _as_root() -> list[str] | None:
    """What to put before a command to run it as root; None where that takes a password."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None


def apt_install(packages: list[str], purpose: str) -> bool:
    """Install Debian packages where that needs no password, else print the line that does."""
    if not packages:
        return True
    if not shutil.which("apt-get"):
        say(f"Note: {purpose} needs the libraries that Debian calls: {' '.join(packages)}")
        return False
    prefix = _as_root()
    line = f"apt-get install -y {' '.join(packages)}"
    if prefix is None:
        say(f"Note: {purpose} needs system packages. Please run: sudo {line}")
        return False
    say(f"Installing system packages for {purpose}: {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [*prefix, "apt-get", "install", "-y", "--no-install-recommends", *packages]
    for command in ([*prefix, "apt-get", "update"], install):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"Note: that did not work. When the network is there, run: sudo {line}")
        return False
    return True


# The environment


def venv_program(name: str) -> Path:
    """Path of a program of the environment."""
    folder, suffix = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    return VENV / folder / (name + suffix)


def make_environment() -> None:
    """Create .venv from scratch."""
    if VENV.exists():
        shutil.rmtree(VENV)
    say(f"Making a virtual environment in {VENV}")
    try:
        if not importlib.util.find_spec("ensurepip"):  # Debian ships venv without it
            raise ModuleNotFoundError("ensurepip")
        venv.create(VENV, with_pip=True)
    except (ModuleNotFoundError, subprocess.CalledProcessError) as error:
        shutil.rmtree(VENV, ignore_errors=True)
        package = f"python3.{sys.version_info[1]}-venv"
        raise Trouble(
            f"This Python cannot make virtual environments; run `sudo apt-get install {package}` "
            "and then this command again."
        ) from error


def environment_runs() -> bool:
    """Whether .venv has a working interpreter of this Python version with pip."""
    python = venv_program("python")
    if not python.exists():
        return False
    code = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == "{}.{}".format(*sys.version_info[:2])


class Pip:
    """Runs the environment's pip: short progress on the terminal, everything in the log."""

    def __init__(self) -> None:
        self.downloaded_mb = 0.0

    def install(self, *arguments: str, trouble: str) -> None:
        """Run `pip install`; raise Trouble(trouble) with pip's own last error if it fails."""
        command = [venv_program("python"), "-m", "pip", "install", "--progress-bar", "off"]
        command += ["--disable-pip-version-check", "--no-input", *arguments]
        errors: list[str] = []
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        with process, LOG.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(line)
                self._report(line)
                if line.startswith("ERROR") or "No space left" in line:
                    errors.append(line.strip())
        if process.returncode != 0:
            reason = next((e for e in errors if "No space left" in e), errors[0] if errors else "")
            raise Trouble(f"{trouble} {reason} (all of pip's output: {LOG})")

    def _report(self, line: str) -> None:
        match = re.match(r"\s*Downloading (\S+).*?\(([\d.]+) ([kMG]B)\)", line)
        if match and not match[1].endswith(".metadata"):
            size = float(match[2]) * {"kB": 1e-3, "MB": 1.0, "GB": 1e3}[match[3]]
            self.downloaded_mb += size
            if size >= 1:
                name = match[1].rsplit("/", 1)[-1].split("-")[0]
                say(f"  downloading {name}, {size:.0f} MB")
        elif line.startswith("Installing collected packages"):
            say(f"  installing {line.count(',') + 1} packages")

    def plan(self, *arguments: str) -> list[str] | None:
        """Requirements of the torch build that pip would install; None if it finds none."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            command = [venv_program("python"), "-m", "pip", "install", "--dry-run", "--quiet"]
            command += ["--no-deps", "--ignore-installed", "--report", report, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            with LOG.open("a", encoding="utf-8") as log:
                log.write(done.stdout + done.stderr)
            if done.returncode != 0 or not report.exists():
                return None
            chosen = json.loads(report.read_text(encoding="utf-8"))["install"]
            return [r for item in chosen for r in item["metadata"].get("requires_dist", [])]


def needs_cuda(requirements: list[str]) -> bool:
    """Whether one of a package's requirements, optional extras aside, is a CUDA library."""
    return any(
        requirement.lower().startswith(CUDA_PACKAGES) and "extra ==" not in requirement
        for requirement in requirements
    )


def _torch_in_place() -> bool:
    code = "import importlib.metadata as m; print(m.version('torch'))"
    command = [venv_program("python"), "-c", code]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install_torch(pip: Pip, flavour: str) -> None:
    """Put torch's CPU build in place on Linux; elsewhere, and with CUDA, pip chooses right."""
    if flavour != "cpu" or not sys.platform.startswith("linux") or _torch_in_place():
        return
    say("Looking for a CPU build of torch (no NVIDIA card here; --cuda takes the CUDA build)")
    short = ("--timeout", "10", "--retries", "1")
    for source in (("--index-url", TORCH_CPU_INDEX, *short, "torch>=2.6"), (TORCH_FALLBACK,)):
        requirements = pip.plan(*source)
        if requirements is not None and not needs_cuda(requirements):
            pip.install("--no-deps", *source, trouble="torch could not be installed.")
            return
    raise Trouble(
        f"No CPU build of torch can be reached: see that {TORCH_CPU_INDEX} opens, "
        "or add --cuda to take the CUDA build (about 5 GB)."
    )


# Stamp and repair


def _fingerprint() -> str:
    inputs = (ROOT / "pyproject.toml", ROOT / "setup.py")
    digest = hashlib.sha256("{}.{}".format(*sys.version_info[:2]).encode())
    for path in inputs:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp() -> dict[str, object]:
    """What the last finished installation wrote; empty if none finished."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def broken_distributions() -> list[str] | None:
    """Installed packages with missing or truncated files, as `name==version`; None if unknown."""
    command = [venv_program("python"), "-c", CHECK_FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def is_ready(flavour: str, extras: str) -> bool:
    """Whether the last installation was for these sources and is still whole."""
    stamp = read_stamp()
    wanted = {"fingerprint": _fingerprint(), "root": str(ROOT)}
    if any(stamp.get(key) != value for key, value in wanted.items()):
        return False
    if flavour == "cuda" and stamp.get("flavour") == "cpu":
        return False
    if extras and extras not in str(stamp.get("extras", "")).split(","):
        return False
    return environment_runs() and broken_distributions() == []


def _repair(pip: Pip, flavour: str) -> None:
    """Bring an existing environment back to where pip can go on; recreate it if need be."""
    broken = broken_distributions() if environment_runs() else None
    changed_flavour = flavour == "cuda" and read_stamp().get("flavour") == "cpu"
    if broken is None or changed_flavour or any(b.startswith("torch==") for b in broken):
        make_environment()
    elif broken:
        say(f"Repairing {', '.join(broken)}")
        others = [b for b in broken if not b.startswith("collage-studio==")]
        if others:
            pip.install("--force-reinstall", "--no-deps", *others, trouble="Repair failed.")


def install(flavour: str, extras: str) -> None:
    """Install everything, or nothing if it is all there."""
    if is_ready(flavour, extras):
        return
    started = time.monotonic()
    pip = Pip()
    if VENV.exists():
        _repair(pip, flavour)
    else:
        check_space(flavour)
        make_environment()
    STAMP.unlink(missing_ok=True)
    install_torch(pip, flavour)
    say("Installing Collage Studio and its libraries")
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    pip.install("--editable", target, trouble="The libraries could not be installed.")
    stamp = {"fingerprint": _fingerprint(), "root": str(ROOT)}
    STAMP.write_text(json.dumps({**stamp, "flavour": flavour, "extras": extras}), encoding="utf-8")
    minutes = (time.monotonic() - started) / 60
    say(f"Installed in {minutes:.1f} minutes, {pip.downloaded_mb:.0f} MB downloaded.")


# What to do then


def _run(arguments: list[str | Path], **options: object) -> int:
    return subprocess.run(arguments, check=False, **options).returncode  # type: ignore[call-overload]


def start_window() -> int:
    """Open the app on the sample collage and stay until it is closed."""
    say("Starting Collage Studio")
    sample = ROOT / "resources" / "samples" / SAMPLE
    return _run([venv_program("python"), "-m", "collage_studio", sample])


def run_headless() -> int:
    """Do without a window what a first session does: harmonise, re-roll a layer, export."""
    folder = Path.cwd() / OUTPUT
    folder.mkdir(exist_ok=True)
    sample = ROOT / "resources" / "samples" / SAMPLE
    harmonised, rerolled = folder / "harmonised.collage", folder / "re-rolled.collage"
    commands: list[list[str | Path]] = [
        ["render", sample, "-o", harmonised, "--seeds", "1"],
        ["reroll", harmonised, "--layer", SAMPLE_LAYER, "--seeds", "2", "-o", rerolled],
        ["export", rerolled, "-o", folder / "result.png"],
        ["export", rerolled, "-o", folder / "result.psd"],
    ]
    say(f"No display here: harmonising {sample.stem}, then re-rolling its {SAMPLE_LAYER}.")
    for command in commands:
        status = _run([venv_program("python"), "-m", "collage_studio", *command])
        if status != 0:
            return status
    say("Done. The collage, its picture and the layered PSD:")
    for path in (rerolled, folder / "result.png", folder / "result.psd"):
        say(f"  {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def run_tests(arguments: list[str]) -> int:
    """Run the test suite; tests of a real window start a virtual X server themselves."""
    return _run([venv_program("python"), "-m", "pytest", *arguments], cwd=ROOT)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bootstrap.py", description=__doc__)
    parser.add_argument("what", nargs="?", default="run", choices=("run", "install", "test"))
    build = parser.add_mutually_exclusive_group()
    build.add_argument("--cpu", action="store_true", help="take torch's CPU build")
    build.add_argument("--cuda", action="store_true", help="take torch's CUDA build (about 5 GB)")
    parser.add_argument("pytest_args", nargs=argparse.REMAINDER, help="handed on to pytest")
    return parser.parse_args(arguments)


def main() -> int:
    """Do what the command line says; returns the exit status."""
    options = parse()
    try:
        check_python()
        if sys.platform.startswith("linux"):
            apt_install(missing_packages(), "the window")
            if options.what == "test" and not shutil.which("xvfb-run"):
                apt_install(["xvfb", "xauth"], "tests of a real window")
        cuda = options.cuda or (not options.cpu and has_nvidia_card())
        install("cuda" if cuda else "cpu", "dev" if options.what == "test" else "")
        if options.what == "install":
            say("Ready. Start with: python3 packaging/bootstrap.py")
            return 0
        if options.what == "test":
            return run_tests(options.pytest_args)
        return start_window() if has_display() else run_headless()
    except Trouble as trouble:
        print(f"Stopped: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped by you; the same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
