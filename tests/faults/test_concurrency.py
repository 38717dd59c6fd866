"""64 associations at once store into one series, the same instances among them, while a reader polls what is there."""

import json
import threading

from bench.lean import encode, store_each
from integration.listenerprocess import running_workers, wait_for

from .images import broken, find, fingerprint, image

ASSOCIATIONS = 64
OWN = 4
SHARED = 4


class Reader(threading.Thread):
    """Looks at every map and info file without a pause; what is not whole, or says too early that a series is, counts.

    `are_open`: whether all associations have stored an image and none has begun to release.
    """

    def __init__(self, workers, are_open):
        super().__init__()
        self._workers, self._are_open = workers, are_open
        self._stopping = threading.Event()
        self.looks = self.looks_while_open = 0
        self.faults = set()

    def stop(self):
        self._stopping.set()
        self.join(30)

    def run(self):
        while not self._stopping.wait(0.001):
            self.looks += 1
            for file in (self._workers.root / "log").glob("*_map/*.json"):
                self._look(file, lambda text: len(json.loads(text)) == 1)
            for file in (self._workers.root / "data").rglob("*.info"):
                self._look(file, lambda text: "location = " in text and text.endswith("\n\n"))
            if self._are_open():
                named = self._workers.named("series.info")
                if self._are_open():
                    self.looks_while_open += 1
                    self.faults |= {f"{each.name} while associations are open" for each in named}

    def _look(self, file, is_whole):
        try:
            if not is_whole(file.read_text()):
                self.faults.add(f"{file.name} is not whole")
        except FileNotFoundError:
            # renamed since it was listed
            return
        except ValueError:
            self.faults.add(f"{file.name} is no JSON")


class Crowd:
    """Associations that store one image each, wait for all others, store the rest, and wait again."""

    def __init__(self, port):
        shared = [image(number) for number in range(SHARED)]
        self.sets = [
            [image(1000 + 10 * each + number) for number in range(OWN)][: OWN // 2]
            + shared
            + [image(1000 + 10 * each + 9)]
            for each in range(ASSOCIATIONS)
        ]
        self.sent = {each.sop_instance: fingerprint(each) for images in self.sets for each in images}
        self.failed = []
        self._port = port
        self._begun, self._done = threading.Barrier(ASSOCIATIONS), threading.Barrier(ASSOCIATIONS)
        self._are_open = threading.Event()

    def are_open(self):
        return self._are_open.is_set()

    def run(self):
        threads = [threading.Thread(target=self._store, args=(each,)) for each in self.sets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()

    def _store(self, images):
        try:
            for number, status in enumerate(store_each("127.0.0.1", self._port, encode(images)), 1):
                if status:
                    raise RuntimeError(f"status {status:04x}")
                if number == 1:
                    self._begun.wait(60)
                    self._are_open.set()
                if number == len(images):
                    self._done.wait(60)
                    self._are_open.clear()
        except (OSError, RuntimeError) as error:
            self.failed.append(error)


def test_every_distinct_instance_once_and_every_file_whole_at_every_moment(tmp_path):
    with running_workers(tmp_path / "site", 2) as workers:
        crowd = Crowd(workers.port)
        reader = Reader(workers, crowd.are_open)
        reader.start()
        try:
            crowd.run()
            wait_for(lambda: workers.named("series.info"), "the series is closed")
        finally:
            reader.stop()
        assert crowd.failed == []
        assert reader.faults == set()
        assert reader.looks > 10
        assert reader.looks_while_open > 0
        data = tmp_path / "site" / "data"
        assert find(data).keys() == crowd.sent.keys()
        assert len(workers.images()) == len(crowd.sent)
        assert broken(crowd.sent, data) == []
        assert not workers.named("*differs*")
        assert not workers.named("receiving.series")
        print(f"{len(crowd.sent)} instances of {ASSOCIATIONS} associations, {reader.looks} looks at all side files")
