"""Files below the roots that a site allows: nothing else is read, written or copied, whatever path is named."""

import asyncio
import json
from pathlib import Path

import pytest
from writtenimages import write_image

from pfdcmd.edge.files import Files
from pfdcmd.edge.roots import Roots, open_roots
from pfdcmd.errors import ParameterFault, PathRefused
from pfdcmd.settings import Settings

UID = "1.2.840.1"


class Rooted:
    """Files confined to one directory, beside another that they must not reach."""

    def __init__(self, tmp_path):
        self.root, self.outside = tmp_path / "root", tmp_path / "outside"
        for directory in (self.root / "series", self.root / "map", self.outside / "series"):
            directory.mkdir(parents=True)
        self.own_file = tmp_path / "etc" / "dicomlistener"
        self.files = Files(Roots((self.root,), (self.own_file,)))
        for directory in (self.root, self.outside):
            write_image(directory / "series" / "1.dcm")
        (self.root / "link").symlink_to(self.outside)

    def paths_out(self):
        return [
            str(self.outside),
            str(self.root / "link"),
            str(self.root / "link" / "x"),
            f"{self.root}/../outside",
            f"{self.root}/x/../../outside/y",
            f"{self.root}x",
            "/",
            "",
            "..",
        ]


@pytest.fixture
def rooted(tmp_path):
    site = Rooted(tmp_path)
    yield site
    site.files.close()


USES = {
    "series": lambda site, path: site.files.series(path, UID),
    "tags": lambda site, path: site.files.tags(path),
    "copy to": lambda site, path: site.files.copy_tree(str(site.root / "series"), path),
    "copy from": lambda site, path: site.files.copy_tree(path, str(site.root / "copy")),
    "make": lambda site, path: site.files.make_directories([str(site.root / "made"), path]),
    "read": lambda site, path: site.files.read_text(path),
    "write": lambda site, path: site.files.write_text(path, "x"),
    "check": lambda site, path: site.files.check_paths([str(site.root / "a"), path]),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_no_path_leads_out_of_the_roots(rooted, use):
    before = sorted(rooted.outside.rglob("*"))
    for path in rooted.paths_out():
        with pytest.raises(PathRefused):
            asyncio.run(use(rooted, path))
    assert sorted(rooted.outside.rglob("*")) == before
    assert not (rooted.root / "copy").exists()


def test_a_map_file_does_not_lead_out_of_the_roots_either(rooted):
    (rooted.root / "map" / f"{UID}.json").write_text(json.dumps({UID: str(rooted.outside / "series")}))
    with pytest.raises(PathRefused):
        asyncio.run(rooted.files.series(str(rooted.root / "map"), UID))


def test_below_the_roots_all_is_as_ever(rooted):
    files = rooted.files
    target = rooted.root / "copies" / "new" / UID
    assert asyncio.run(files.copy_tree(str(rooted.root / "series"), str(target)))
    assert (target / "1.dcm").exists()
    asyncio.run(files.write_text(str(rooted.root / "text"), "x"))
    assert asyncio.run(files.read_text(str(rooted.root / "text"))) == "x"
    asyncio.run(files.write_text(str(rooted.own_file), "service"))
    assert rooted.own_file.read_text() == "service"


def test_roots_are_absolute():
    with pytest.raises(ParameterFault, match="absolute"):
        open_roots(Settings(roots="/srv:relative"), Path("/etc/x"))
