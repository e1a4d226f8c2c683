"""Words for a picture and for the crops around its objects, from any captioner of transformers.

Models that chat are asked in words; others (BLIP, GIT) describe what they see without a question,
or go on from the words they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from collage_studio.training.labelling.checkpoints import kind_of, load_network, load_processor
from collage_studio.training.rich_context.items import Corners

ROLE = "captioner"
SHORT_SIDE, LONG_SIDE = 512, 2048
"""Px of the pictures and crops that a captioner sees; the long side only where it is very long."""

ASK = "Describe this picture in one sentence. Answer with the sentence only."
ASK_REGION = (
    "Describe the {name} in this picture in one long sentence: what it is, what it looks like, its "
    "colours, materials and details, and what is beside it. Do not say left or right. Answer with "
    "the sentence only."
)
_WITHOUT_WORDS = ("git",)
THING = "thing"
"""Stands for the name of a box that has none."""


class Captioner:
    """A checkpoint of `AutoModelForImageTextToText`."""

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype, longest: int = 60
    ) -> None:
        """Load from a folder; raise `ModelUnavailable` with a sentence if that fails.

        Args:
            longest: tokens of one answer.
        """
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.takes_words = kind_of(folder, ROLE) not in _WITHOUT_WORDS
        """Whether anything can be said to it beside a picture."""
        self._processor = load_processor(AutoProcessor, folder, ROLE)
        self._network = load_network(AutoModelForImageTextToText, folder, ROLE, device, dtype)
        self._device, self._dtype = device, dtype
        self.chats = bool(getattr(self._processor, "chat_template", None))
        """Whether it is asked in words."""
        if self.chats:
            self._processor.tokenizer.padding_side = "left"
        self._how = _greedy(self._network.generation_config, longest)

    @torch.inference_mode()
    def texts(self, pictures: Sequence[Image.Image], asked: Sequence[str]) -> list[str]:
        """One text for each picture, tidy: one line without a full stop or semicolons.

        Args:
            asked: what is said to the model beside each picture; "" = nothing.
        """
        shown = [seen_size(picture) for picture in pictures]
        if self.chats:
            told = self._answers(self._questions(shown, asked))
        else:
            told = [""] * len(shown)
            # Texts of several lengths would be padded, and padding is read by some.
            for ask in dict.fromkeys(asked):
                alike = [at for at, said in enumerate(asked) if said == ask]
                answers = self._answers(self._given([shown[at] for at in alike], ask))
                for at, answer in zip(alike, answers, strict=True):
                    told[at] = _without(answer, ask)
        return [tidy(text) for text in told]

    def _answers(self, given: Any) -> list[str]:
        given = given.to(self._device, self._dtype)
        made = self._network.generate(**given, generation_config=self._how)
        before = given.get("input_ids")
        if before is not None and made.shape[1] >= before.shape[1]:
            length = before.shape[1]
            made = made[:, length:] if bool((made[:, :length] == before).all()) else made
        return self._processor.batch_decode(made, skip_special_tokens=True)

    def _questions(self, pictures: Sequence[Image.Image], asked: Sequence[str]) -> Any:
        said = [_question(picture, ask) for picture, ask in zip(pictures, asked, strict=True)]
        return self._processor.apply_chat_template(
            said,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _given(self, pictures: Sequence[Image.Image], ask: str) -> Any:
        if not ask or not self.takes_words:
            return self._processor(images=list(pictures), return_tensors="pt")
        text = [ask] * len(pictures)
        return self._processor(images=list(pictures), text=text, return_tensors="pt")


def seen_size(picture: Image.Image) -> Image.Image:
    """The picture with a short side of 512 px, or a long one of 2048."""
    width, height = picture.size
    scale = min(SHORT_SIDE / min(width, height), LONG_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def crop_of(picture: Image.Image, box: Corners) -> Image.Image:
    """What a box shows, at least one px."""
    left, top = int(box[0]), int(box[1])
    right, bottom = max(left + 1, round(box[2])), max(top + 1, round(box[3]))
    return picture.crop((left, top, right, bottom))


def tidy(text: str) -> str:
    """One line, without a full stop at the end and without the separator of joined texts."""
    return " ".join(text.replace(";", ",").split()).strip("\"' ").rstrip(".").strip()


def _question(picture: Image.Image, ask: str) -> list[dict[str, Any]]:
    content = [{"type": "image", "image": picture}, {"type": "text", "text": ask}]
    return [{"role": "user", "content": content}]


def _without(text: str, ask: str) -> str:
    """An answer that repeats what was said to the model, without it."""
    text = text.strip()
    return text[len(ask) :] if ask and text.lower().startswith(ask.lower()) else text


def _greedy(usual: Any, longest: int) -> Any:
    """The model's own settings, but the same answer every time."""
    from transformers import GenerationConfig

    said = usual.to_dict()
    for name in ("temperature", "top_p", "top_k", "min_p", "typical_p", "max_length"):
        said.pop(name, None)
    return GenerationConfig(**said | {"do_sample": False, "max_new_tokens": longest})
