"""Texts of overlapping regions: one sequence, whose separators survive; packed tokens."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.region_plan import LayoutObject
from collage_studio.engine.families.base import Conditioning, Frame, LearnedWords, ReadText
from collage_studio.engine.families.sdxl import StableDiffusionXL
from collage_studio.engine.families.text import joined_tokens
from collage_studio.engine.rich_context.attachment import LayoutRows
from collage_studio.engine.rich_context.encode import LayoutTokens, batch, layout_tokens
from collage_studio.starter.tokenizer import build_tokenizer
from tests.engine import tiny, tiny_families
from tests.engine.rich_context.networks import LENGTH, WIDTH, plan_of, reader, words

ENDINGS = pytest.mark.parametrize("ending", [*".!?\"')%", ""])


def intervals(owner: Tensor) -> list[int]:
    """The owners in order, each once, without -1."""
    found = [int(one) for one in owner if one >= 0]
    return [one for at, one in enumerate(found) if at == 0 or found[at - 1] != one]


@ENDINGS
def test_each_text_has_its_interval_whatever_it_ends_in(ending: str) -> None:
    texts = [f"a red cat{ending}", f'a "dog{ending}', f"stones{ending}"]
    for tokenizer in (words(), build_tokenizer(), tiny.tokenizer()):
        joined = joined_tokens(tokenizer, texts, LENGTH)
        assert intervals(joined.owner) == [0, 1, 2]
        separators = (joined.ids[0] == tokenizer.get_vocab()[";</w>"]).sum()
        assert separators == 2
        assert joined.ids.shape == joined.mask.shape == (1, LENGTH)


@ENDINGS
def test_joining_is_that_of_a_separator_between_spaces(ending: str) -> None:
    texts = [f"a red cat{ending}", f"a dog{ending}"]
    stock = words()(" ; ".join(texts), padding="max_length", max_length=LENGTH)
    joined = joined_tokens(words(), texts, LENGTH)
    assert joined.ids[0].tolist() == stock.input_ids
    assert joined.mask[0].tolist() == stock.attention_mask


def test_the_released_code_loses_the_separator_behind_a_full_stop() -> None:
    texts = ["a red cat.", "a dog."]
    stock = words()("; ".join(texts), padding="max_length", max_length=LENGTH).input_ids
    joined = joined_tokens(words(), texts, LENGTH, upstream=True)
    assert joined.ids[0].tolist() == stock
    assert intervals(joined.owner) == [0]
    assert intervals(joined_tokens(words(), ["a cat", "a dog"], LENGTH, upstream=True).owner) == [
        0,
        1,
    ]


def test_separators_inside_a_text_are_no_separators() -> None:
    joined = joined_tokens(words(), ["a cat; black", "a dog"], LENGTH)
    assert intervals(joined.owner) == [0, 1]


def test_no_text_is_begin_end_and_padding_of_nobody() -> None:
    joined = joined_tokens(words(), (), LENGTH)
    stock = words()("", padding="max_length", max_length=LENGTH)
    assert joined.ids[0].tolist() == stock.input_ids
    assert (joined.owner == -1).all()


def test_long_texts_are_cut_and_still_end() -> None:
    joined = joined_tokens(words(), ["stone " * 60, "cat " * 60], LENGTH)
    assert joined.ids.shape == (1, LENGTH)
    assert int(joined.ids[0, -1]) == words().eos_token_id
    assert intervals(joined.owner) == [0, 1]


@torch.no_grad()
def test_stable_diffusion_reads_the_state_after_the_final_norm() -> None:
    family = tiny.family(tiny.pipeline())
    rows, owner = family.read_joined(["a cat"])
    stock = family.read_text("a cat").rows[0]
    torch.testing.assert_close(rows[:4], stock[:4], rtol=1e-5, atol=1e-5)  # beyond is padding
    assert intervals(owner) == [0]


@torch.no_grad()
def test_sdxl_reads_both_encoders_after_the_final_norm() -> None:
    pipe = tiny_families.sdxl_pipeline()
    family = StableDiffusionXL.of_pipeline(pipe, tiny.CPU)
    rows, owner = family.read_joined(["a cat.", "a dog"])
    ids = joined_tokens(pipe.tokenizer, ["a cat.", "a dog"], LENGTH)
    wide = joined_tokens(pipe.tokenizer_2, ["a cat.", "a dog"], LENGTH)
    small = pipe.text_encoder(ids.ids, attention_mask=ids.mask).last_hidden_state[0]
    large = pipe.text_encoder_2(wide.ids, attention_mask=wide.mask).last_hidden_state[0]
    torch.testing.assert_close(rows, torch.cat([small, large], -1), rtol=1e-5, atol=1e-5)
    assert intervals(owner) == [0, 1]


@torch.no_grad()
@pytest.mark.parametrize("upstream", [False, True])
@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_learned_vectors_take_the_place_of_their_words_in_joined_texts(
    name: str, upstream: bool
) -> None:
    family = (
        tiny.family(tiny.pipeline())
        if name == "sd"
        else StableDiffusionXL.of_pipeline(tiny_families.sdxl_pipeline(), tiny.CPU)
    )
    dog = {name: part.vectors("dog")[-1:] for name, part in family.vocabularies.items()}
    learned = [(LearnedWords(((7, 10),), dog),), (), (LearnedWords(((2, 5), (9, 12)), twice(dog)),)]
    texts = ["a dog; cat", "a cat.", "a cat on cat"]
    written = ["a dog; dog", "a cat.", "a dog on dog"]
    rows, owner = family.read_joined(texts, upstream=upstream, learned=learned)
    expected, owners = family.read_joined(written, upstream=upstream)
    assert torch.equal(owner, owners)
    torch.testing.assert_close(rows, expected, rtol=1e-5, atol=1e-5)
    plain, _ = family.read_joined(texts, upstream=upstream)
    assert not torch.allclose(rows, plain, atol=1e-4)


def twice(vectors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.cat([one, one]) for name, one in vectors.items()}


def test_tokens_carry_the_box_and_the_prior_of_their_object() -> None:
    plan = plan_of()
    layout = layout_tokens(plan, reader, scale=2.0)
    for atom, members in enumerate(plan.members):
        own = layout.atom[0] == atom
        if not members:
            assert own.sum() == LENGTH
            assert (layout.boxes[0, own] == -1).all()
            assert (layout.bias[0, own] == 0).all()
            continue
        boxes = [plan.objects[index].box for index in members]
        for box, prior in zip(boxes, plan.prior[atom], strict=True):
            mine = own & (layout.boxes[0] == torch.tensor(box)).all(-1)
            assert mine.any()
            expected = torch.full_like(layout.bias[0, mine], (prior - 1) * 2.0)
            torch.testing.assert_close(layout.bias[0, mine], expected)
    assert layout.covered.all()
    assert layout.valid.all()


def test_an_empty_layout_is_all_background() -> None:
    layout = layout_tokens(plan_of((), ()), reader)
    assert layout.tokens.shape == (1, LENGTH, WIDTH)
    assert not layout.atoms.any()


def test_where_words_do_not_fit_the_smallest_object_goes_first() -> None:
    heard = list[Sequence[str]]()

    def listening(objects: Sequence[LayoutObject]) -> tuple[Tensor, Tensor]:
        heard.append(tuple(one.text for one in objects))
        return reader(objects)

    texts = ("stone " * 70, "cat " * 70, "dog " * 10)
    plan = plan_of(((0, 0, 1, 1), (0, 0, 0.5, 1), (0, 0, 0.5, 0.5)), texts)
    layout = layout_tokens(plan, listening)
    assert (texts[2], texts[1], texts[0]) in heard
    small = layout.boxes[0] == torch.tensor((0, 0, 0.5, 0.5))
    assert (small.all(-1) & (layout.bias[0] == 0)).sum() == 10
    assert [text for text in layout.warnings if "stone" in text]


def test_a_batch_pads_tokens_and_drops_what_is_none() -> None:
    short, long = layout_tokens(plan_of((), ()), reader), layout_tokens(plan_of(), reader)
    rows = batch([None, short, long])
    assert rows.tokens.shape == (3, long.tokens.shape[1], WIDTH)
    assert rows.valid.sum(1).tolist() == [0, LENGTH, long.tokens.shape[1]]
    assert [bool(covered.any()) for covered in rows.covered] == [False, True, True]
    with pytest.raises(ValueError, match="at least one"):
        batch([None])
    with pytest.raises(ValueError, match="same grid"):
        batch([long, LayoutTokens.dropped((4, 4), WIDTH)])


def test_rows_that_read_the_words_to_avoid_get_no_layout() -> None:
    caption, avoid = (ReadText(torch.zeros(1, 3, WIDTH), ((0, 1),) * 3) for _ in range(2))
    layout = LayoutRows(plan_of(), reader, [avoid])
    placed = layout.at(Conditioning([avoid, caption], [Frame.whole(16, 16)], 7.5))
    told = placed.inputs({"cross_attention_kwargs": {"other": 1}})["cross_attention_kwargs"]
    assert told["other"] == 1
    assert [bool(row.any()) for row in told["gligen"]["covered"]] == [False, True]
    again = placed.inputs({})["cross_attention_kwargs"]["gligen"]
    assert all(again[name] is value for name, value in told["gligen"].items())
    only = layout.at(Conditioning([avoid], [Frame.whole(16, 16)], 1.0)).inputs({})
    assert only["cross_attention_kwargs"]["gligen"]["covered"].all()
    layout.on = False
    assert placed.inputs({}) == {}


def test_rows_of_a_window_get_the_layout_of_that_window() -> None:
    caption = ReadText(torch.zeros(1, 3, WIDTH), ((0, 1),) * 3)
    layout = LayoutRows(plan_of(), reader, [])
    frames = [Frame(Size(16, 16), Rect(0, 0, 8, 8)), Frame(Size(16, 16), Rect(8, 8, 16, 16))]
    told = layout.at(Conditioning([caption, caption], frames)).inputs({})
    atoms = told["cross_attention_kwargs"]["gligen"]["atoms"]
    assert atoms.shape == (2, 8, 8)
    assert not torch.equal(atoms[0], atoms[1])
