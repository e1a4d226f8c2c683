"""The starter model's tokenizer, latents and training, with tiny networks on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from collage_studio.starter.autoencoder import (
    LATENT_CHANNELS,
    build_autoencoder,
    principal_components,
    render_pool,
    set_linear_encoder,
    to_tensor,
)
from collage_studio.starter.model import NetworkConfig, alphas_cumprod, build_scheduler
from collage_studio.starter.pool import ScenePool, write_shard
from collage_studio.starter.tokenizer import build_tokenizer
from collage_studio.starter.train import TrainConfig, Trainer, train
from collage_studio.starter.world import HELD_OUT_FROM, OBJECTS, HeldOutSeed, Scene, caption_text

TINY = NetworkConfig((16, 16, 16), heads=2, groups=8, text_width=16, text_layers=1, sample_size=16)
SIZE = 128


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pool_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    autoencoder = build_autoencoder(8)
    set_linear_encoder(autoencoder, render_pool(range(6)))
    write_shard(folder, range(6), autoencoder, SIZE)
    return folder


def tiny_config(folder: Path, checkpoint: Path, steps: int) -> TrainConfig:
    return TrainConfig(
        folder, checkpoint, TINY, steps=steps, batch=4, small_window=8, whole_window=16,
        warm_steps=1, decay_from=0.9,
    )  # fmt: skip


def quiet(_: str) -> None:
    pass


def test_each_object_name_is_made_of_whole_words():
    tokenizer = build_tokenizer()
    for kind in OBJECTS:
        assert tokenizer.tokenize(kind.phrase) == [f"{word}</w>" for word in kind.phrase.split()]


def test_captions_survive_the_tokenizer():
    tokenizer = build_tokenizer()
    for seed in range(20):
        text = caption_text(Scene.from_seed(seed))
        ids = tokenizer(text).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[1:-1]).replace(" ", "") == text.replace(" ", "")


def test_unknown_words_fall_back_to_pieces():
    tokenizer = build_tokenizer()
    ids = tokenizer("zebra é 🍎 123").input_ids
    assert max(ids) < len(tokenizer)
    assert len(ids) > 10


def test_padding_fills_77_places_with_the_end_token():
    tokenizer = build_tokenizer()
    ids = tokenizer("a tent", padding="max_length").input_ids
    assert len(ids) == 77
    assert set(ids[3:]) == {tokenizer.eos_token_id}


def test_the_encoder_is_the_projection_it_claims_to_be():
    pictures = render_pool(range(4))
    model = build_autoencoder(8)
    set_linear_encoder(model, pictures)
    mean, basis = principal_components(pictures)
    block = pictures[0, 64:72, 80:88].reshape(-1) / np.float32(255)
    with torch.inference_mode():
        latents = model.encoder(to_tensor(pictures[:1]))
    expected = basis @ (torch.from_numpy(block) - mean)
    assert latents.shape == (1, LATENT_CHANNELS, 32, 32)
    torch.testing.assert_close(latents[0, :, 8, 10], expected, atol=1e-3, rtol=1e-3)


def test_training_refuses_held_out_scenes(tmp_path: Path):
    with pytest.raises(HeldOutSeed):
        write_shard(tmp_path, range(HELD_OUT_FROM, HELD_OUT_FROM + 1), build_autoencoder(8))
    with pytest.raises(HeldOutSeed):
        render_pool(range(HELD_OUT_FROM, HELD_OUT_FROM + 1))
    np.savez(
        tmp_path / "00000000.npz",
        seeds=[HELD_OUT_FROM],
        lit=np.zeros((1, 8, 4, 4)),
        pasted=np.zeros((1, 8, 4, 4)),
        masks=np.zeros((1, 5, 4, 4)),
    )
    with pytest.raises(HeldOutSeed):
        ScenePool(tmp_path)


def test_a_window_names_only_what_it_shows(pool_folder: Path):
    pool, rng = ScenePool(pool_folder), np.random.default_rng(0)
    for _ in range(30):
        example = pool.draw(rng, 8)
        seen = example.masks[:-1].sum(axis=(1, 2), dtype=np.float32)
        named = sum(f" {kind.name}" in f" {example.caption}" for kind in OBJECTS)
        assert example.lit.shape == (LATENT_CHANNELS, 8, 8)
        assert named <= (seen >= 6).sum()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_noise_levels_are_those_of_the_scheduler():
    torch.testing.assert_close(
        alphas_cumprod(), build_scheduler().alphas_cumprod, atol=1e-5, rtol=1e-4
    )


def test_the_target_always_leads_to_the_lit_truth(pool_folder: Path, tmp_path: Path):
    trainer = Trainer(tiny_config(pool_folder, tmp_path / "a.pt", 2))
    pool = ScenePool(pool_folder)
    examples = [pool.draw(trainer.batches.rng, 8) for _ in range(8)]
    batch = trainer.prepare(examples)
    share = trainer.batches.signal[batch.t].view(-1, 1, 1, 1)
    reached = share.sqrt() * batch.noisy - (1 - share).sqrt() * batch.target
    truth = torch.from_numpy(np.stack([example.lit for example in examples])).float()
    torch.testing.assert_close(reached, truth, atol=1e-3, rtol=1e-3)
    trainer.workers.close()


def test_a_resumed_training_equals_an_uninterrupted_one(pool_folder: Path, tmp_path: Path):
    whole = train(tiny_config(pool_folder, tmp_path / "whole.pt", 4), progress=quiet)
    parts = tiny_config(pool_folder, tmp_path / "parts.pt", 4)
    _train_two_steps_and_stop(parts)
    resumed = train(parts, resume=True, progress=quiet)
    assert resumed.step == whole.step == 4
    for name, average in whole.averages.items():
        assert torch.equal(resumed.averages[name], average), name


def _train_two_steps_and_stop(config: TrainConfig) -> None:
    trainer, pool = Trainer(config), ScenePool(config.pool)
    trainer.train_step(pool)
    trainer.train_step(pool)
    torch.save(trainer.state(), config.checkpoint)
    trainer.workers.close()


def test_training_moves_every_part(pool_folder: Path, tmp_path: Path):
    config = tiny_config(pool_folder, tmp_path / "c.pt", 2)
    before = {name: value.clone() for name, value in Trainer(config).averages.items()}
    after = train(config, progress=quiet).averages
    still = [name for name, value in after.items() if torch.equal(value, before[name])]
    assert len(still) < 0.1 * len(after), still
