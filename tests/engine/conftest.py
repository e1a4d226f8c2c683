"""Quiet libraries and the tiny pipelines shared by the engine's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

for log in (diffusers_logging, transformers_logging):
    log.disable_progress_bar()
    log.set_verbosity_error()

import torch  # noqa: E402

torch.set_num_threads(1)

from tests.engine import tiny  # noqa: E402  imports the pipelines, which log hints


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """diffusers 0.42 hands torch tensors to numpy 2 in a way both deprecate."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation"))


@pytest.fixture(scope="session")
def kl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with noise prediction and a KL autoencoder."""
    return tiny.folder(tmp_path_factory.mktemp("models") / "kl")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with v prediction and a tiny autoencoder, like the bundled starter."""
    return tiny.folder(tmp_path_factory.mktemp("models") / "tiny", "v_prediction", "tiny")
