"""Colours and type for charts and pages, light and dark. Specs name styles; only these two configurations have colours.

So one spec is drawn in either, and nothing that a user typed can reach a colour or a style.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"


@dataclass(frozen=True)
class Palette:
    ink: str
    quiet: str  # axis labels, captions
    line: str  # hairlines
    paper: str
    accent: str
    rise: str  # pushes the output up
    fall: str  # pushes it down
    pale: str  # thin bins, "the others", training rows
    category: tuple[str, ...]
    ramp: tuple[str, ...]  # low to high input
    heat: tuple[str, ...]


LIGHT = Palette(
    ink="#1b2733",
    quiet="#5b6876",
    line="#e3e7ec",
    paper="#ffffff",
    accent="#2a5d9f",
    rise="#c2553a",
    fall="#2a6fb0",
    pale="#aeb8c4",
    category=("#2a5d9f", "#c2553a", "#3b8f6a", "#8a5fb0", "#c28a1e", "#4aa3b8", "#a8476f", "#6b7683"),
    ramp=("#2f7fc1", "#8fa3c9", "#c98a9c", "#c93f4d"),
    heat=("#f2f6fb", "#b8cfe8", "#6c9bcd", "#2a5d9f", "#16365f"),
)
DARK = Palette(
    ink="#e6ebf1",
    quiet="#9aa7b5",
    line="#2c3743",
    paper="#151c24",
    accent="#6ba4e0",
    rise="#e58468",
    fall="#6fb1e8",
    pale="#566373",
    category=("#6ba4e0", "#e58468", "#69c39a", "#b895dc", "#e0b45a", "#74c6d8", "#dd86ab", "#a3aebb"),
    ramp=("#4aa0e6", "#8f9fc9", "#cf93a3", "#f06a72"),
    heat=("#1d2935", "#27476b", "#376ea8", "#6ba4e0", "#c5def8"),
)


def config(colours: Palette = LIGHT, *, background: bool = False) -> dict[str, Any]:
    """A Vega-Lite configuration: every style that specs name, with this palette's colours."""
    axis = {
        "labelColor": colours.quiet,
        "titleColor": colours.quiet,
        "titleFontWeight": "normal",
        "gridColor": colours.line,
        "domainColor": colours.line,
        "tickColor": colours.line,
        "labelFontSize": 11.5,
        "titleFontSize": 11.5,
        "labelLimit": 190,
        "titleLimit": 420,
        "titlePadding": 8,
        "labelOverlap": True,
        "labelSeparation": 8,
    }
    return {
        "background": colours.paper if background else "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": axis,
        "axisY": {"grid": False, "ticks": False, "domain": False, "labelPadding": 6},
        "legend": {
            "labelColor": colours.quiet,
            "titleColor": colours.quiet,
            "titleFontWeight": "normal",
            "labelFontSize": 11.5,
            "titleFontSize": 11.5,
            "labelLimit": 240,
            "orient": "top",
            "offset": 4,
            "symbolStrokeWidth": 2,
        },
        "title": {"color": colours.ink, "fontSize": 12.5, "fontWeight": 600, "anchor": "start", "limit": 400},
        "text": {"color": colours.ink, "fontSize": 11.5},
        "range": {
            "category": list(colours.category),
            "ramp": list(colours.ramp),
            "heatmap": list(colours.heat),
            "ordinal": list(colours.heat),
            "diverging": [colours.fall, colours.pale, colours.rise],
        },
        "style": {
            "main": {"color": colours.accent},
            "line": {"color": colours.accent, "strokeWidth": 2},
            "dot": {"color": colours.accent, "opacity": 1},
            "member": {"color": colours.pale},
            "rise": {"color": colours.rise},
            "fall": {"color": colours.fall},
            "total": {"color": colours.quiet},
            "interval": {"color": colours.ink, "strokeWidth": 1.25, "strokeOpacity": 0.75},
            "zero": {"color": colours.quiet, "strokeWidth": 1},
            "reference": {"color": colours.quiet, "strokeWidth": 1.5, "strokeDash": [4, 3]},
            "tick": {"color": colours.rise, "strokeWidth": 2},
            "thin": {"color": colours.quiet, "filled": False, "strokeWidth": 1.2},
            "plain": {"color": colours.pale},
            "faint": {"color": colours.pale, "strokeWidth": 1, "strokeOpacity": 0.6},
            "band": {"color": colours.accent, "fillOpacity": 0.16},
            "strip": {"color": colours.ink},
            "edge": {"color": colours.pale, "strokeWidth": 1},
            "word": {"color": colours.ink, "fontSize": 11.5},
            "quiet": {"color": colours.quiet, "fontSize": 11},
            "inverse": {"color": colours.paper, "fontSize": 11.5},
        },
    }
