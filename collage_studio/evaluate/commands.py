"""Performs `collage-studio evaluate judge`: training, a progress bar and the file."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from collage_studio.engine.quality.judge import Judge, judge_path
from collage_studio.evaluate.judge_training import Report, accuracy, train_judge
from collage_studio.evaluate.place_training import check, train_place_judge
from collage_studio.evaluate.places import PlaceJudge, place_judge_path

_EPOCHS, _PLACE_EPOCHS = 10, 12


def train(args: argparse.Namespace) -> int:
    """Train a judge anew and say how often it errs."""
    with tqdm(total=1.0, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def report(what: str, done: float) -> None:
            bar.set_description(what)
            bar.update(done - bar.n)

        print(_places(args, report) if args.places else _objects(args, report))
    return 0


def _objects(args: argparse.Namespace, report: Report) -> str:
    judge, path = train_judge(args.scenes, args.epochs or _EPOCHS, report), args.out or judge_path()
    judge.save(path)
    share = accuracy(Judge.load(path))
    return f"{path}: names {share:.1%} of the objects of unseen scenes."


def _places(args: argparse.Namespace, report: Report) -> str:
    path = args.out or place_judge_path()
    train_place_judge(args.scenes, args.epochs or _PLACE_EPOCHS, report).judge.save(path)
    found = check(PlaceJudge.load(path))
    return (
        f"{path}: names the place in {found.right:.1%} of {found.holes} holes of unseen scenes, "
        f"in {found.disturbed:.1%} of them blurred and tinted, in {found.object_left:.1%} with the "
        f"object still there and in {found.other_place:.1%} with another place painted in."
    )
