"""Where icons, samples and the bundled model lie: in a checkout, or inside an installed package."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resources_path(*parts: str) -> Path:
    """Path below the resources folder, as in resources_path("starter", "model").

    A checkout keeps the folder beside the package; a wheel carries it inside.
    """
    return _folder().joinpath(*parts)


@cache
def _folder() -> Path:
    beside = _PACKAGE.parent / "resources"
    in_checkout = (_PACKAGE.parent / "pyproject.toml").is_file() and beside.is_dir()
    return beside if in_checkout else _PACKAGE / "_resources"
