"""Work shared among processes, and the records they write into."""

from pathlib import Path

import numpy as np
import pytest

from collage_studio.evaluate.pool import Work, share_out
from collage_studio.evaluate.records import Records, fingerprint

MADE_BY = {"gh": "a", "ca": "b"}


def writer(folder: Path, bad: int) -> Work:
    """Writes a file for each seed; fails at one of them."""

    def work(seed: int) -> None:
        if seed == bad:
            raise ValueError(f"seed {seed} is bad")
        (folder / str(seed)).write_text("done")

    return work


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_seed_is_done_once(tmp_path: Path, jobs: int) -> None:
    assert sorted(share_out(writer, (tmp_path, -1), range(3), jobs)) == [0, 1, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2"}


def test_failure_ends_the_work_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed 1 is bad"):
        list(share_out(writer, (tmp_path, 1), range(3), 1))


def test_records_come_back_with_their_pictures(tmp_path: Path) -> None:
    records = Records(tmp_path, MADE_BY)
    assert records.is_empty
    picture = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    records.keep_picture(7, "gh", picture)
    records.add(7, "gh", {"objects": 1.5})
    records.add(7, "ca", {"objects": None})
    assert not records.is_empty
    assert records.read(7).keys() == {"gh", "ca"}
    assert records.read(7)["gh"]["objects"] == 1.5
    np.testing.assert_array_equal(records.picture(7, "gh"), picture)
    assert records.picture(8, "gh") is None
    assert not list(tmp_path.rglob("*.part"))


def test_entries_made_by_something_else_do_not_count(tmp_path: Path) -> None:
    Records(tmp_path, MADE_BY).add(7, "gh", {"objects": 1.5})
    assert Records(tmp_path, {"gh": "other"}).read(7) == {}
    assert Records(tmp_path, {"ca": "b"}).read(7) == {}


def test_torn_file_counts_as_missing(tmp_path: Path) -> None:
    records = Records(tmp_path, MADE_BY)
    records.add(7, "gh", {"objects": 1.5})
    (tmp_path / "collages" / "7.json").write_text('{"gh": {"obj')
    assert records.read(7) == {}


def test_fingerprint_tells_facts_apart() -> None:
    assert fingerprint("a", 1) == fingerprint("a", 1) != fingerprint("a", 2)
