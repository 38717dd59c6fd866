"""A sender that does not give up: what it was told success of it notes, what it was not it sends again."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

from bench.lean import Image, encode, store_each

from .images import fingerprint

HOST = "127.0.0.1"
_IMAGES_OF_AN_ASSOCIATION = 8
_ANSWER_SECONDS = 30
_PAUSE_SECONDS = 0.1


class Sender(threading.Thread):
    """Stores images until there are none left or `stop`, some to an association, one after the other."""

    def __init__(self, port: int, images: Iterable[Image]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._images: Iterator[Image] = iter(images)
        self._stopping = threading.Event()
        # fingerprints of what was ever begun, by SOPInstanceUID
        self.sent: dict[str, bytes] = {}
        self.acknowledged: list[str] = []
        self.refused: Counter[int] = Counter()
        self.cut_off = 0

    def stop(self) -> None:
        """End after the image that is under way."""
        self._stopping.set()

    def run(self) -> None:
        pending: list[Image] = []
        while not self._stopping.is_set():
            pending += itertools.islice(self._images, _IMAGES_OF_AN_ASSOCIATION - len(pending))
            if not pending:
                return
            self.sent |= {each.sop_instance: fingerprint(each) for each in pending}
            done = 0
            try:
                for status in store_each(HOST, self._port, encode(pending), _ANSWER_SECONDS):
                    if status:
                        self.refused[status] += 1
                        break
                    self.acknowledged.append(pending[done].sop_instance)
                    done += 1
                    if self._stopping.is_set():
                        break
            except (OSError, RuntimeError):
                self.cut_off += 1
                self._stopping.wait(_PAUSE_SECONDS)
            del pending[:done]
