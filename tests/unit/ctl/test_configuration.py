"""Where the server is and who asks: from options, variables and a file."""

import pytest

from pfdcmd.ctl.configuration import default_file, load_file, parse_server, settle
from pfdcmd.ctl.problems import WrongUse


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("http://pfdcm:4055", "http://pfdcm:4055"),
        ("pfdcm", "http://pfdcm:4055"),
        ("pfdcm:81", "http://pfdcm:81"),
        ("https://pfdcm/behind/", "https://pfdcm:4055/behind"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_addresses(typed, url):
    assert parse_server(typed).url == url


@pytest.mark.parametrize(
    "typed", ["", "ftp://x", "http://", "http://x:99999", "http://u:p@x", "http://x/a b", "http://[x"]
)
def test_what_is_no_address_is_answered_with_how_to_write_one(typed):
    with pytest.raises(WrongUse) as refused:
        parse_server(typed)
    assert "http://localhost:4055" in refused.value.do


def test_the_file_is_where_the_xdg_directories_say():
    assert str(default_file({"HOME": "/home/me"})) == "/home/me/.config/pfdcmctl.toml"
    assert str(default_file({"HOME": "/home/me", "XDG_CONFIG_HOME": "/etc/x"})) == "/etc/x/pfdcmctl.toml"


def test_a_file_that_nobody_named_need_not_be_there(tmp_path):
    assert load_file(tmp_path / "none.toml", is_named=False) == {}
    with pytest.raises(WrongUse, match="is not there"):
        load_file(tmp_path / "none.toml", is_named=True)


@pytest.mark.parametrize(
    ("text", "said"), [("sever = 'x'", "'sever'"), ("server = ", "cannot be used"), ("\x00", "cannot be used")]
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path, text, said):
    file = tmp_path / "pfdcmctl.toml"
    file.write_text(text)
    with pytest.raises(WrongUse, match=said) as refused:
        load_file(file, is_named=False)
    assert str(file) in refused.value.message


def _token_file(tmp_path, text, mode):
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_the_token_is_the_first_line_of_its_file(tmp_path):
    file = _token_file(tmp_path, "s3cret\nwhatever\n", 0o600)
    assert settle({"token_file": file}, {}, {"PFDCMCTL_TOKEN": "other"}).server.token == "s3cret"


def test_the_token_may_be_in_a_variable():
    assert settle({}, {}, {"PFDCMCTL_TOKEN": "s3cret"}).server.token == "s3cret"


@pytest.mark.parametrize(
    ("text", "mode", "said"), [("s3cret", 0o644, "everybody"), ("", 0o600, "no token"), ("a b", 0o600, "no token")]
)
def test_a_token_file_that_cannot_be_used(tmp_path, text, mode, said):
    file = _token_file(tmp_path, text, mode)
    with pytest.raises(WrongUse, match=said) as refused:
        settle({"token_file": file}, {}, {})
    assert "s3cret" not in refused.value.message + refused.value.do


def test_a_token_that_is_not_there(tmp_path):
    with pytest.raises(WrongUse, match="cannot be read"):
        settle({"token_file": str(tmp_path / "none")}, {}, {})


def test_the_usual_pacs_comes_from_the_variable_before_the_file():
    assert settle({}, {"pacs": "a"}, {}).pacs == "a"
    assert settle({}, {"pacs": "a"}, {"PFDCMCTL_PACS": "b"}).pacs == "b"
    with pytest.raises(WrongUse):
        settle({}, {"pacs": 7}, {})


@pytest.mark.parametrize("kind", ["ca", "cert"])
def test_files_of_tls_that_cannot_be_used_are_named(tmp_path, kind):
    file = tmp_path / "x.pem"
    file.write_text("no certificate")
    with pytest.raises(WrongUse, match=f"--{kind} "):
        parse_server("https://x", **{kind: str(file)}).tls_context()
