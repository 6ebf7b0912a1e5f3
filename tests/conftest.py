"""What every test shares: where the project is, and the promise that no test leaves this machine."""
from __future__ import annotations

import importlib.util
import ipaddress
import os
import shutil
import socket
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))  # tools/lessons.py runs the notebooks
hypothesis.settings.register_profile("shared machine", deadline=None)  # nothing is timed in a test
hypothesis.settings.load_profile("shared machine")
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="true")


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to any other machine fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple) and not _is_loopback(str(address[0])):
            pytest.fail(f"a test tried to connect to {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    try: return ipaddress.ip_address(host).is_loopback
    except ValueError: return host == "localhost"


def need(*packages: str, extra: str = "train") -> None:
    """Skips the test, or the module whose top calls it, where one of these is not installed; in CI all must be there."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[{extra}]'", allow_module_level=True)


def copy_project(folder: Path) -> Path:
    """A copy of the project in `folder`, without what was built or cached, for commands that write."""
    left_out = (".git", ".venv", "build", "dist", "*.egg-info", ".*_cache", "__pycache__", ".hypothesis")
    return Path(shutil.copytree(ROOT, folder / "project", ignore=shutil.ignore_patterns(*left_out)))
