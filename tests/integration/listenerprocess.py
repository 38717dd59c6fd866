"""The listener as processes: workers that share a listening socket as fd 0, as under supervisord."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil


def wait_for(condition, what, seconds=20.0):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Workers:
    """Some workers of one service below `root`."""

    def __init__(self, root: Path, count: int, *, before=(), environment=None, **config):
        """before: a command that starts them, `nsenter ...`; environment: variables that they get beside ours."""
        self.root = root
        self._before = before
        self._environment = {**os.environ, **(environment or {})}
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listening.getsockname()[1]
        root.mkdir(exist_ok=True)
        self._config = root / "listener.json"
        self._config.write_text(
            json.dumps(
                {"data_dir": str(root / "data"), "log_dir": str(root / "log"), "tmp_dir": str(root / "tmp"), **config}
            )
        )
        self.processes = [self._start() for _ in range(count)]
        for process in self.processes:
            self.wait_until_up(process)

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.root / "listener.err").open("ab") as errors:
            return subprocess.Popen(
                [*self._before, sys.executable, "-m", "listener.cli", "--config", str(self._config)],
                stdin=self.listening,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=Path(__file__).parents[2],
                env=self._environment,
            )

    def start_another(self) -> subprocess.Popen[bytes]:
        process = self._start()
        self.processes.append(process)
        self.wait_until_up(process)
        return process

    def wait_until_up(self, process):
        wait_for(lambda: f" {process.pid} INFO" in self.errors(), "a worker is up")

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def terminate(self, process, seconds=20):
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def errors(self) -> str:
        return (self.root / "listener.err").read_text()

    def run_log(self) -> str:
        path = self.root / "log" / "listen.run.log"
        return path.read_text() if path.exists() else ""

    def images(self) -> list[Path]:
        return sorted((self.root / "data").rglob("*.dcm"))

    def named(self, name: str) -> list[Path]:
        return sorted((self.root / "data").rglob(name))

    def spooled(self) -> list[str]:
        return sorted(path.name for path in (self.root / "tmp").iterdir())

    def incoming(self) -> int:
        """How many files without a name the workers have open: images on their way (proc(5), /proc/[pid]/fd)."""
        files = [file for process in self.processes for file in Path(f"/proc/{process.pid}/fd").iterdir()]
        return sum(_target(file).startswith(str(self.root)) and _target(file).endswith("(deleted)") for file in files)

    def rss_bytes(self) -> list[int]:
        return [psutil.Process(process.pid).memory_info().rss for process in self.processes]

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait(10)
        self.listening.close()


@contextmanager
def running_workers(root: Path, count: int = 2, **config):
    workers = Workers(root, count, **config)
    try:
        yield workers
    finally:
        workers.close()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""
