"""Models are found, recognised and refused with a sentence."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from collage_studio.document.geometry import Size
from collage_studio.engine.api import BadRequest, ModelUnavailable
from collage_studio.engine.families.base import Conditioning, Frame
from collage_studio.engine.loading.placing import Offload
from collage_studio.engine.models import load_model
from collage_studio.engine.runner import Engine
from collage_studio.formats.checkpoint import PICKLE_REFUSED
from collage_studio.resources_dir import resources_path
from tests.engine import tiny, tiny_families

PREFIX = "model.diffusion_model."
FLUX_KEY = "double_blocks.0.img_attn.norm.key_norm.scale"
FAMILIES = ("stable_diffusion", "sdxl", "sd3", "flux")


def header_only(path: Path, shapes, metadata=None) -> Path:
    """A .safetensors file that names tensors and holds none."""
    entries = {k: {"dtype": "F16", "shape": s, "data_offsets": [0, 0]} for k, s in shapes.items()}
    header = json.dumps(({"__metadata__": metadata} if metadata else {}) | entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved tiny pipeline of each family."""
    root = tmp_path_factory.mktemp("families")
    return {name: tiny_families.folder(name, root / name) for name in FAMILIES}


def velocity(family) -> torch.Tensor:
    """One call of the network, the same for equal weights."""
    x = torch.randn(1, family.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    told = Conditioning([family.read_text("a cat")], (Frame.whole(8, 8),), 2.0)
    with torch.inference_mode():
        schedule = family.schedule("ddim", 4, Size(8, 8))
        return family.forward(x, schedule, 1, told)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folder_of_each_family_loads_with_its_weights(folders, name):
    family = load_model(str(folders[name]), tiny.CPU)
    assert family.name == name
    built = tiny_families.family_of(tiny_families.PIPELINES[name]())
    if not name.startswith(("sd3", "flux")):  # those are built with shorter texts
        assert (velocity(family) - velocity(built)).abs().max() <= 1e-5
    network = "unet" if hasattr(family, "unet") else "transformer"
    loaded, expected = getattr(family, network), getattr(built, network)
    for key, weight in expected.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], weight)


@pytest.mark.parametrize("offload", [Offload.PARTS, Offload.LAYERS])
@pytest.mark.parametrize("name", FAMILIES)
def test_weights_that_wait_elsewhere_give_the_same_picture(folders, name, offload):
    expected = velocity(load_model(str(folders[name]), tiny.CPU))
    family = load_model(str(folders[name]), tiny.CPU, offload=offload)
    assert (velocity(family) - expected).abs().max() <= 1e-5
    picture = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        assert family.decode(family.encode(picture).mean).shape == picture.shape


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_half_precision_stays_near_full(folders, name, precision):
    family = load_model(str(folders[name]), tiny.CPU, precision=precision)
    network = getattr(family, "unet", None) or family.transformer
    assert next(network.parameters()).element_size() == 2
    assert next(family.vae.parameters()).dtype == torch.float32
    full = velocity(load_model(str(folders[name]), tiny.CPU, precision="fp32"))
    assert (velocity(family) - full).abs().mean() <= 0.1 * full.abs().mean()


def test_an_unknown_precision_is_explained():
    with pytest.raises(BadRequest, match="There is no precision 'fp8'"):
        load_model("starter", tiny.CPU, precision="fp8")


def test_the_halves_are_taken_where_a_folder_has_nothing_else(tmp_path):
    folder = tmp_path / "halves"
    tiny.pipeline().to(torch.float16).save_pretrained(folder, variant="fp16")
    assert load_model(str(folder), tiny.CPU).name == "stable_diffusion"


@pytest.mark.parametrize(
    ("config", "network", "weights"),
    [
        ("sd1", "unet", 859_520_964),
        ("sd2", "unet", 865_910_724),
        ("sdxl", "unet", 2_567_463_684),
        ("sd3", "transformer", 2_028_328_000),
        ("sd35_medium", "transformer", 2_243_171_520),
        ("sd35_large", "transformer", 8_056_627_520),
        ("flux_dev", "transformer", 11_901_408_320),
        ("flux_schnell", "transformer", 11_891_178_560),
    ],
)
def test_the_shipped_shapes_are_those_of_the_published_models(config, network, weights):
    from accelerate import init_empty_weights
    from diffusers import FluxTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel

    folder = resources_path("model_configs", config, network)
    kind = UNet2DConditionModel
    if network == "transformer":
        kind = FluxTransformer2DModel if "flux" in config else SD3Transformer2DModel
    shapes = kind.load_config(folder)
    if "pos_embed_max_size" in shapes:
        shapes["pos_embed_max_size"] = 2  # the table is no weight, and slow to make
    with init_empty_weights():
        model = kind.from_config(shapes)
    assert sum(p.numel() for p in model.parameters()) == weights


def test_the_shipped_tokenizer_gives_the_published_ids():
    from collage_studio.engine.loading.pipelines import clip_tokenizer

    words = clip_tokenizer("!")
    ids = words("a photo of an astronaut riding a horse on mars", padding="max_length").input_ids
    known = [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496, 49407, 0]
    assert ids[:13] == known
    assert len(ids) == 77


def test_a_flux_file_says_what_else_it_needs(tmp_path):
    path = header_only(tmp_path / "flux1-dev.safetensors", {FLUX_KEY: [128]})
    with pytest.raises(ModelUnavailable, match=r"holds the transformer of FLUX\.1 only"):
        load_model(str(path), tiny.CPU)


def test_a_flux_file_takes_the_rest_from_the_folder_it_lies_in(folders, tmp_path, monkeypatch):
    """As in the published repository, where transformer/ has the same weights once more."""
    folder = tmp_path / "FLUX.1"
    shutil.copytree(folders["flux"], folder)
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file

    from collage_studio.engine.loading import single_file

    state = load_file(weights)
    weights.unlink()
    mark = {FLUX_KEY: torch.zeros(16), "guidance_in.in_layer.bias": torch.zeros(1)}
    # The library converts the published layout at the published width only, so this file has the
    # names of diffusers and the two by which a published one is known.
    save_file(mark | state, folder / "flux1-dev.safetensors")
    monkeypatch.setattr(single_file, "_config", lambda kind: str(folder))
    save_file(state, tmp_path / "plain.safetensors")
    network = single_file._network(
        tmp_path / "plain.safetensors",
        single_file.recognised(folder / "flux1-dev.safetensors"),
        torch.float32,
    )
    monkeypatch.setattr(single_file, "_network", lambda *_: network)
    family = load_model(str(folder / "flux1-dev.safetensors"), tiny.CPU)
    expected = load_model(str(folders["flux"]), tiny.CPU)
    assert (velocity(family) - velocity(expected)).abs().max() <= 1e-5


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({PREFIX + "input_blocks.0.0.weight": [320, 9, 3, 3],
          PREFIX + "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": [320, 768]},
         "is made for inpainting"),
        ({"conditioner.embedders.0.model.transformer.resblocks.9.x": [1]}, "is the SDXL refiner"),
        ({"single_stream_modulation.lin.weight": [1]}, r"of the family FLUX\.2"),
        ({"lora_unet_down.lora_up.weight": [1]}, "is a LoRA, not a model"),
        ({"down_blocks.0.resnets.0.conv1.weight": [1]}, "one part of a model"),
        ({"something.else": [1]}, "is no model known here"),
    ],
)  # fmt: skip
def test_files_that_cannot_run_are_explained(tmp_path, shapes, sentence):
    path = header_only(tmp_path / "file.safetensors", shapes)
    with pytest.raises(ModelUnavailable, match=sentence):
        load_model(str(path), tiny.CPU)


def test_a_file_whose_weights_are_missing_is_explained(tmp_path):
    shapes = {
        PREFIX + "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
        PREFIX + "input_blocks.0.0.weight": [320, 4, 3, 3],
    }
    path = header_only(tmp_path / "cut.safetensors", shapes)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_model(str(path), tiny.CPU)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folder_that_was_cut_off_is_explained(folders, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(folders[name], folder)
    weights = next(folder.glob("*/diffusion_pytorch_model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match="is damaged or not complete"):
        load_model(str(folder), tiny.CPU)
    weights.unlink()
    with pytest.raises(ModelUnavailable, match="has no weights"):
        load_model(str(folder), tiny.CPU)


def test_the_engine_keeps_one_model(kl_folder, tiny_folder):
    engine = Engine("cpu")
    first = engine.family(str(kl_folder))
    assert engine.family(str(kl_folder)) is first
    engine.family(str(tiny_folder))
    assert engine.family(str(kl_folder)) is not first


@pytest.mark.parametrize("suffix", [".ckpt", ".PT", ".bin"])
def test_pickles_are_refused(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"never opened")
    with pytest.raises(ModelUnavailable) as caught:
        Engine("cpu").family(str(path))
    assert str(caught.value) == PICKLE_REFUSED


def test_a_folder_with_pickled_weights_is_refused(tmp_path):
    folder = tmp_path / "model"
    tiny.pipeline().save_pretrained(folder, safe_serialization=False)
    with pytest.raises(ModelUnavailable, match="is a pickle"):
        Engine("cpu").family(str(folder))


def test_models_that_cannot_run_are_explained(tmp_path):
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "model_index.json").write_text('{"_class_name": "ChromaPipeline"}')
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x01")
    engine = Engine("cpu")
    for name, sentence in [
        (tmp_path / "empty", "has no readable model_index.json"),
        (other, "is a ChromaPipeline"),
        (broken, "is damaged or not complete"),
        (tmp_path / "gone.safetensors", "There is no model at"),
        (tmp_path / "gone", "There is no model at"),
        ("someone/something", "is not on this computer"),
    ]:
        with pytest.raises(ModelUnavailable, match=sentence):
            engine.family(str(name))
