"""From what files declare, and what runs, to the set that shall run."""

from pfdcmd.service.blocks import ServiceFile
from pfdcmd.service.catalogue import Reading, make_catalogue, overlap
from pfdcmd.service.config import ServiceConfig
from pfdcmd.wire.xinetdconf import parse_service_file

DIRECTORIES = "data_dir = /d\nlog_dir = /l\ntmp_dir = /t"


def block(name, port, extra=""):
    return f"service {name}\n{{\nport = {port}\n{DIRECTORIES}\n{extra}\n}}\n"


def read(faults=None, is_uncertain=False, **texts):
    files = tuple(parse_service_file(text, name) for name, text in texts.items())
    return Reading(files, faults or {}, is_uncertain)


def runs(name, file):
    return ServiceConfig(name, "0.0.0.0", 104, "/d", "/l", "/t", 1, declared_in=file)


def catalogue(reading, running=(), there=(), foreign=()):
    is_there = {each.declared_in: each.declared_in in there for each in running}
    return make_catalogue(reading, running, workers=2, drain_seconds=60, is_there=is_there, foreign=frozenset(foreign))


def names(made):
    return [each.name for each in made.services]


def test_all_that_is_declared_shall_run():
    made = catalogue(read(one=block("a", 104) + block("b", 105), two=block("c", 106)))
    assert (names(made), made.faults, made.retained) == (["a", "b", "c"], {}, frozenset())
    assert made.services[2].declared_in == "two"


def test_a_file_with_an_error_takes_its_own_services_out_and_no_others():
    made = catalogue(read(one=block("a", 104) + block("b", "none"), two=block("c", 106)))
    assert names(made) == ["c"]
    assert list(made.faults) == ["one"]
    assert made.faults["one"].startswith("one:11: port must be")


def test_what_runs_of_a_broken_file_goes_on():
    made = catalogue(read({"one": "one:1: no."}, two=block("c", 106)), [runs("a", "one"), runs("x", "gone")], ["one"])
    assert (names(made), made.retained) == (["c"], {"a"})


def test_what_moved_from_a_broken_file_to_another_counts_there():
    made = catalogue(read({"one": "one:1: no."}, two=block("a", 106)), [runs("a", "one")], ["one"])
    assert (names(made), made.retained) == (["a"], frozenset())


def test_what_its_own_file_names_no_more_ends_although_another_file_is_broken():
    made = catalogue(read({"one": "one:1: no."}, two=block("c", 106)), [runs("b", "two")], ["two"])
    assert made.retained == frozenset()


def test_nothing_is_changed_when_the_defaults_may_be_broken():
    made = catalogue(read({"one": "one:1: no."}, is_uncertain=True, two=block("c", 106)), [runs("a", "x")])
    assert (names(made), made.retained) == ([], {"a"})
    faulty = "defaults\n{\ninstances += 1\n}"
    made = catalogue(read(one=faulty, two=block("c", 106)), [runs("c", "two")], ["two"])
    assert (names(made), made.retained) == ([], {"c"})


def test_services_of_files_that_nobody_reads_go_on_when_they_are_foreign():
    assert catalogue(Reading(), [runs("a", "other")], ["other"], ["other"]).retained == {"a"}
    assert catalogue(Reading(), [runs("a", "other")], ["other"]).retained == frozenset()


def test_two_services_cannot_have_one_address():
    made = catalogue(
        read(one=block("a", 104), two=block("b", 104, "bind = 127.0.0.1"), three=block("c", 104, "bind = ::1"))
    )
    assert names(made) == ["a", "c"]
    assert made.faults == {"two": "two:1: port 104 belongs to service 'a' already."}
    assert names(catalogue(read(one=block("a", 104), two=block("b", 104, "disable = yes")))) == ["a", "b"]


def test_a_port_that_a_retained_service_has_is_not_given_to_another():
    made = catalogue(read({"one": "one:1: no."}, two=block("c", 104)), [runs("a", "one")], ["one"])
    assert (names(made), made.retained) == ([], {"a"})
    assert made.faults["two"] == "two: port 104 belongs to service 'a', which goes on until its file is mended."


def test_addresses_that_overlap():
    assert overlap(("0.0.0.0", 1), ("127.0.0.1", 1))
    assert overlap(("127.0.0.1", 1), ("127.0.0.1", 1))
    assert not overlap(("127.0.0.2", 1), ("127.0.0.1", 1))
    assert not overlap(("0.0.0.0", 1), ("127.0.0.1", 2))
    assert not overlap(("::", 1), ("0.0.0.0", 1))
    assert ServiceFile("f").services == ()
