"""The table of actions is consistent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from small_documents import collage

from collage_studio.app.actions import (
    ACTIONS,
    BY_ID,
    MENUS,
    REASONS,
    find_actions,
    reason_against,
    states_of,
)
from collage_studio.document.edits import group_layers


def test_ids_are_unique_and_begin_with_a_known_group():
    assert len(BY_ID) == len(ACTIONS)
    groups = {action.id.split(".")[0] for action in ACTIONS}
    assert groups == {"file", "edit", "layer", "mask", "harmonise", "tool", "view", "help"}


def test_no_two_actions_share_a_shortcut():
    counts = Counter(action.shortcut for action in ACTIONS if action.shortcut)
    assert [keys for keys, count in counts.items() if count > 1] == []


def test_every_action_has_a_menu_a_label_and_one_sentence():
    for action in ACTIONS:
        assert action.menu.split("/")[0] in MENUS, action.id
        assert action.label, action.id
        assert action.label[0] == action.label[0].upper(), action.id
        assert action.tooltip.endswith("."), action.id


def test_every_need_has_a_reason_to_show():
    assert {need for action in ACTIONS for need in action.needs} <= set(REASONS)


def test_keys_without_a_modifier_never_fire_while_typing():
    for action in ACTIONS:
        if len(action.shortcut) == 1 or action.shortcut in {"Return", "Delete"}:
            assert action.scope == "canvas", action.id


def test_the_words_that_are_never_said_are_not_said():
    banned = {"prompt", "denoise", "generate", "result", "batch", "controlnet", "ai"}
    for action in ACTIONS:
        words = set(f"{action.label} {action.tooltip}".lower().replace(".", " ").split())
        assert not words & banned, action.id


def test_states_follow_the_document_and_the_selection():
    document = collage(2)
    assert states_of(document, []) == {"layers", "unlocked"}
    one = states_of(document, ["layer0", "gone"], undo=True, running=True)
    assert one == {"layers", "selection", "one_selected", "unlocked", "undo", "running"}
    locked = replace(document, layers=(replace(document.layers[0], locked=True),))
    assert "unlocked" not in states_of(locked, ["layer0"])
    grouped = group_layers(document, ["layer0", "layer1"], "Both")
    assert "group_selected" in states_of(grouped, [grouped.layers[0].id])


def test_an_action_that_cannot_be_used_says_why():
    assert reason_against(BY_ID["edit.delete"], frozenset()) == "No layer is selected"
    assert reason_against(BY_ID["edit.delete"], frozenset({"selection", "unlocked"})) == ""


def test_find_prefers_labels_and_needs_every_word():
    assert find_actions("re-roll now")[0].id == "harmonise.reroll_now"
    assert [action.id for action in find_actions("noise 30")] == ["layer.noise_30"]
    assert find_actions("xyzzy") == ()
