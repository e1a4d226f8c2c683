"""Training of the starter's control, with a tiny model on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel

from collage_studio.starter.autoencoder import (
    build_autoencoder,
    render_pool,
    set_linear_encoder,
)
from collage_studio.starter.control_training import (
    ControlConfig,
    ControlTrainer,
    build_control,
    export_control,
    train_control,
)
from collage_studio.starter.edge_pictures import EdgePool, edge_pictures
from collage_studio.starter.model import (
    NetworkConfig,
    build_text_encoder,
    build_unet,
    save_model,
)
from collage_studio.starter.pool import ScenePool, write_shard
from collage_studio.starter.render import visible_masks
from collage_studio.starter.tokenizer import build_tokenizer
from collage_studio.starter.world import Scene

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:[\\s\\S]*steps_offset:FutureWarning"),
]
TINY = NetworkConfig((16, 16, 16), heads=2, groups=8, text_width=16, text_layers=1, sample_size=16)
SIZE = 128


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of six scenes and a model folder."""
    folder = tmp_path_factory.mktemp("work")
    autoencoder = build_autoencoder(8)
    set_linear_encoder(autoencoder, render_pool(range(6)))
    autoencoder.register_to_config(scaling_factor=1.0)
    write_shard(folder / "pool", range(6), autoencoder, SIZE)
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    text = build_text_encoder(TINY, tokenizer)
    save_model(build_unet(TINY), text, tokenizer, autoencoder, folder / "model")
    return folder


def config_of(work: Path, name: str, steps: int) -> ControlConfig:
    return ControlConfig(
        work / "pool", work / name / "control.pt", work / "model", steps=steps, batch=4,
        small_window=8, whole_window=16, warm_steps=1, decay_from=0.9,
    )  # fmt: skip


def edges_of(work: Path, pool: ScenePool) -> EdgePool:
    return EdgePool(pool.scenes, work / "edges.npz", SIZE)


def quiet(_: str) -> None:
    pass


def test_edge_pictures_hold_the_lines_of_what_is_seen():
    scene = Scene.from_seed(3)
    whole, objects = edge_pictures(scene, 256)
    behind = visible_masks(scene)[-1] > 0.99
    assert whole.any()
    assert not objects[behind].any()
    assert np.array_equal(whole & ~behind, objects & ~behind) or objects.sum() < whole.sum()


def test_edge_pictures_are_kept_and_cut_where_the_latents_are(work: Path):
    pool = ScenePool(work / "pool")
    edges = edges_of(work, pool)
    again = EdgePool(pool.scenes, work / "edges.npz", SIZE)
    whole, _ = edge_pictures(pool.scenes[2], SIZE)
    for made in (edges, again):
        window = made.window(2, (3, 5), 8, objects_only=False)
        assert window.shape == (3, 64, 64)
        assert np.array_equal(window[0], whole[24:88, 40:104])
    example = pool.draw(np.random.default_rng(0), 8)
    assert pool.scenes[example.scene].seed in range(6)


def test_a_new_control_changes_nothing(work: Path):
    pool = ScenePool(work / "pool")
    trainer = ControlTrainer(config_of(work, "none", 1), edges_of(work, pool))
    batch, pictures, *_ = trainer.prepare([pool.draw(trainer.batches.rng, 8) for _ in range(2)])
    rows = trainer.text_encoder(batch.tokens).last_hidden_state
    down, mid = trainer.control(
        batch.noisy, batch.t, rows, controlnet_cond=pictures, return_dict=False
    )
    assert pictures.shape == (2, 3, 64, 64)
    assert not any(residual.any() for residual in (*down, mid))
    trainer.workers.close()


def test_it_begins_with_the_denoisers_own_weights():
    unet = build_unet(NetworkConfig())
    control = build_control(unet)
    known, weights = unet.state_dict(), control.state_dict()
    assert torch.equal(weights["conv_in.weight"], known["conv_in.weight"])
    own = [name for name in weights if name not in known]
    assert all(name.startswith("controlnet_") for name in own)
    assert 2 * sum(weight.numel() for weight in weights.values()) < 6e6


def test_a_resumed_training_equals_an_uninterrupted_one_and_is_written(work: Path):
    whole = train_control(config_of(work, "whole", 4), progress=quiet)
    parts = config_of(work, "parts", 4)
    parts.checkpoint.parent.mkdir(exist_ok=True)
    pool = ScenePool(parts.pool)
    first = ControlTrainer(parts, edges_of(work, pool))
    first.train_step(pool)
    first.train_step(pool)
    torch.save(first.state(), parts.checkpoint)
    first.workers.close()
    resumed = train_control(parts, resume=True, progress=quiet)
    for name, average in whole.averages.items():
        assert torch.equal(resumed.averages[name], average), name
    assert export_control(parts.checkpoint, work / "control", parts.model) == 4
    loaded = ControlNetModel.from_pretrained(work / "control").state_dict()
    for name, average in whole.averages.items():
        assert torch.equal(loaded[name], average.half()), name
    assert any(loaded[name].any() for name in loaded if name.startswith("controlnet_mid"))
