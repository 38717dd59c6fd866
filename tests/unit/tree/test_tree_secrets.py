import json

import pytest

from pfdcmd.tree.node import freeze
from pfdcmd.tree.secrets import HIDDEN, conceal, is_secret_name, keep_hidden

PEM = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----"


def thaw(node):
    return json.loads(json.dumps(node, default=dict))


@pytest.mark.parametrize(
    "name",
    ["password", "Password", "PASSWD", "db_password", "dbPassword", "clientSecret", "secret", "token", "apiToken",
     "credentials", "key", "apiKey", "API_KEY", "api-key", "private_key", "accessKey", "passphrase", "smtp.pwd"],
)  # fmt: skip
def test_secret_names(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["tlsKey", "tls_key", "keys", "keyboard", "monkey", "tokenPath", "token_file", "aec", "aet", "serverIP", "", "1"],
)
def test_names_of_what_is_shown(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"swift": {"key": "s3cret", "username": "u"}}, {"swift": {"key": HIDDEN, "username": "u"}}),
        ({"swift": {"key": "testing"}}, {"swift": {"key": "testing"}}),
        ({"credentials": {"user": "u", "deep": {"n": 1}}}, {"credentials": {"user": HIDDEN, "deep": {"n": HIDDEN}}}),
        ({"token": None, "password": "", "secret": False, "apiKey": []}, None),
        ({"password": ["a"], "l": [{"password": "x"}]}, {"password": HIDDEN, "l": [{"password": HIDDEN}]}),
        ({"note": PEM}, {"note": HIDDEN}),
        ({"p": "http://me:pass@proxy:3128/"}, {"p": "http://me:****@proxy:3128/"}),
        ({"p": "http://proxy:3128/a:b@c"}, None),
        ({"j": '{"a": {"password": "x"}}'}, {"j": '{"a": {"password": "****"}}'}),
        ({"j": '{"a":  1}', "k": "{not json password"}, None),
    ],
)
def test_what_is_shown(value, shown):
    node = freeze(value)
    concealed = conceal(node)
    assert thaw(concealed) == (value if shown is None else shown)
    if shown is None:
        assert concealed is node


def test_a_secret_is_one_by_every_path_to_it():
    assert conceal("x", ("site", "password")) == HIDDEN
    assert conceal("x", ("credentials", "user")) == HIDDEN
    assert thaw(conceal(freeze({"a": "x"}), ("credentials",))) == {"a": HIDDEN}
    assert conceal("x", ("site", "name")) == "x"


@pytest.mark.parametrize(
    "tree",
    [
        {"key": "s", "user": "u"},
        {"proxy": "http://me:pass@proxy"},
        {"list": [{"password": "x"}, 1]},
        {"pem": PEM},
        {"json": '{"password": "x"}'},
        {"a": {"token": "t", "b": 1}},
    ],
)
def test_sending_back_what_was_shown_changes_nothing(tree):
    node = freeze(tree)
    shown = thaw(conceal(node))
    assert thaw(keep_hidden(shown, node, ())) == tree
    assert thaw(keep_hidden({**shown, "user": "v"}, node, ())) == {**tree, "user": "v"}


def test_a_new_secret_takes_the_place_of_the_old():
    assert keep_hidden({"key": "new"}, freeze({"key": "old"}), ()) == {"key": "new"}
    assert keep_hidden("new", "old", ("swift", "key")) == "new"
    assert keep_hidden(HIDDEN, "old", ("swift", "key")) == "old"
    assert keep_hidden(HIDDEN, "old", ("site", "name")) == HIDDEN
    assert keep_hidden(HIDDEN, None, ("swift", "key")) == HIDDEN
