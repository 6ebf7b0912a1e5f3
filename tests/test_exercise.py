"""A check never raises, and shows its verdict."""
from dsnotes.exercise import Verdict, grade


def test_verdicts() -> None:
    """Right, wrong, an error, an expected error, and values that cannot be compared."""
    def double(x: object) -> object: return x * 2  # type: ignore[operator]
    assert grade(double, [((2,), 4, "hint")]).ok
    wrong = grade(double, [((2,), 4, ""), ((3,), 7, "Twice three is six.")])
    assert not wrong.ok and "(3)" in wrong.message and wrong.message.endswith("six.")
    assert "TypeError" in grade(double, [((None,), 1, "")]).message
    assert grade(double, [((None,), TypeError, "")]).ok and not grade(double, [((1,), TypeError, "")]).ok
    assert not grade(lambda: True, [((), 1, "True is not the number 1")]).ok
    class Odd:
        def __eq__(self, other: object) -> bool: raise RuntimeError
    assert not grade(Odd, [((), Odd(), "")]).ok
    assert len(grade(lambda x: x, [(("y" * 500,), "n", "")]).message) < 300


def test_display() -> None:
    """Text and HTML of a verdict; the message is escaped."""
    assert repr(Verdict(True, "Yes.")) == "✓ Yes." and repr(Verdict(False, "No.")).startswith("✗")
    assert "&lt;b&gt;" in Verdict(False, "<b>")._repr_html_()
