"""Service files on disk: directories, includes, and what shows that they have changed."""

import pytest

from pfdcmd.edge.listeners.servicefiles import ServiceFiles
from pfdcmd.wire.xinetdconf import parse_service_file


@pytest.fixture
def files(tmp_path):
    (tmp_path / "services.d").mkdir()
    return ServiceFiles(tmp_path / "services.d")


def service(name):
    return f"service {name}\n{{\n}}\n"


def names(reading):
    return [block.name for file in reading.files for block in file.services]


def test_names_with_dots_and_tildes_are_passed_over_and_the_rest_is_in_order(files):
    for name in ("b", "a", "B", "c.new", ".d", "e~"):
        (files.directory / name).write_text(service(name.strip(".~").replace(".", "")))
    (files.directory / "directory").mkdir()
    assert names(files.read()[0]) == ["B", "a", "b"]


def test_there_need_not_be_a_directory(tmp_path):
    missing = ServiceFiles(tmp_path / "missing")
    assert (missing.read()[0].files, missing.signature()) == ((), frozenset())


def test_others_are_read_when_they_are_there_and_once(files, tmp_path):
    (files.directory / "a").write_text(service("a"))
    (tmp_path / "other.conf").write_text(service("b"))
    reading, _ = files.read([str(tmp_path / "other.conf"), str(tmp_path / "missing"), str(files.directory / "a")])
    assert names(reading) == ["a", "b"]
    assert reading.faults == {}


def test_includes_are_followed_once_and_a_missing_one_is_a_fault_with_its_line(files, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x").write_text(service("x"))
    (tmp_path / "single").write_text(f"include {files.directory}/a\n" + service("s"))
    (files.directory / "a").write_text(f"includedir {tmp_path}/more\ninclude {tmp_path}/single\n" + service("a"))
    (files.directory / "b").write_text(f"# nothing\ninclude {tmp_path}/missing\n")
    reading, _ = files.read()
    assert sorted(names(reading)) == ["a", "s", "x"]
    assert reading.faults == {f"{files.directory}/b": f"{files.directory}/b:2: there is no file {tmp_path}/missing."}


@pytest.mark.parametrize(
    ("content", "says", "is_uncertain"),
    [
        (b"service a\n{\n\xff\n}", "a:3: the file is not UTF-8", False),
        (b"#" * 300_000, "a:1: the file is longer than", False),
        (b"defaults\n{\nport\n}", "a:3: expected 'attribute", True),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault(files, content, says, is_uncertain):
    (files.directory / "a").write_bytes(content)
    (files.directory / "b").write_text(service("b"))
    reading, _ = files.read()
    assert names(reading) == ["b"]
    assert says in reading.faults[str(files.directory / "a")]
    assert reading.is_uncertain is is_uncertain


def test_includes_too_deep_end(files, tmp_path):
    for number in range(12):
        (tmp_path / f"i{number}").write_text(f"include {tmp_path}/i{number + 1}\n")
    (files.directory / "a").write_text(f"include {tmp_path}/i0\n")
    assert any("nested too deeply" in fault for fault in files.read()[0].faults.values())


def test_the_signature_changes_with_what_is_read(files, tmp_path):
    (tmp_path / "more").mkdir()
    (files.directory / "a").write_text(f"includedir {tmp_path}/more\n")
    files.read()
    seen = {files.signature()}
    for change in (
        lambda: (files.directory / "b").write_text(service("b")),
        lambda: (files.directory / "b").write_text(service("bb")),
        lambda: (tmp_path / "more" / "x").write_text(service("x")),
        (files.directory / "b").unlink,
    ):
        change()
        assert files.signature() not in seen
        seen.add(files.signature())
    assert files.signature() in seen


def test_what_changes_while_it_is_read_differs_from_the_signature(files, tmp_path, monkeypatch):
    (tmp_path / "more").mkdir()
    (files.directory / "a").write_text(f"includedir {tmp_path}/more\n")

    def parse_while_another_file_arrives(text, path):
        (tmp_path / "more" / "x").write_text(service("x"))
        return parse_service_file(text, path)

    _, quiet = files.read()
    monkeypatch.setattr("pfdcmd.edge.listeners.servicefiles.parse_service_file", parse_while_another_file_arrives)
    _, signature = files.read()
    assert signature == quiet != files.signature()
