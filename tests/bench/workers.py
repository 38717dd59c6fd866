"""Run N workers that share this process' descriptor 0, as supervisord's fcgi-program does. Arguments: N COMMAND..."""

from __future__ import annotations

import signal
import subprocess
import sys


def main() -> int:
    count, command = int(sys.argv[1]), sys.argv[2:]
    workers = [subprocess.Popen(command, stdin=sys.stdin.fileno()) for _ in range(count)]
    signal.signal(signal.SIGTERM, lambda *_: [worker.terminate() for worker in workers])
    return max(abs(worker.wait()) for worker in workers)


if __name__ == "__main__":
    sys.exit(main())
