"""Build, clean and prove datasets for your own language model: a course whose lessons are this library.

Importing `dsnotes` is instant: each room (`dsnotes.records`, `dsnotes.fetch`, …) is loaded when it is first used.
"""
import importlib
from importlib.util import find_spec

__all__: list[str] = []


def __getattr__(name: str) -> object:
    """The version, read from the installed metadata, or the room of that name."""
    if name == "__version__":
        from importlib.metadata import version
        return version("dsnotes")
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
