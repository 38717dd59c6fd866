"""What is in the image and what is not, beside its base."""

import subprocess

import pytest
from engine import BASE, DOCKERFILE, IMAGE, engine, inspect, shell

MAX_ADDED_BYTES = 200_000_000
SET_ID_FILES = "find / -xdev -perm /6000 -type f | sort"
WORLD_WRITABLE = "find / -xdev -perm -0002 ! -type l ! -type c ! -type p ! -type s | sort"
DEBIAN_PACKAGES = "dpkg-query -W"
CACHED = r"\( -path '*/.cache/*' -o -path '/var/lib/apt/lists/*' -o -path '/var/cache/apt/*.bin' \)"
CACHES = f"find / -xdev -type f {CACHED} | sort"
NOT_NEEDED = ("gcc", "cc", "make", "xinetd", "sudo", "storescp", "storescu", "findscu", "movescu", "echoscu", "curl")


def test_it_adds_less_than_its_limit_to_the_base():
    added = inspect(IMAGE, "image")["Size"] - inspect(BASE, "image")["Size"]
    print(f"adds {added / 1e6:.0f} MB to {BASE}")
    assert 0 < added < MAX_ADDED_BYTES


@pytest.mark.parametrize("listing", [SET_ID_FILES, WORLD_WRITABLE, DEBIAN_PACKAGES, CACHES])
def test_nothing_of_the_kind_is_added_to_the_base(listing):
    assert set(shell(listing)) <= set(shell(listing, image=BASE))


def test_programs_that_are_not_needed_are_not_there():
    assert shell(f"for program in {' '.join(NOT_NEEDED)}; do command -v $program; done; true") == []


def test_no_package_installer_is_beside_pfdcm():
    assert shell("ls /opt/pfdcm/bin | grep -E '^(pip|easy_install)' || true") == []


def test_the_code_is_roots_and_compiled():
    assert shell("find /opt/pfdcm ! -user root | head") == []
    assert shell("ls /opt/pfdcm/lib/python3*/site-packages/pfdcmd/__pycache__/app.*.pyc | wc -l") == ["1"]


def test_its_metadata():
    config = inspect(IMAGE, "image")["Config"]
    assert config["User"].split(":")[0] not in ("", "0", "root")
    assert set(config["ExposedPorts"]) == {"4055/tcp", "10402/tcp"}
    assert set(config["Volumes"]) == {"/dicom", "/var/lib/pfdcm"}
    assert config["Cmd"] == ["--forever", "--httpResponse"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "pfdcm"
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_building_it_again_makes_the_same_files():
    """All but bytecode, which Python does not write the same way twice."""
    name = f"{IMAGE}-again"
    try:
        subprocess.run(["docker", "build", "-q", "--no-cache", "-t", name, "."], cwd=DOCKERFILE.parent, check=True)
        listing = "find /opt/pfdcm -type f ! -name '*.pyc' -exec sha256sum {} + | sort -k 2"
        assert shell(listing) == shell(listing, image=name)
    finally:
        engine("rmi", "-f", name, check=False)
