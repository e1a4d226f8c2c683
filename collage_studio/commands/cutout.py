"""The command cutout: gives one picture an alpha, by strokes, by a model or from a mask."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from collage_studio.app.settings import config_dir
from collage_studio.commands.console import CommandFailed, say, say_json, warn
from collage_studio.cutout.edges import decontaminate, feather, grow
from collage_studio.cutout.matting import rematte
from collage_studio.cutout.rembg_models import (
    MODELS,
    download,
    is_there,
    model_named,
    models_folder,
    path_of,
)
from collage_studio.cutout.scribbles import CutoutError, Scribble, cut_out, refine
from collage_studio.document.model import Raster
from collage_studio.formats.atomic import replacing
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.errors import FormatError
from collage_studio.formats.images import load_image
from collage_studio.formats.pixels_png import encode_png

Alpha = npt.NDArray[np.float32]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `cutout` understands."""
    add = parser.add_argument
    add("input", type=Path, metavar="IN", nargs="?", help="a picture")
    add("-o", "--out", type=Path, help="a .png with alpha; with --alpha-only the alpha itself")
    add(
        "--object",
        action="append",
        type=parse_stroke,
        default=[],
        metavar="X,Y:X,Y",
        help="a stroke on the object, in px; may be repeated",
    )
    add(
        "--backdrop",
        action="append",
        type=parse_stroke,
        default=[],
        metavar="X,Y:X,Y",
        help="a stroke on the backdrop, best around the object",
    )
    add("--width", type=float, default=0.0, help="of the strokes in px; default 1 %% of the side")
    add("--model", default="", help="a background model instead of strokes; see --list")
    add("--model-file", type=Path, help="its file, where you have one of your own")
    add(
        "--segmenter",
        type=Path,
        nargs=2,
        metavar=("ENCODER", "DECODER"),
        help="ONNX files of a SAM-like model; the strokes' points become clicks",
    )
    add("--mask", type=Path, help="a grey picture whose edge is refined instead of strokes")
    add("--download", action="store_true", help="download the model; you agree to its licence")
    add("--list", action="store_true", help="say which models there are, with licence and size")
    add("--grow", type=float, default=0.0, help="px by which the edge moves out; negative: in")
    add("--feather", type=float, default=0.0, help="px over which the edge is softened")
    add("--keep-fringe", action="store_true", help="leave the backdrop's colour in the edge")
    add("--alpha-only", action="store_true", help="write the alpha as a grey picture")
    add("--json", action="store_true", help="say the outcome as JSON")


def parse_stroke(text: str) -> tuple[tuple[float, float], ...]:
    """Points from "10,20:30,40".

    Raises:
        argparse.ArgumentTypeError: the text says something else.
    """
    try:
        points = [tuple(float(value) for value in pair.split(",")) for pair in text.split(":")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a stroke is X,Y:X,Y, got {text!r}") from error
    if any(len(point) != 2 for point in points):
        raise argparse.ArgumentTypeError(f"a stroke is X,Y:X,Y, got {text!r}")
    return cast("tuple[tuple[float, float], ...]", tuple(points))


def run(args: argparse.Namespace) -> int:
    """Do what the parsed command line says; returns the exit status."""
    try:
        return _list(as_json=args.json) if args.list else _cut(args)
    except (CutoutError, FormatError, CommandFailed) as error:
        warn(str(error))
        return error.exit_code if isinstance(error, CommandFailed) else 1


def _list(*, as_json: bool) -> int:
    folder = models_folder(config_dir())
    there = {model.name: is_there(model, folder) for model in MODELS}
    if as_json:
        say_json([{"name": name, "downloaded": is_here} for name, is_here in there.items()])
        return 0
    for model in MODELS:
        state = "downloaded" if there[model.name] else "not downloaded"
        say(f"{model.name}: {model.purpose}. {model.terms}, {state}.")
    return 0


def _cut(args: argparse.Namespace) -> int:
    if args.download and args.model and not args.input:
        _fetch(args.model)
        return 0
    if args.input is None or args.out is None:
        raise CommandFailed("Name a picture and where to write: cutout IN -o OUT.png.")
    if args.out.suffix.lower() != ".png":
        raise CommandFailed(f"{args.out.name} must end in .png, which keeps the alpha.")
    raster = load_image(args.input)
    picture = raster.pixels
    alpha = feather(grow(_alpha(args, picture), args.grow), args.feather)
    if args.alpha_only:
        _write(args.out, np.round(alpha * 255).astype(np.uint8))
    else:
        _write(args.out, _with_alpha(picture, alpha, clean=not args.keep_fringe))
    share = round(100 * float(alpha.mean()))
    if args.json:
        say_json({"path": str(args.out), "percent": share})
        return 0
    say(f"Wrote {args.out}: {share} % of the picture belongs to the object.")
    return 0


def _alpha(args: argparse.Namespace, picture: npt.NDArray[Any]) -> Alpha:
    if args.model:
        from collage_studio.cutout.removal import remove_background

        model = model_named(args.model)
        if args.download and not args.model_file:
            _fetch(args.model)
        path = args.model_file or path_of(model, models_folder(config_dir()))
        if not path.is_file():
            raise CommandFailed(
                f"{model.title} is not downloaded ({model.terms}). Add --download to fetch it."
            )
        return remove_background(picture, model, path)
    if args.mask:
        return _refined(picture, args.mask)
    if args.segmenter:
        return _clicked(args, picture)
    width = args.width or max(picture.shape[:2]) / 100
    strokes = [Scribble(points, True, width) for points in args.object]
    strokes += [Scribble(points, False, width) for points in args.backdrop]
    return cut_out(picture, strokes)


def _refined(picture: npt.NDArray[Any], path: Path) -> Alpha:
    mask = load_image(path).pixels[..., 0]
    if mask.shape != picture.shape[:2]:
        raise CommandFailed(f"{path.name} and the picture differ in size. Give a mask of its size.")
    top = np.iinfo(mask.dtype).max
    values = mask.astype(np.float32) / top
    return rematte(picture, values, max(3.0, max(mask.shape) / 128))


def _clicked(args: argparse.Namespace, picture: npt.NDArray[Any]) -> Alpha:
    from collage_studio.cutout.segment import Click, OnnxSegmenter

    clicks = [Click(x, y) for points in args.object for x, y in points]
    clicks += [Click(x, y, is_object=False) for points in args.backdrop for x, y in points]
    segmenter = OnnxSegmenter(*args.segmenter)
    segmenter.set_picture("picture", picture)
    found, _sure = segmenter.predict(clicks)
    return refine(picture, found)


def _fetch(name: str) -> None:
    model, folder = model_named(name), models_folder(config_dir())
    if is_there(model, folder):
        return
    warn(f"Downloading {model.title} ({model.terms}) from github.com")

    def tell(there: int, total: int) -> None:
        # The window reads these lines to show how far it is.
        sys.stderr.write(f"downloaded {there} of {total}\n")
        sys.stderr.flush()

    download(model, folder, progress=tell)


def _with_alpha(picture: npt.NDArray[Any], alpha: Alpha, *, clean: bool) -> npt.NDArray[Any]:
    """RGBA of the picture's depth; the picture's own alpha is kept where it is less."""
    result = decontaminate(picture, alpha) if clean else picture.copy()
    top = np.iinfo(picture.dtype).max
    own = np.round(alpha * top).astype(picture.dtype)
    result[..., 3] = np.minimum(result[..., 3], own)
    return Raster(result).pixels


def _write(path: Path, pixels: npt.NDArray[Any]) -> None:
    try:
        with replacing(path) as file:
            file.write(encode_png(pixels, srgb_profile() if pixels.ndim == 3 else b""))
    except OSError as error:
        raise CommandFailed(f"{path.name} could not be written: {error}.") from error
