"""The worker's configuration."""

import json
from dataclasses import fields

import pytest

from listener.config import Config, read_config
from listener.errors import ConfigurationFault


def test_command_line_beats_file_beats_default(tmp_path):
    file = tmp_path / "listener.json"
    file.write_text(json.dumps({"port": 104, "data_dir": "/a", "ack": "written"}))
    config = read_config(file, {"port": "11112"})
    assert (config.port, config.data_dir, config.is_durable, config.log_dir) == (11112, "/a", False, "/dicom/log")


def test_an_unknown_key_is_refused_by_name(tmp_path):
    file = tmp_path / "listener.json"
    file.write_text(json.dumps({"prot": 104}))
    with pytest.raises(ConfigurationFault, match="'prot'"):
        read_config(file, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", -1), ("port", 65536), ("port", "x"), ("port", True), ("port", None), ("port", float("nan")),
        ("port", float("inf")), ("ack", "maybe"), ("ack", 1), ("data_dir", ""), ("data_dir", "a\0b"), ("bind", 5),
        ("idle_timeout_seconds", 0), ("idle_timeout_seconds", "nan"), ("max_pdu_bytes", 100), ("data_dir", ["x"]),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_by_its_keys_name(key, value):
    with pytest.raises(ConfigurationFault, match=key):
        read_config(None, {key: value})


@pytest.mark.parametrize("text", ["", "[]", "1", "{", "\ud800", '{"port": ' + "[" * 100_000])
def test_a_file_that_is_no_object_is_refused(tmp_path, text):
    file = tmp_path / "listener.json"
    file.write_text(text, errors="surrogatepass")
    with pytest.raises(ConfigurationFault):
        read_config(file, {})
    with pytest.raises(ConfigurationFault):
        read_config(tmp_path / "missing.json", {})


def test_every_key_says_its_unit_and_why():
    for each in fields(Config):
        assert each.metadata["why"]
        assert each.metadata["unit"] or each.metadata["choices"]


@pytest.mark.parametrize("key", ["tls_key", "tls_ca"])
def test_a_key_without_a_certificate_is_refused(key):
    with pytest.raises(ConfigurationFault, match="tls_certificate"):
        read_config(None, {key: "/etc/x.pem"})
