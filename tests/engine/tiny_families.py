"""Tiny pipelines of every family, of the real classes with random weights of a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxImg2ImgPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3Pipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from collage_studio.engine.families.base import Family
from collage_studio.engine.families.diffusion_schedule import stock_scheduler
from collage_studio.engine.families.flow_schedule import stock_flow_scheduler
from collage_studio.engine.families.flux import Flux
from collage_studio.engine.families.sd3 import StableDiffusion3
from collage_studio.engine.families.sdxl import StableDiffusionXL
from collage_studio.engine.families.stable_diffusion import StableDiffusion
from tests.engine import tiny

T5_LENGTH = 24
"""Rows of T5 in the families below; the stock pipelines are called with the same number."""


def t5_tokenizer() -> T5TokenizerFast:
    """Knows a few words and every letter; the first three ids are fixed."""
    words = ["cat", "dog", "a", "red", "blue", "on", "and", "blurry"]
    letters = [chr(code) for code in range(33, 127)] + list("éüß")
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), ("▁", -3.0)]
    vocabulary += [(f"▁{word}", -2.0 - 0.01 * i) for i, word in enumerate(words)]
    vocabulary += [(letter, -8.0 - 0.001 * i) for i, letter in enumerate(letters)]
    return T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=512)


def t5_encoder(words: T5TokenizerFast, width: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(words),
            d_model=width,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
        )
    ).eval()


def clip_with_projection(
    words: CLIPTokenizer, width: int, projection: int
) -> CLIPTextModelWithProjection:
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=width,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=77,
            projection_dim=projection,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    ).eval()


def second_tokenizer() -> CLIPTokenizer:
    """Pads with "!" as the larger CLIPs do."""
    words = tiny.tokenizer()
    words.pad_token = "!"
    return words


def autoencoder(channels: int, shift: float | None = None) -> AutoencoderKL:
    is_plain = channels == 16
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=1.5305 if is_plain else 0.13025,
        shift_factor=shift,
        use_quant_conv=not is_plain,
        use_post_quant_conv=not is_plain,
    ).eval()


def sdxl_pipeline() -> StableDiffusionXLPipeline:
    torch.manual_seed(0)
    words = tiny.tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        cross_attention_dim=80,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=88,
        norm_num_groups=8,
    ).eval()
    return StableDiffusionXLPipeline(
        unet=unet,
        vae=autoencoder(4),
        text_encoder=tiny.text_encoder(words),
        text_encoder_2=clip_with_projection(words, 48, 40),
        tokenizer=words,
        tokenizer_2=second_tokenizer(),
        scheduler=EulerDiscreteScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
        ),
        add_watermarker=False,
    )


def sd3_pipeline(*, with_t5: bool = True, is_first: bool = False) -> StableDiffusion3Pipeline:
    """Like 3.5 medium (norms of queries and keys, a dual layer), or like 3.0."""
    torch.manual_seed(0)
    words, pieces = tiny.tokenizer(), t5_tokenizer()
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=3,
        num_attention_heads=4,
        attention_head_dim=8,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=56,
        pos_embed_max_size=16,
        qk_norm=None if is_first else "rms_norm",
        dual_attention_layers=() if is_first else (0,),
    ).eval()
    return StableDiffusion3Pipeline(
        transformer=transformer,
        vae=autoencoder(16, 0.0609),
        text_encoder=clip_with_projection(words, 24, 24),
        text_encoder_2=clip_with_projection(words, 32, 32),
        text_encoder_3=t5_encoder(pieces, 64) if with_t5 else None,
        tokenizer=words,
        tokenizer_2=second_tokenizer(),
        tokenizer_3=pieces if with_t5 else None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def flux_pipeline(*, is_schnell: bool = False) -> FluxPipeline:
    """Like dev, with guidance as an input, or like schnell."""
    torch.manual_seed(0)
    words, pieces = tiny.tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        num_attention_heads=2,
        attention_head_dim=16,
        axes_dims_rope=(4, 6, 6),
        joint_attention_dim=64,
        pooled_projection_dim=32,
        guidance_embeds=not is_schnell,
    ).eval()
    dev = {
        "use_dynamic_shifting": True,
        "shift": 3.0,
        "base_shift": 0.5,
        "max_shift": 1.15,
        "base_image_seq_len": 256,
        "max_image_seq_len": 4096,
    }
    return FluxPipeline(
        transformer=transformer,
        vae=autoencoder(16, 0.1159),
        text_encoder=tiny.text_encoder(words),
        text_encoder_2=t5_encoder(pieces, 64),
        tokenizer=words,
        tokenizer_2=pieces,
        scheduler=FlowMatchEulerDiscreteScheduler(**({"shift": 1.0} if is_schnell else dev)),
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    "stable_diffusion": tiny.pipeline,
    "stable_diffusion_v": lambda: tiny.pipeline("v_prediction", "tiny"),
    "sdxl": sdxl_pipeline,
    "sd3": sd3_pipeline,
    "sd3_without_t5": lambda: sd3_pipeline(with_t5=False, is_first=True),
    "flux": flux_pipeline,
    "flux_schnell": lambda: flux_pipeline(is_schnell=True),
}
"""A fresh pipeline of each family and of its main variants."""


def family_of(pipe: Any) -> Family:
    """The family on the networks of a tiny pipeline; works at 64 px."""
    match pipe:
        case StableDiffusionXLPipeline():
            return StableDiffusionXL.of_pipeline(pipe, tiny.CPU)
        case StableDiffusion3Pipeline():
            return StableDiffusion3(
                transformer=pipe.transformer,
                vae=pipe.vae,
                text_encoder=pipe.text_encoder,
                text_encoder_2=pipe.text_encoder_2,
                text_encoder_3=pipe.text_encoder_3,
                tokenizer=pipe.tokenizer,
                tokenizer_2=pipe.tokenizer_2,
                tokenizer_3=pipe.tokenizer_3,
                scheduler_config=dict(pipe.scheduler.config),
                device=tiny.CPU,
                t5_length=T5_LENGTH,
            )
        case FluxPipeline():
            return Flux(
                transformer=pipe.transformer,
                vae=pipe.vae,
                text_encoder=pipe.text_encoder,
                text_encoder_2=pipe.text_encoder_2,
                tokenizer=pipe.tokenizer,
                tokenizer_2=pipe.tokenizer_2,
                scheduler_config=dict(pipe.scheduler.config),
                device=tiny.CPU,
                t5_length=T5_LENGTH,
                native_px=64,
            )
        case _:
            return StableDiffusion.of_pipeline(pipe, tiny.CPU)


def _maker(name: str) -> Callable[[], Family]:
    return lambda: family_of(PIPELINES[name]())


FAMILIES: dict[str, Callable[[], Family]] = {name: _maker(name) for name in PIPELINES}
"""A fresh family for each of `PIPELINES`."""


def folder(name: str, path: Path) -> Path:
    """A tiny pipeline saved in the ordinary folder layout."""
    PIPELINES[name]().save_pretrained(path, safe_serialization=True)
    return path


def img2img(pipe: Any, sampler: str) -> Any:
    """The stock img2img pipeline on the networks of `pipe`; "ddim" is Euler on flow families."""
    config = dict(pipe.scheduler.config)
    match pipe:
        case StableDiffusion3Pipeline() | FluxPipeline():
            kind = StableDiffusion3Img2ImgPipeline
            if isinstance(pipe, FluxPipeline):
                kind = FluxImg2ImgPipeline
            parts = pipe.components | {"scheduler": stock_flow_scheduler(config)}
            parts.pop("image_encoder", None)
            parts.pop("feature_extractor", None)
            stock = kind(**parts)
        case StableDiffusionXLPipeline():
            parts = pipe.components | {"scheduler": stock_scheduler(sampler, config)}
            stock = StableDiffusionXLImg2ImgPipeline(**parts, add_watermarker=False)
        case _:
            stock = tiny.img2img(pipe, stock_scheduler(sampler, config))
    stock.set_progress_bar_config(disable=True)
    return stock
