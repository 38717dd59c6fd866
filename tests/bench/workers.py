"""Run N workers that share this process' descriptor 0, as supervisord's fcgi-program does. Arguments: N COMMAND...

`{worker}` in the command is each one's number.
"""

from __future__ import annotations

import signal
import subprocess
import sys


def main() -> int:
    count, command = int(sys.argv[1]), sys.argv[2:]
    commands = [[argument.replace("{worker}", str(number)) for argument in command] for number in range(count)]
    workers = [subprocess.Popen(each, stdin=sys.stdin.fileno()) for each in commands]
    signal.signal(signal.SIGTERM, lambda *_: [worker.terminate() for worker in workers])
    return max(abs(worker.wait()) for worker in workers)


if __name__ == "__main__":
    sys.exit(main())
