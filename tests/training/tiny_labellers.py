"""Detectors and captioners of the real classes, tiny and with random weights, as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    BlipProcessor,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessorPil,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessorPil,
    OwlViTProcessor,
    PreTrainedTokenizerFast,
    ResNetConfig,
    SwinConfig,
)

from collage_studio.starter.tokenizer import build_tokenizer

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_TEXT = """
    a red apple tent behind the car dog on grass and beside tree cat describe picture .
"""
WORDS = _TEXT.split()
NAMES = ("apple", "tent", "car")


def detr(folder: Path) -> Path:
    """A detector with names of its own."""
    config = DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=ResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 8, 8, 16],
            depths=[1, 1, 1, 1],
            out_features=["stage4"],
        ),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=12,
        id2label=dict(enumerate(NAMES)),
        label2id={name: at for at, name in enumerate(NAMES)},
    )
    processor = DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128})
    return _saved(folder, DetrForObjectDetection, config, processor, 1)


def owl(folder: Path) -> Path:
    """A detector that is told each word by itself."""
    words = build_tokenizer()
    words.model_max_length = 16
    text = {**SMALL, "vocab_size": len(words), "max_position_embeddings": 16}
    text |= {"eos_token_id": words.eos_token_id, "bos_token_id": words.bos_token_id}
    vision = {**SMALL, "image_size": 64, "patch_size": 16}
    config = OwlViTConfig(text_config=text, vision_config=vision, projection_dim=32)
    side = {"height": 64, "width": 64}
    pictures = OwlViTImageProcessorPil(size=side, crop_size=side)
    processor = OwlViTProcessor(pictures, words)
    return _saved(folder, OwlViTForObjectDetection, config, processor, 2, 0.1)


def grounding_dino(folder: Path) -> Path:
    """The paper's detector: it reads all words as one text."""
    words = bert_words()
    config = GroundingDinoConfig(
        use_timm_backbone=False,
        backbone=None,
        backbone_config=SwinConfig(
            embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(**SMALL, vocab_size=len(words)),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=12,
        num_feature_levels=4, encoder_n_points=2, decoder_n_points=2,
    )  # fmt: skip
    pictures = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    processor = GroundingDinoProcessor(pictures, words)
    return _saved(folder, GroundingDinoForObjectDetection, config, processor, 3)


def blip(folder: Path) -> Path:
    """A captioner that needs no question."""
    words = bert_words()
    text = {**SMALL, "vocab_size": len(words), "encoder_hidden_size": 32, "projection_dim": 16}
    text |= {"bos_token_id": 1, "eos_token_id": 2, "sep_token_id": 2, "pad_token_id": 0}
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16)
    pictures = BlipImageProcessorPil(size={"height": 32, "width": 32})
    processor = BlipProcessor(pictures, words)
    return _saved(folder, BlipForConditionalGeneration, config, processor, 4, 8.0)


def git(folder: Path) -> Path:
    """Another one; it begins by itself."""
    words = bert_words()
    config = GitConfig(
        **SMALL, vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=0,
        vision_config={**SMALL, "image_size": 32, "patch_size": 8},
    )  # fmt: skip
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    return _saved(folder, GitForCausalLM, config, GitProcessor(pictures, words), 5, 6.0)


def llava(folder: Path) -> Path:
    """A captioner that chats."""
    vocabulary = {word: at for at, word in enumerate(["<pad>", "<s>", "</s>", "<image>", *WORDS])}
    words = PreTrainedTokenizerFast(
        tokenizer_object=_word_level(vocabulary, "<pad>"),
        pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<pad>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**SMALL, image_size=32, patch_size=8, projection_dim=16),
        text_config=LlamaConfig(**SMALL, vocab_size=len(vocabulary), num_key_value_heads=2),
        image_token_index=3, image_seq_length=16,
    )  # fmt: skip
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    template = (
        "{% for m in messages %}{% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<image> {% else %}{{ c['text'] }}{% endif %}"
        "{% endfor %}{% endfor %}"
    )
    processor = LlavaProcessor(
        pictures, words, patch_size=8, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=template,
    )  # fmt: skip
    return _saved(folder, LlavaForConditionalGeneration, config, processor, 6)


def bert_words() -> BertTokenizer:
    """A tokenizer of a few words."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    return BertTokenizer(vocab={word: at for at, word in enumerate([*special, *WORDS])})


def _word_level(vocabulary: dict[str, int], unknown: str) -> Tokenizer:
    made = Tokenizer(WordLevel(vocabulary, unk_token=unknown))
    made.pre_tokenizer = Whitespace()
    return made


def _saved(
    folder: Path, network: Any, config: Any, processor: Any, seed: int, scale: float = 3.0
) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = network(config)
        with torch.no_grad():
            # As they come, tiny networks say the same for every picture.
            for weight in made.parameters():
                if weight.ndim > 1:
                    weight.mul_(scale)
    made.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
