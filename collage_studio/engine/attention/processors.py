"""How an attention edit gets into a network: own processors, put in and taken out by a with block.

Each computes query, key and value once, asks the edit for its biases, and is the stock processor
to the bit where there are none. Where something else is installed (an IP-Adapter), that one is
wrapped and handed the bias as its mask.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from collage_studio.engine.attention.edits import AttentionEdit, Block, Site, attended


class SeenGrid:
    """What a network is looking at just now: the sides of its latent, and rows of text."""

    def __init__(self) -> None:
        self._sides = (0, 0)
        self._levels: dict[int, tuple[int, int]] = {}
        self.text = 0

    def see(self, height: int, width: int, text: int = 0) -> None:
        """The next call works on h x w cells and reads `text` rows."""
        self.text = text
        if self._sides == (height, width):
            return
        self._sides = (height, width)
        self._levels = {height * width: (height, width)}
        while height * width > 1:
            height, width = -(-height // 2), -(-width // 2)
            self._levels[height * width] = (height, width)

    def site(self, name: str, pixels: int) -> Site:
        """The layer `name`, which has that many pixels: the latent halved, rounding up."""
        return Site(name, *self._levels[pixels])


class UNetSites:
    """The attention layers of a UNet's transformers: attn1 among pixels, attn2 to the text."""

    def __init__(self, unet: Any) -> None:
        self._layers = [
            (name, module)
            for name, module in unet.named_modules()
            if name.endswith((".attn1", ".attn2"))
        ]
        self._grid = SeenGrid()

    def see(self, height: int, width: int) -> None:
        """The next call works on h x w cells."""
        self._grid.see(height, width)

    @contextmanager
    def attending(self, edit: AttentionEdit) -> Generator[None]:
        """Apply `edit` in all layers inside the block; restore them always."""
        with replaced(
            (module, self._processor(name, module.processor, edit)) for name, module in self._layers
        ):
            yield

    def _processor(self, name: str, stock: Any, edit: AttentionEdit) -> Any:
        if type(stock) in (AttnProcessor2_0, AttnProcessor):
            return UNetAttention(name, self._grid, edit)
        return WrappedAttention(name, self._grid, edit, stock)


@contextmanager
def replaced(pairs: Iterable[tuple[Any, Any]]) -> Generator[None]:
    """Give attention modules other processors inside the block."""
    saved = list[tuple[Any, Any]]()
    try:
        for module, processor in pairs:
            saved.append((module, module.processor))
            _put(module, processor)
        yield
    finally:
        for module, processor in saved:
            _put(module, processor)


def _put(module: Any, processor: Any) -> None:
    # An adapter's processor is a module itself and registered as one; its own way in and out of
    # diffusers logs a warning, so it is moved by hand.
    module._modules.pop("processor", None)
    module.__dict__.pop("processor", None)
    module.processor = processor


class EditedAttention:
    """A layer's processor that applies an edit: which layer, on what grid, and the edit."""

    def __init__(self, name: str, grid: SeenGrid, edit: AttentionEdit) -> None:
        self._name = name
        self._grid = grid
        self._edit = edit


class UNetAttention(EditedAttention):
    """AttnProcessor2_0 of a transformer block, with a bias."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        del temb
        text = encoder_hidden_states
        query = heads_of(attn, attn.to_q(hidden_states), attn.norm_q)
        key, value = _key_and_value(attn, hidden_states if text is None else _normed(attn, text))
        site = self._grid.site(self._name, hidden_states.shape[1])
        out = attended(self._edit, site, query, (Block(key, value, text is not None),))
        if out is None:
            ask = self._edit.pixel_bias if text is None else self._edit.text_bias
            bias = _sum(_stock_mask(attn, attention_mask, key), ask(site, query, key))
            bias = None if bias is None else bias.to(query.dtype)
            out = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        out = attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
        scale = attn.rescale_output_factor
        return out if scale == 1.0 else out / scale


class WrappedAttention(EditedAttention):
    """Another processor, given the bias as its mask; query and key are computed a second time."""

    def __init__(self, name: str, grid: SeenGrid, edit: AttentionEdit, inner: Any) -> None:
        super().__init__(name, grid, edit)
        self._inner = inner

    def __call__(  # the parameter names are what diffusers looks at to pass them on
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Any = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        ip_adapter_masks: Any = None,
    ) -> Tensor:
        bias = self._bias(attn, hidden_states, encoder_hidden_states)
        if bias is not None:
            bias = bias.expand(-1, attn.heads, -1, -1).flatten(0, 1).to(hidden_states.dtype)
            attention_mask = _sum(attention_mask, bias)
        more = {} if ip_adapter_masks is None else {"ip_adapter_masks": ip_adapter_masks}
        return self._inner(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **more)

    def _bias(self, attn: Any, hidden: Tensor, text: Any) -> Tensor | None:
        """(B, 1 | heads, n, T) of the layer the inner processor stands for."""
        text = text[0] if isinstance(text, tuple) else text
        source = hidden if text is None else _normed(attn, text)
        query = heads_of(attn, attn.to_q(hidden), attn.norm_q)
        key = heads_of(attn, attn.to_k(source), attn.norm_k)
        site = self._grid.site(self._name, hidden.shape[1])
        ask = self._edit.pixel_bias if text is None else self._edit.text_bias
        return ask(site, query, key)


def heads_of(attn: Any, projected: Tensor, norm: Any) -> Tensor:
    """(B, N, heads d) to (B, heads, N, d), normed where the network does so."""
    split = projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
    return split if norm is None else norm(split)


def _normed(attn: Any, text: Tensor) -> Tensor:
    return attn.norm_encoder_hidden_states(text) if attn.norm_cross else text


def _key_and_value(attn: Any, source: Tensor) -> tuple[Tensor, Tensor]:
    key = heads_of(attn, attn.to_k(source), attn.norm_k)
    return key, heads_of(attn, attn.to_v(source), None)


def _stock_mask(attn: Any, mask: Tensor | None, key: Tensor) -> Tensor | None:
    if mask is None:
        return None
    batch, heads, columns = key.shape[:3]
    mask = attn.prepare_attention_mask(mask, columns, batch)
    return None if mask is None else mask.view(batch, heads, -1, mask.shape[-1])


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b
