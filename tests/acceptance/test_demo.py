"""`make demo`: it shows the main job, and leaves nothing running and nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

DEMO = Path(__file__).parents[1] / "demo.py"


def test_demo_shows_the_main_job_and_leaves_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(DEMO)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert '"numDCMfiles": 4' in result.stdout
    assert "00018-1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.93.dcm" in result.stdout
    assert list(tmp_path.iterdir()) == []
    assert [process for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in _command(process)] == []


def _command(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])
