"""How an exercise answers its reader: a verdict that is shown, and never an exception that would stop Run All."""
from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer: `ok`, and one sentence for the reader."""
    ok: bool
    message: str

    def __repr__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.message}"

    def _repr_html_(self) -> str:
        colour = "#1a7f37" if self.ok else "#b35900"
        return f'<div style="border-left:4px solid {colour};padding:.3em .8em;white-space:pre-wrap">{html.escape(repr(self))}</div>'


def grade(
    answer: Callable[..., Any],  # The reader's function
    cases: Iterable[tuple[tuple[Any, ...], Any, str]],  # (arguments, expected value or exception type, hint) of each case
    praise: str = "That is right.",  # Shown when every case passes
) -> Verdict:
    """The first case that `answer` gets wrong, with its hint; whatever `answer` raises is shown, not raised."""
    for args, expected, hint in cases:
        shown = ", ".join(_short(arg) for arg in args)
        try:
            came = answer(*args)
        except Exception as error:
            if isinstance(expected, type) and issubclass(expected, Exception) and isinstance(error, expected): continue
            return Verdict(False, f"Called with ({shown}), it raised {type(error).__name__}: {error}. {hint}")
        if not _same(came, expected):
            return Verdict(False, f"Called with ({shown}), it gave {_short(came)}. {hint}")
    return Verdict(True, praise)


def _same(came: object, expected: object) -> bool:
    if isinstance(expected, type) and issubclass(expected, Exception): return False  # it should have raised
    try:
        return type(came) is type(expected) and bool(came == expected)
    except Exception:
        return False


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
