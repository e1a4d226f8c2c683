"""Training of a rich-context adapter: it learns, it uses layouts, it goes on exactly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_world import tiny_config, write_data, write_model

from collage_studio.engine.rich_context.checkpoint import load_adapter
from collage_studio.training.rich_context.checks import (
    EXCHANGED,
    NONE,
    RIGHT,
    SHIFTED,
    counterfactuals,
)
from collage_studio.training.rich_context.config import (
    CONFIG,
    TrainConfig,
    TrainingRefused,
    starter_config,
)
from collage_studio.training.rich_context.examples import Order, generator_of
from collage_studio.training.rich_context.loop import ADAPTER, Trainer, train
from collage_studio.training.rich_context.opening import manifest_of
from collage_studio.training.rich_context.records import LOSSES, read_table

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def losses_of(folder: Path) -> list[float]:
    return [row["loss"] for row in read_table(folder / LOSSES)]


def test_two_hundred_steps_lower_the_loss_and_make_the_layout_matter(
    model: Path, data: Path, tmp_path: Path
):
    config = tiny_config(model, tmp_path, 200)
    trainer = Trainer(config, manifest_of(data, config))
    with trainer.ready():
        known = [trainer.source.example(at, generator_of(0, "x", 0)) for at in range(6)]
        before = counterfactuals(trainer.denoiser, trainer.batches, known)
        for _ in range(config.steps):
            trainer.step()
        errors = counterfactuals(trainer.denoiser, trainer.batches, known)
    assert len(set(before.values())) == 1, "an untrained adapter changed the model"
    assert errors[RIGHT] < 0.95 * before[RIGHT]
    assert errors[RIGHT] < min(errors[SHIFTED], errors[EXCHANGED], errors[NONE])


def test_a_training_leaves_an_adapter_that_loads(model: Path, data: Path, tmp_path: Path):
    config = replace(tiny_config(model, tmp_path, 2), held_out=2, sample_every=2, check_every=2)
    train(config, manifest_of(data, config))
    adapter = load_adapter(tmp_path / ADAPTER)
    assert adapter.metadata["steps"] == "2"
    assert (tmp_path / "samples-000002.png").is_file()
    assert len(losses_of(tmp_path)) == 2


def test_going_on_gives_the_very_same_curve(model: Path, data: Path, tmp_path: Path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    config = tiny_config(model, whole, 8)
    train(config, manifest_of(data, config))
    for steps in (3, 8):
        part = replace(config, out=broken, steps=steps)
        train(part, manifest_of(data, part), resume=steps == 8)
    assert losses_of(broken) == losses_of(whole)
    ours, theirs = (load_adapter(folder / ADAPTER).state_dict() for folder in (whole, broken))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_parts_of_a_batch_add_up_to_the_whole(model: Path, data: Path, tmp_path: Path):
    curves = list[list[float]]()
    for at_once in (0, 1):
        out = tmp_path / str(at_once)
        config = replace(tiny_config(model, out, 4), at_once=at_once)
        train(config, manifest_of(data, config))
        curves.append(losses_of(out))
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


@pytest.mark.slow
def test_two_processes_give_the_same_curve_as_one(model: Path, data: Path, tmp_path: Path):
    run(model, data, tmp_path / "one", 20)
    launch = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29517")
    run(model, data, tmp_path / "two", 20, launch)
    assert losses_of(tmp_path / "two") == pytest.approx(losses_of(tmp_path / "one"), rel=1e-3)


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    model: Path, data: Path, tmp_path: Path
):
    run(model, data, tmp_path / "whole", 40)
    out = tmp_path / "killed"
    script = str(Path(__file__).with_name("tiny_world.py"))
    process = subprocess.Popen(
        [sys.executable, script, str(model), str(data), str(out), "40"], env=environment(), cwd=ROOT
    )
    while len(losses_of(out)) < 13 and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    run(model, data, out, 40, more=("resume",))
    assert losses_of(out) == losses_of(tmp_path / "whole")


def run(
    model: Path,
    data: Path,
    out: Path,
    steps: int,
    launch: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
) -> None:
    script = str(Path(__file__).with_name("tiny_world.py"))
    command = [sys.executable, *launch, script, str(model), str(data), str(out), str(steps), *more]
    outcome = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_each_item_comes_once_per_epoch_however_it_is_shared():
    order = Order(10, seed=3)
    whole = order.at(0, 30)
    assert sorted(whole[:10]) == [(item, 0) for item in range(10)]
    assert whole[:4] + order.at(4, 4) + order.at(8, 22) == whole
    assert [item for item, _ in whole[:10]] != [item for item, _ in whole[10:20]]


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(TrainingRefused, match="cannot be shared"):
        TrainConfig(Path(), batch=6).accumulation(4)
    assert TrainConfig(Path(), batch=8, at_once=2).accumulation(2) == 2


def test_a_configuration_comes_back_from_its_file(tmp_path: Path):
    config = starter_config(tmp_path)
    config.write(tmp_path / CONFIG)
    assert TrainConfig.read(tmp_path / CONFIG) == config
