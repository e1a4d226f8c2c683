"""Preferences survive damage, newer versions and unwritable folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collage_studio.app.recent import LIMIT, still_there, with_recent
from collage_studio.app.settings import Preferences, PreferencesStore, config_dir


def test_what_was_set_is_there_the_next_time(tmp_path: Path):
    file = tmp_path / "deep" / "settings.json"
    changed = Preferences(
        variations=6, theme="light", recent=("/a.collage",), folders={"open": "/tmp"}
    )
    PreferencesStore(file).update(
        variations=6, theme="light", recent=("/a.collage",), folders={"open": "/tmp"}
    )
    assert PreferencesStore(file).current == changed
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_a_change_is_announced_and_no_change_is_not(tmp_path: Path):
    store, heard = PreferencesStore(tmp_path / "settings.json"), list[Preferences]()
    store.changed.subscribe(heard.append)
    store.update(theme="light")
    store.update(theme="light")
    assert [preferences.theme for preferences in heard] == ["light"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60))
def test_any_damage_leads_to_defaults_and_never_to_a_stop(tmp_path: Path, damage: bytes):
    file = tmp_path / "settings.json"
    file.write_bytes(damage)
    assert PreferencesStore(file).current == Preferences()


def test_a_damaged_file_is_set_aside_not_lost(tmp_path: Path):
    file = tmp_path / "settings.json"
    file.write_text('{"variations": 9')
    store = PreferencesStore(file)
    store.update(variations=3)
    assert json.loads(file.read_text())["variations"] == 3
    assert (tmp_path / "settings.damaged.json").read_text() == '{"variations": 9'


def test_one_bad_value_costs_only_itself(tmp_path: Path):
    file = tmp_path / "settings.json"
    bad = {"variations": 99, "theme": 5, "snap": False, "recent": ["a", 3], "seeds": "fixed"}
    file.write_text(json.dumps(bad))
    assert PreferencesStore(file).current == Preferences(snap=False, seeds="fixed")


def test_keys_of_a_newer_version_are_kept(tmp_path: Path):
    file = tmp_path / "settings.json"
    file.write_text('{"hologram": {"depth": 3}, "variations": 2}')
    PreferencesStore(file).update(variations=5)
    assert json.loads(file.read_text())["hologram"] == {"depth": 3}


def test_an_unwritable_place_does_not_stop_the_program(tmp_path: Path):
    (tmp_path / "settings").write_text("a file where a folder should be")
    store = PreferencesStore(tmp_path / "settings" / "settings.json")
    assert store.update(variations=7).variations == 7


def test_values_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"1\.\.16"):
        Preferences(variations=0)


def test_the_place_can_be_chosen_and_follows_the_platform(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLLAGE_STUDIO_HOME", "/elsewhere")
    assert config_dir() == Path("/elsewhere")
    monkeypatch.delenv("COLLAGE_STUDIO_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    monkeypatch.setattr(sys, "platform", "linux")
    assert config_dir() == Path("/xdg/collage-studio")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert config_dir() == Path.home() / "Library" / "Application Support" / "Collage Studio"
    monkeypatch.setenv("APPDATA", "/roaming")
    monkeypatch.setattr(sys, "platform", "win32")
    assert config_dir() == Path("/roaming/Collage Studio")


def test_recent_files_are_newest_first_once_and_few(tmp_path: Path):
    recent: tuple[str, ...] = ()
    for number in (*range(20), 15):
        recent = with_recent(recent, tmp_path / f"{number}.collage")
    assert len(recent) == LIMIT
    assert recent[0] == str(tmp_path / "15.collage")
    (tmp_path / "18.collage").touch()
    assert still_there(recent) == (tmp_path / "18.collage",)
