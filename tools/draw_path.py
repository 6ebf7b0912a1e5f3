"""Draw the picture of the path that README.md shows: python tools/draw_path.py"""
from __future__ import annotations

from html import escape
from pathlib import Path

STEPS = [  # (heading, what happens, lessons, colour)
    ("collect", ["ask politely", "hear a no", "resume"], "08 guard · 09 urls · 10 fetch\n11 api · 12 robots · 13 crawl\n14 extract", "#ddf4ff"),
    ("clean", ["repair and judge", "drop copies", "hide personal data"],
     "20 normalize · 21 language\n22 quality · 23 safety\n24 dedup to 29 curate", "#dafbe1"),
    ("tokens", ["format", "train a tokenizer", "pack"], "30 format · 31 tokens\n32 pack · 34 infill", "#fff8c5"),
    ("datasets", ["causal-LM blocks", "proven questions", "a model that learned"],
     "33 causal · 36 training\n37 questions · 38 evidence\n39 windows · 40 qa · 70 recipe", "#fbefff"),
]
WIDTH, GAP, TOP = 190, 46, 56


def text(x: float, y: float, words: str, size: int = 13, weight: str = "normal", fill: str = "#1f2328") -> str:
    """One line of text, centred."""
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}" text-anchor="middle">{escape(words)}</text>'


def draw() -> str:
    """The picture as SVG."""
    parts, left = [], 20
    for number, (heading, lines, lessons, colour) in enumerate(STEPS):
        middle = left + WIDTH / 2
        parts.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="150" rx="10" fill="{colour}" stroke="#8c959f"/>')
        parts.append(text(middle, TOP + 26, heading, 16, "bold"))
        parts += [text(middle, TOP + 50 + 18 * n, line) for n, line in enumerate(lines)]
        parts += [text(middle, TOP + 108 + 15 * n, line, 11, fill="#57606a") for n, line in enumerate(lessons.split("\n"))]
        if number < len(STEPS) - 1:
            start = left + WIDTH + 4
            parts.append(f'<path d="M{start} {TOP + 75} h{GAP - 16}" stroke="#57606a" stroke-width="2" marker-end="url(#tip)"/>')
        left += WIDTH + GAP
    total = left - GAP + 20
    parts.append(text(total / 2, 32, "records: every row keeps its id, address and licence, and every dropped row its reason", 14, "bold"))
    below = "00 records and 03 practice stand under all of it: each lesson runs offline, on a site with known answers"
    parts.append(text(total / 2, TOP + 178, below, 12, fill="#57606a"))
    tip = ('<marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
           '<path d="M0 0 L8 4 L0 8 z" fill="#57606a"/></marker>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} 250" width="{total}" height="250" font-family="system-ui, sans-serif">'
            f'<defs>{tip}</defs><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n')


if __name__ == "__main__":
    Path(__file__).resolve().parent.parent.joinpath("nbs", "images", "path.svg").write_text(draw(), encoding="utf-8")
