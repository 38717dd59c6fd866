"""Series whose state went wrong: failures, power cuts, directories and locks exchanged under a worker."""

import errno
import fcntl
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from scripted import Site

from listener import archive as archive_module
from listener import series as series_module
from listener import serieslock, spool
from listener.elements import Elements
from listener.naming import place
from listener.serieslock import close_abandoned


def elements(series="1.2.3", description="Axial"):
    return Elements("1", f"{series}.1", "20200102", "20200102", "Head", description, "Doe", "P1", "1.2", series, "1")


def get(held, **which):
    one = elements(**which)
    return held.get(place(one), one)


def names(site, directory="data"):
    return sorted(name.rsplit("/", 1)[-1] for name in site.files(directory))


def states(site):
    return [name for name in names(site) if name in ("receiving.series", "series.info")]


def path_of(fd):
    return str(Path(f"/proc/self/fd/{fd}").readlink())


@contextmanager
def syncs(monkeypatch):
    """The paths that fsync and fdatasync were called for, in order."""
    seen = []
    with monkeypatch.context() as patched:
        for call in ("fsync", "fdatasync"):
            patched.setattr(os, call, lambda fd: seen.append(path_of(fd)))
        yield seen


def test_a_series_that_could_not_be_opened_at_first_stayed_receiving_for_ever(site, other, monkeypatch):
    held = [site.series(), site.series()]
    with monkeypatch.context() as patched:

        def refuse(*args):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patched.setattr(site.archive, "make_series", refuse)
        for each in held:
            with pytest.raises(OSError, match="space"):
                get(each)
    for each in held:
        get(each)
    assert states(site) == ["receiving.series"]
    for each in held:
        each.release_all()
    assert states(site) == ["series.info"]
    assert site.files("tmp") == {}


def test_the_lock_file_is_on_disk_before_a_series_is_receiving(site, monkeypatch):
    held = site.series()
    real = site.archive.make_series
    at_making = []

    with syncs(monkeypatch) as seen:
        monkeypatch.setattr(site.archive, "make_series", lambda *args: at_making.append(list(seen)) or real(*args))
        get(held)
    (before,) = at_making
    (lock,) = site.files("tmp")
    assert f"{site.root}/tmp/{lock}" in before
    assert before[-1] == f"{site.root}/tmp"
    held.release_all()


def test_a_lock_file_is_never_empty(site, monkeypatch):
    sizes = []
    real = os.link

    def link(source, name, **more):
        real(source, name, **more)
        sizes.extend(len(text) for file, text in site.files("tmp").items() if file.startswith(".series-"))

    monkeypatch.setattr(spool.os, "link", link)
    get(held := site.series())
    held.release_all()
    assert sizes
    assert 0 not in sizes


def test_what_a_power_cut_left_receiving_is_found_by_its_lock_file(site, other):
    get(held := site.series())
    get(held, description="Coronal")
    for series in held._held.values():
        fcntl.flock(series.lock._fd, fcntl.LOCK_UN)
    close_abandoned(other.archive, lambda name: None)
    assert states(site) == ["series.info", "series.info"]
    assert site.files("tmp") == {}


def test_a_line_cut_off_by_a_power_cut_names_no_series_and_spoils_no_other(site, other):
    get(first := site.series())
    (lock,) = (site.root / "tmp").glob(".series-*")
    with lock.open("ab") as stream:
        stream.write(f'\n["{site.root}/data", "P1-Doe/Head'.encode())
    get(second := other.series(), description="Coronal")
    first.release_all()
    second.release_all()
    assert states(site) == ["series.info", "series.info"]
    assert site.files("tmp") == {}


def test_a_renamed_data_directory_went_on_receiving(site, tmp_path):
    held = site.series()
    get(held)
    (tmp_path / "data").rename(tmp_path / "old")
    get(held, series="1.2.4")
    series = get(held)
    assert path_of(series.directory_fd).startswith(f"{tmp_path}/data/")
    held.release_all()
    assert states(site) == ["series.info", "series.info"]
    assert site.files("tmp") == {}


@pytest.mark.parametrize("name", ["data", "log", "tmp"])
def test_an_exchanged_directory_is_noticed_at_cleaning(site, tmp_path, name):
    (tmp_path / name).rename(tmp_path / "old")
    (tmp_path / name).mkdir()
    site.archive.follow_paths()
    open_now = {"data": site.archive.data_fd, "log": site.archive.log_fd, "tmp": site.spool.fd}
    assert path_of(open_now[name]) == str(tmp_path / name)
    assert site.archive.version == 1
    site.archive.follow_paths()
    assert site.archive.version == 1


def test_a_spool_moves_with_a_data_directory_that_is_mounted_over(site, tmp_path, monkeypatch):
    elsewhere = f"{tmp_path}/data/.spool"
    monkeypatch.setattr(archive_module, "spool_directory", lambda tmp_dir, data_dir: elsewhere)
    (tmp_path / "data").rename(tmp_path / "old")
    site.archive.follow_paths()
    assert path_of(site.spool.fd) == elsewhere


def test_many_series_in_one_association_were_received_before_its_end(site):
    held = site.series()
    total = 3 * series_module.MAX_DIRECTORIES
    for _ in range(2):
        for number in range(total):
            series = get(held, series=f"1.2.{number}")
            assert path_of(series.directory_fd).endswith(f"-1.2.{number}")
    directories = [
        fd for fd in Path("/proc/self/fd").iterdir() if str(site.root / "data" / "P1") in str(os.path.realpath(fd))
    ]
    assert len(directories) == series_module.MAX_DIRECTORIES
    assert states(site) == ["receiving.series"] * total
    held.release_all()
    assert states(site) == ["series.info"] * total
    assert site.files("tmp") == {}


def test_a_worker_keeps_descriptors_for_others(site, monkeypatch):
    monkeypatch.setattr(series_module.resource, "getrlimit", lambda kind: (40, 40))
    registry = series_module.SeriesRegistry(site.archive)
    held = series_module.SeriesOfAssociation(registry, 1000)
    for number in range(30):
        get(held, series=f"1.2.{number}")
    assert states(site).count("receiving.series") == 10
    held.release_all()
    assert states(site).count("series.info") == 30


@pytest.mark.parametrize("is_same_worker", [True, False])
def test_one_series_in_two_directories_is_received_when_both_are_done(site, other, is_same_worker):
    first = site.series()
    second = (site if is_same_worker else other).series()
    get(first, description="Axial")
    get(second, description="Coronal")
    first.release_all()
    assert states(site) == ["receiving.series", "receiving.series"]
    second.release_all()
    assert states(site) == ["series.info", "series.info"]
    assert site.files("tmp") == {}


def test_a_worker_without_a_limit_of_files_lets_nobody_go_early(site, monkeypatch):
    unlimited = series_module.resource.RLIM_INFINITY
    monkeypatch.setattr(series_module.resource, "getrlimit", lambda kind: (unlimited, unlimited))
    held = series_module.SeriesOfAssociation(series_module.SeriesRegistry(site.archive), 1000)
    for number in range(3):
        get(held, series=f"1.2.{number}")
    assert states(site) == ["receiving.series"] * 3
    held.release_all()


def test_a_list_of_directories_that_is_full_turns_nobody_away(site, monkeypatch):
    monkeypatch.setattr(serieslock, "_MAX_LOCK_BYTES", 1000)
    held = site.series()
    for number in range(20):
        get(held, description=f"Axial{number}")
    assert states(site) == ["receiving.series"] * 20
    held.release_all()
    assert states(site) == ["series.info"] * 20
    assert site.files("tmp") == {}


def test_a_removed_lock_file_is_missed_at_the_next_image(site, other):
    get(first := site.series())
    for lock in (site.root / "tmp").glob(".series-*"):
        lock.unlink()
    get(first)
    get(second := other.series())
    second.release_all()
    assert states(site) == ["receiving.series"]
    first.release_all()
    assert states(site) == ["series.info"]
    assert site.files("tmp") == {}


def test_who_holds_a_removed_lock_file_leaves_the_new_one_alone(site, other):
    get(first := site.series())
    for lock in (site.root / "tmp").glob(".series-*"):
        lock.unlink()
    get(second := other.series())
    first.release_all()
    assert states(site) == ["receiving.series"]
    assert len(site.files("tmp")) == 1
    second.release_all()
    assert states(site) == ["series.info"]
    assert site.files("tmp") == {}


def test_another_services_lock_files_are_not_even_locked(site, monkeypatch):
    neighbour = Site(site.root / "elsewhere")
    get(held := neighbour.series())
    for name, text in neighbour.files("tmp").items():
        (site.root / "tmp" / name).write_bytes(text)
    with monkeypatch.context() as patched:
        patched.setattr(serieslock, "_is_last", lambda fd: pytest.fail("locked"))
        close_abandoned(site.archive, lambda name: pytest.fail("closed"))
    held.release_all()
    neighbour.close()


def test_directories_that_another_worker_has_just_made_are_synced_too(site, other, monkeypatch):
    get(first := other.series())
    with syncs(monkeypatch) as seen:
        get(second := site.series())
    patient = site.root / "data" / "P1-Doe"
    study = patient / "Head-20200102-1.2"
    series = study / "Axial-20200102-1.2.3"
    maps = [site.root / "log" / name for name in ("patient_map", "study_map", "series_map")]
    assert {str(each) for each in (site.root / "data", patient, study, series, site.root / "log", *maps)} <= {*seen}
    first.release_all()
    second.release_all()


def test_directories_made_on_the_way_to_a_root_are_synced(tmp_path, monkeypatch):
    with syncs(monkeypatch) as seen:
        os.close(archive_module.open_root(f"{tmp_path}/a/b/c"))
    assert seen == [str(tmp_path), f"{tmp_path}/a", f"{tmp_path}/a/b"]


def test_nothing_is_synced_where_written_is_enough(tmp_path, monkeypatch):
    site = Site(tmp_path, ack="written")
    with syncs(monkeypatch) as seen:
        get(held := site.series())
        held.release_all()
    assert seen == []
    site.close()
