"""Performs `collage-studio evaluate judge`: training, a progress bar and the file."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from collage_studio.engine.quality.judge import Judge
from collage_studio.evaluate.judge_training import accuracy, train_judge


def train(args: argparse.Namespace) -> int:
    """Train the judge anew and say how often it errs."""
    with tqdm(total=1.0, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def report(what: str, done: float) -> None:
            bar.set_description(what)
            bar.update(done - bar.n)

        judge = train_judge(args.scenes, args.epochs, report)
    judge.save(args.out)
    share = accuracy(Judge.load(args.out))
    print(f"{args.out}: names {share:.1%} of the objects of unseen scenes.")
    return 0
