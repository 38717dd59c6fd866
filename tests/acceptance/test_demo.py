"""`make demo`: it shows the main job, and leaves nothing running and nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

DEMO = Path(__file__).parents[1] / "demo.py"


def test_demo_shows_the_main_job_and_leaves_nothing() -> None:
    # Not tmp_path, which is too long for supervisord's socket.
    with tempfile.TemporaryDirectory(prefix="d-") as name:
        _run_demo(Path(name))


def _run_demo(directory: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(DEMO)],
        env={**os.environ, "TMPDIR": str(directory)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert '"numDCMfiles": 4' in result.stdout
    assert "00018-1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.93.dcm" in result.stdout
    assert list(directory.iterdir()) == []
    assert [process for process in psutil.process_iter(["cmdline"]) if str(directory) in _command(process)] == []


def _command(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])
