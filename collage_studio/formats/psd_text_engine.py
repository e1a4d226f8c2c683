"""The engine data of a new type layer: words, font, size and colour in Photoshop's own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psd_tools.psd import engine_data

_PARAGRAPH: Mapping[str, Any] = {
    "Justification": 0,
    "FirstLineIndent": 0.0,
    "StartIndent": 0.0,
    "EndIndent": 0.0,
    "SpaceBefore": 0.0,
    "SpaceAfter": 0.0,
    "AutoHyphenate": False,
    "HyphenatedWordSize": 6,
    "PreHyphen": 2,
    "PostHyphen": 2,
    "ConsecutiveHyphens": 8,
    "Zone": 36.0,
    "WordSpacing": [0.8, 1.0, 1.33],
    "LetterSpacing": [0.0, 0.0, 0.0],
    "GlyphSpacing": [1.0, 1.0, 1.0],
    "AutoLeading": 1.2,
    "LeadingType": 0,
    "Hanging": False,
    "Burasagari": False,
    "KinsokuOrder": 0,
    "EveryLineComposer": False,
}
_LETTERS: Mapping[str, Any] = {
    "FauxBold": False,
    "FauxItalic": False,
    "AutoLeading": True,
    "Leading": 0.0,
    "HorizontalScale": 1.0,
    "VerticalScale": 1.0,
    "Tracking": 0,
    "AutoKerning": True,
    "Kerning": 0,
    "BaselineShift": 0.0,
    "FontCaps": 0,
    "FontBaseline": 0,
    "Underline": False,
    "Strikethrough": False,
    "Ligatures": True,
    "DLigatures": False,
    "BaselineDirection": 2,
    "Tsume": 0.0,
    "StyleRunAlignment": 2,
    "Language": 0,
    "NoBreak": False,
}
_ADJUSTMENTS: Mapping[str, Any] = {"Axis": [1.0, 0.0, 1.0], "XY": [0.0, 0.0]}
_GRID: Mapping[str, Any] = {
    "GridIsOn": False,
    "ShowGrid": False,
    "GridSize": 18.0,
    "GridLeading": 22.0,
    "GridColor": {"Type": 1, "Values": [0.0, 0.0, 0.0, 1.0]},
    "GridLeadingFillColor": {"Type": 1, "Values": [0.0, 0.0, 0.0, 1.0]},
    "AlignLineHeightToGridFlags": False,
}
_RENDERED: Mapping[str, Any] = {
    "Version": 1,
    "Shapes": {
        "WritingDirection": 0,
        "Children": [
            {
                "ShapeType": 0,
                "Procession": 0,
                "Lines": {"WritingDirection": 0, "Children": []},
                "Cookie": {
                    "Photoshop": {
                        "ShapeType": 0,
                        "PointBase": [0.0, 0.0],
                        "Base": {
                            "ShapeType": 0,
                            "TransformPoint0": [1.0, 0.0],
                            "TransformPoint1": [0.0, 1.0],
                            "TransformPoint2": [0.0, 0.0],
                        },
                    }
                },
            }
        ],
    },
}
_KINSOKU = [
    {"Name": f"PhotoshopKinsoku{kind}", "NoStart": "", "NoEnd": "", "Keep": "", "Hanging": ""}
    for kind in ("Hard", "Soft")
]
_MOJIKUMI = [{"InternalName": f"Photoshop6MojiKumiSet{number}"} for number in (1, 2, 3, 4)]
_SMALL: Mapping[str, Any] = {
    "SuperscriptSize": 0.583,
    "SuperscriptPosition": 0.333,
    "SubscriptSize": 0.583,
    "SubscriptPosition": 0.333,
    "SmallCapSize": 0.7,
}


def text_units(text: str) -> int:
    """Length as Photoshop counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def engine_elements(text: str, font: str, size: float, colour: tuple[int, int, int]) -> Any:
    """psd-tools' engine data of one style.

    Args:
        text: lines parted by carriage returns, without the last one's.
        font: by its PostScript name.
        size: px before the transform.
        colour: sRGB, 0 to 255.
    """
    letters = {"Font": 0, "FontSize": size, **_LETTERS, "FillColor": _colour(colour)}
    engine = {
        "Editor": {"Text": text + "\r"},
        "ParagraphRun": _paragraphs([text_units(line) + 1 for line in text.split("\r")]),
        "StyleRun": {
            "DefaultRunData": {"StyleSheet": {"StyleSheetData": {}}},
            "RunArray": [{"StyleSheet": {"StyleSheetData": letters}}],
            "RunLengthArray": [text_units(text) + 1],
            "IsJoinable": 2,
        },
        "GridInfo": _GRID,
        "AntiAlias": 1,
        "UseFractionalGlyphWidths": True,
        "Rendered": _RENDERED,
    }
    resources = _resources(font)
    return _element(
        {"EngineDict": engine, "ResourceDict": resources, "DocumentResources": resources},
        engine_data.EngineData,
    )


def _colour(colour: tuple[int, int, int]) -> dict[str, Any]:
    """Alpha first, as Photoshop has it."""
    return {"Type": 1, "Values": [1.0, *(value / 255 for value in colour)]}


def _paragraphs(lengths: list[int]) -> dict[str, Any]:
    plain = {"ParagraphSheet": {"DefaultStyleSheet": 0, "Properties": {}}}
    run = {"ParagraphSheet": {"DefaultStyleSheet": 0, "Properties": _PARAGRAPH}}
    return {
        "DefaultRunData": {**plain, "Adjustments": _ADJUSTMENTS},
        "RunArray": [{**run, "Adjustments": _ADJUSTMENTS} for _ in lengths],
        "RunLengthArray": lengths,
        "IsJoinable": 1,
    }


def _resources(font: str) -> dict[str, Any]:
    sheet = {"Font": 0, "FontSize": 12.0, **_LETTERS, "FillColor": _colour((0, 0, 0))}
    return {
        "KinsokuSet": _KINSOKU,
        "MojiKumiSet": _MOJIKUMI,
        "TheNormalStyleSheet": 0,
        "TheNormalParagraphSheet": 0,
        "ParagraphSheetSet": [
            {"Name": "Normal RGB", "DefaultStyleSheet": 0, "Properties": _PARAGRAPH}
        ],
        "StyleSheetSet": [{"Name": "Normal RGB", "StyleSheetData": sheet}],
        "FontSet": [{"Name": font, "Script": 0, "FontType": 1, "Synthetic": 0}],
        **_SMALL,
    }


def _element(value: Any, kind: Any = engine_data.Dict) -> Any:
    """Plain data as psd-tools' elements, which know how to write themselves."""
    match value:
        case Mapping():
            made = kind()
            for key, item in value.items():
                made[str(key)] = _element(item)
            return made
        case list():
            return engine_data.List([_element(item) for item in value])
        case str():
            return engine_data.String(value)
        case bool():
            return engine_data.Bool(value)
        case int():
            return engine_data.Integer(value)
        case _:
            return engine_data.Float(value)
