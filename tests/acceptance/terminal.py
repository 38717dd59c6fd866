"""A terminal of a known size with a shell in it, typed at and read as a person would: tmux."""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

DEADLINE_SECONDS = 30
PROMPT = "ready>"


class Terminal:
    """A tmux session on a server of its own."""

    def __init__(self, directory, *, columns=110, lines=48, **variables):
        self._socket = str(Path(directory) / "tmux")
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "PS1": f"{PROMPT} ",
            "LANG": "C.UTF-8",
            **variables,
        }
        assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        shell = f"exec env -i TERM=screen {assignments} sh"
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), shell)

    def type(self, line):
        """Type a line, and Return."""
        self._run("send-keys", "-l", line)
        self._run("send-keys", "Enter")

    def press(self, key):
        """Press a key, as tmux names it: C-c."""
        self._run("send-keys", key)

    def screen(self):
        """What is to be seen now, without the spaces at the ends of lines."""
        return self._run("capture-pane", "-p").rstrip()

    def wait_for(self, text):
        """Wait until the text is on the screen. Returns: the screen then."""
        return self._wait(lambda screen: text in screen, text)

    def run(self, line):
        """Type a command on a clear screen, and wait for its end. Returns: the screen then."""
        self.clear()
        self.type(line)
        return self.wait_for_prompt()

    def clear(self):
        """Have nothing on the screen but the prompt."""
        self.type("clear")
        self._wait(lambda screen: screen == PROMPT, "a clear screen")

    def wait_for_prompt(self):
        """Wait until the shell waits for the next command. Returns: the screen then."""
        return self._wait(lambda screen: screen.count(PROMPT) > 1 and screen.endswith(PROMPT), PROMPT)

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("kill-server")

    def _wait(self, is_there, wanted):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_there(screen := self.screen()):
            assert time.monotonic() < deadline, f"{wanted!r} has not come:\n{screen}"
            time.sleep(0.05)
        return screen

    def _run(self, *arguments):
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


@contextlib.contextmanager
def opened(directory, **options):
    """A terminal; closed, with what runs in it, on leaving."""
    terminal = Terminal(directory, **options)
    try:
        terminal.wait_for(PROMPT)
        yield terminal
    finally:
        terminal.close()
