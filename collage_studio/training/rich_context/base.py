"""The frozen model an adapter is trained for: its texts, its latents and its noise levels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from collage_studio.document.geometry import Size
from collage_studio.document.region_plan import RegionPlan, build_plan
from collage_studio.engine.families.base import Encoded, ReadText
from collage_studio.engine.families.diffusion_schedule import diffusion_estimates, stock_scheduler
from collage_studio.engine.families.text import joined_tokens
from collage_studio.engine.models import load_model
from collage_studio.engine.rich_context.encode import LayoutTokens, layout_tokens, reading
from collage_studio.engine.schedule import Level
from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.examples import Example

Value = TypeVar("Value")
_TEXTS_KEPT = 1024


class Recent(OrderedDict[Any, Any]):
    """Remembers what was worked out lately, up to a number of things."""

    def of(self, key: Any, work: Callable[[], Value]) -> Value:
        """What is remembered for `key`; worked out where nothing is."""
        if key not in self:
            self[key] = work()
        self.move_to_end(key)
        while len(self) > _TEXTS_KEPT:
            self.popitem(last=False)
        return self[key]


class FrozenModel:
    """A Stable Diffusion 1.x, 2.x or XL checkpoint, of which nothing is trained.

    Args:
        name: "starter", a folder, a .safetensors file or a hub id that was fetched before.
        size: side of the training pictures in px; 0 = the model's own.
        precision: "fp32", "fp16" or "bf16", of the frozen weights.
    """

    def __init__(
        self, name: str, device: torch.device, *, size: int = 0, precision: str = "fp32"
    ) -> None:
        self.family: Any = load_model(name, device, precision=precision)
        if not hasattr(self.family, "unet"):
            raise TrainingRefused(
                f"{name} is a {self.family.name} model. Rich-context adapters are for Stable "
                "Diffusion 1.x, 2.x and XL."
            )
        self.device = device
        self.unet = self.family.unet
        cells = self.family.factor * self.family.alignment
        self.side = size or self.family.native_px
        if self.side % cells:
            raise TrainingRefused(f"The size must be a multiple of {cells} px for this model.")
        config = self.family.scheduler_config
        self.signal = stock_scheduler("euler_a", config).alphas_cumprod.float()
        self.predicts = str(config.get("prediction_type", "epsilon"))
        self._captions, self._joined = Recent(), Recent()

    @property
    def grid(self) -> Size:
        """Latent cells of a training picture."""
        return Size(self.side // self.family.factor, self.side // self.family.factor)

    @torch.no_grad()
    def encoded(self, picture: Tensor) -> Encoded:
        """Latent of one picture (3, H, W)."""
        return self.family.encode(picture[None])

    @torch.no_grad()
    def caption(self, text: str) -> ReadText:
        """What the network reads of a caption; (1, T, d)."""
        return self._captions.of(text, lambda: self.family.read_text(text))

    @torch.no_grad()
    def layouts(self, examples: Sequence[Example]) -> list[LayoutTokens]:
        """The tokens of each example's regions."""
        plans = [self.plan(example) for example in examples]
        ahead = self._read_ahead(
            {plan.texts(atom) for plan in plans for atom in range(len(plan.members))}
        )

        def read(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
            return ahead.get(tuple(texts)) or self._read(texts)

        return [layout_tokens(plan, reading(read)) for plan in plans]

    def plan(self, example: Example) -> RegionPlan:
        """The example's disjoint regions."""
        height, width = example.content.shape[-2:]
        factor = 1 if example.is_latent else self.family.factor
        return build_plan(example.objects, Size(width // factor, height // factor))

    def _read(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The joined texts of one region, as the family reads them."""
        return self._joined.of(tuple(texts), lambda: self.family.read_joined(texts))

    def _read_ahead(
        self, wanted: set[tuple[str, ...]]
    ) -> dict[tuple[str, ...], tuple[Tensor, Tensor]]:
        """Read many regions' texts at once, where the family has one encoder.

        It reads forwards only, so what lies behind the longest text need not be computed. Nothing
        is kept: rounding depends on what is read together, and a training that goes on has to read
        the same.
        """
        unknown = sorted(texts for texts in wanted if texts)
        if not hasattr(self.family, "tokenizer") or not unknown:
            return {}
        length = self.family.text_limit + 2
        joined = [joined_tokens(self.family.tokenizer, texts, length) for texts in unknown]
        longest = max(int(one.mask.sum()) for one in joined)
        rows = self.family.text_encoder(
            torch.cat([one.ids[:, :longest] for one in joined]).to(self.device),
            attention_mask=torch.cat([one.mask[:, :longest] for one in joined]).to(self.device),
        ).last_hidden_state
        padded = torch.nn.functional.pad(rows, (0, 0, 0, length - longest))
        owners = [one.owner.to(self.device) for one in joined]
        return dict(zip(unknown, zip(padded, owners, strict=True), strict=True))

    def told(self, texts: Sequence[ReadText], size: tuple[int, int]) -> dict[str, Tensor]:
        """What the network is told beside the rows: in XL the pooled text and the sizes in px."""
        pooled = [text.pooled for text in texts if text.pooled is not None]
        if not pooled:
            return {}
        height, width = (side * self.family.factor for side in size)
        ids = torch.tensor([[height, width, 0, 0, height, width]], device=self.device)
        return {"text_embeds": torch.cat(pooled), "time_ids": ids.repeat(len(texts), 1).float()}

    def coverage(self, example: Example, read: ReadText, size: tuple[int, int]) -> Tensor:
        """(T, h, w): where each row of the caption may be read, by what its words speak of."""
        covered = torch.ones(read.rows.shape[1], *size)
        if example.visible is None:
            return covered
        at = 0
        for text, owner in example.words:
            if owner is not None:
                rows = [
                    row
                    for row, (start, end) in enumerate(read.offsets)
                    if start < end and start < at + len(text) and end > at
                ]
                covered[rows] = torch.from_numpy(example.visible[owner]).float()
            at += len(text)
        return covered

    def target(self, clean: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The noised latents at level `t`, (B,), and what the network has to say about them."""
        share = self.signal[t].view(-1, 1, 1, 1)
        a, b = share.sqrt(), (1 - share).sqrt()
        noisy = a * clean + b * noise
        match self.predicts:
            case "v_prediction":
                return noisy, a * noise - b * clean
            case "sample":
                return noisy, clean
            case _:
                return noisy, noise

    def estimates(self, out: Tensor, x: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """The clean and the noise estimate behind the network's output, x having that signal."""
        level = Level(share**0.5, (1 - share) ** 0.5)
        prediction = diffusion_estimates(self.predicts, out, x, level)
        return prediction.x0, prediction.noise
