from dataclasses import fields
from pathlib import Path

import pytest

from pfdcmd.errors import ParameterFault
from pfdcmd.settings import Settings, convert, format_settings, format_value, read_settings

REPOSITORY = Path(__file__).parents[2]


def write(tmp_path, text):
    file = tmp_path / "pfdcm.conf"
    file.write_text(text)
    return file


def test_the_stronger_source_wins(tmp_path):
    file = write(tmp_path, "[pfdcm]\nport_self = 1\nip_self = file\nverbosity = 3\nforever = yes\n")
    settings = read_settings(
        file=file, environ={"PFDCM_PORT_SELF": "2", "PFDCM_IP_SELF": "env", "OTHER": "x"}, options={"port_self": 3}
    )
    assert (settings.port_self, settings.ip_self, settings.verbosity, settings.forever) == (3, "env", "3", True)
    assert settings.port_swift == "8080"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[pfdcm]\nno_such = 1\n", "no_such .*pfdcm.conf"),
        ("[pfdcm]\nport_self = x\n", "port_self must be a number .*pfdcm.conf"),
        ("[other]\nport_self = 1\n", "one section"),
        ("port_self = 1\n", "cannot be read: .*line: 1"),
        ("[pfdcm]\nport_self = 1\nport_self = 2\n", "cannot be read: .*3"),
    ],
)
def test_a_wrong_file_is_told_where(tmp_path, text, words):
    with pytest.raises(ParameterFault, match=words):
        read_settings(file=write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ParameterFault, match="No such file"):
        read_settings(file=tmp_path / "none.conf")


def test_an_unknown_variable_is_refused_as_it_is_spelt():
    with pytest.raises(ParameterFault, match="PFDCM_NO_SUCH"):
        read_settings(environ={"PFDCM_NO_SUCH": "1"})
    read_settings(environ={"PFDCM_SETTINGS_FILE": "x", "HOST_IP": "1.2.3.4"})


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("port_self", "-1", "at least 0"),
        ("port_self", "65536", "at most 65535"),
        ("port_self", "4055.5", "a number"),
        ("port_swift", "http", "whole number"),
        ("verbosity", "loud", "whole number"),
        ("forever", "maybe", "yes or no"),
        ("type", "s3", "must be swift"),
        ("request_seconds", "nan", "at least"),
        ("request_seconds", "inf", "at most"),
        ("request_seconds", "0", "at least"),
        ("max_tree_leaves", "0", "at least 1"),
    ],
)
def test_values_outside_their_limits_are_refused(key, text, words):
    with pytest.raises(ParameterFault, match=f"{key} must be .*{words}" if "must" not in words else words):
        convert(key, text)


def test_what_is_shown_can_be_read_again(tmp_path):
    settings = Settings(port_self=1, forever=True, set_pacs='{"a": {"b": "%HOST_IP"}}', request_seconds=1.5)
    assert read_settings(file=write(tmp_path, format_settings(settings))) == settings


def test_every_setting_says_what_it_is_for():
    flags = [setting.metadata["flag"] for setting in fields(Settings)]
    assert len(set(flags)) == len(flags)
    for setting in fields(Settings):
        assert setting.metadata["why"]
        if setting.default != "":
            assert convert(setting.name, format_value(setting.default)) == setting.default


def test_the_example_file_has_every_setting_with_its_default():
    lines = (REPOSITORY / "etc" / "pfdcm.conf").read_text().splitlines()
    for setting in fields(Settings):
        assert f"#{setting.name} = {format_value(setting.default)}".rstrip() in lines
