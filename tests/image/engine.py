"""docker or podman, by its command line, and the containers that a test starts with it."""

import http.client
import json
import os
import re
import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pydicom.data

ENGINE = os.environ.get("PFDCM_ENGINE", "docker")
IMAGE = "pfdcm"
DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
BASE = re.search(r"^FROM \$\{PYTHON:-(\S+)\}", DOCKERFILE.read_text(), re.MULTILINE)[1]
HOST = "127.0.0.1"
PACS = {"orthanc": {"serverIP": HOST, "serverPort": "4242", "aec": "ORTHANC", "aet": "CHIPS"}}
SECONDS = 60


def engine(*arguments, check=True, seconds=SECONDS):
    """Run the engine. Returns: the finished process, with its output as text."""
    done = subprocess.run([ENGINE, *map(str, arguments)], capture_output=True, text=True, timeout=seconds, check=False)
    assert not check or done.returncode == 0, f"{ENGINE} {arguments}\n{done.stdout}\n{done.stderr}"
    return done


def run_once(*arguments, options=(), check=True):
    """Run the image to its end. Returns: the finished process."""
    return engine("run", "--rm", *options, IMAGE, *arguments, check=check)


def shell(script, *, image=IMAGE, user="0"):
    """The lines that a shell script writes in a fresh container."""
    done = engine("run", "--rm", "--user", user, "--entrypoint", "/bin/sh", image, "-c", script)
    return done.stdout.splitlines()


def inspect(what, kind="container"):
    """What the engine knows of a container or an image."""
    return json.loads(engine("inspect", "--type", kind, what).stdout)[0]


def wait_until(is_so, what, seconds=SECONDS):
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)


def health_check():
    """The image's HEALTHCHECK; docker and podman keep it in different places."""
    image = inspect(IMAGE, "image")
    return image.get("Healthcheck") or image["Config"]["Healthcheck"]


def images():
    """The 81 images that the recorded transcripts were made with; pydicom brings them."""
    root = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    return sorted(file for file in root.glob("[0-9]*/**/*") if file.is_file())


class Container:
    """A started container of the image; http_port and dicom_port are where this machine reaches it."""

    def __init__(self, identity, http_port, dicom_port):
        self.identity = identity
        self.http_port = http_port
        self.dicom_port = dicom_port

    @property
    def log(self):
        done = engine("logs", self.identity)
        return done.stdout + done.stderr

    @property
    def is_running(self):
        return inspect(self.identity)["State"]["Running"]

    @property
    def exit_code(self):
        return inspect(self.identity)["State"]["ExitCode"]

    @property
    def gateway(self):
        """This machine, as the container sees it."""
        networks = inspect(self.identity)["NetworkSettings"]
        return networks["Gateway"] or next(iter(networks["Networks"].values()))["Gateway"]

    def execute(self, *arguments, check=True):
        return engine("exec", self.identity, *arguments, check=check)

    def python(self, source):
        """The lines that a Python program writes inside."""
        return self.execute("python", "-c", source).stdout.splitlines()

    def stop(self, *, seconds=10):
        """As `docker stop` does by default. Returns: how long it took, in seconds."""
        started = time.monotonic()
        engine("stop", "-t", str(seconds), self.identity)
        return time.monotonic() - started

    def ask(self, action, meta, *, seconds=SECONDS):
        """Send one message and return its reply."""
        with closing(http.client.HTTPConnection(HOST, self.http_port, timeout=seconds)) as connection:
            connection.request("POST", "/api/v1/cmd", json.dumps({"payload": {"action": action, "meta": meta}}))
            body = connection.getresponse().read().decode("ascii")
        return json.loads(body.rpartition("\r\n\r\n")[2])

    def answers(self):
        with suppress(OSError, ValueError, http.client.HTTPException):
            return self.ask("hello", {"askAbout": "timestamp"}, seconds=2)["status"]
        return False

    def wait_for_listener(self):
        """Wait until --startlistener has done its work."""
        wait_until(
            lambda: self.execute("pfdcm-ready", check=False).returncode == 0,
            lambda: f"{self.execute('pfdcm-ready', check=False)}\n{self.log}",
            20,
        )

    def start_listener(self):
        reply = self.ask("xinetd", {"object": "service", "do": "everything"})
        assert reply["status"] is True, reply

    def on_series(self, do, series_uid):
        return self.ask("PACSinteract", {"do": do, "on": {"series_uid": series_uid}, "PACS": "orthanc"})


@contextmanager
def running(*arguments, options=(), publish=True):
    """A container of the image that answers hello; removed, with its volumes, on leaving."""
    http_port, dicom_port = free_ports(2)
    ports = ["-p", f"{HOST}:{http_port}:4055", "-p", f"{HOST}:{dicom_port}:10402"] if publish else ["--network", "host"]
    own = () if publish else ("--portSelf", http_port)
    given = ("--forever", "--httpResponse", "--setPACS", json.dumps(PACS), *arguments)
    container = Container(
        engine("run", "-d", *ports, *options, IMAGE, *given, *own).stdout.strip(), http_port, dicom_port
    )
    try:
        wait_until(lambda: container.answers() or not container.is_running, lambda: container.log, 20)
        assert container.is_running or container.exit_code == 0, container.log
        yield container
    finally:
        engine("rm", "-f", "-v", container.identity, check=False)


def free_ports(count):
    """Ports that nobody listens on now, all different."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
