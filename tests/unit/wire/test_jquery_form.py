from urllib.parse import quote

import pytest

from pfdcmd.errors import MessageFault
from pfdcmd.wire.jquery import MAX_FIELDS, parse_form, split_key


@pytest.mark.parametrize(
    ("key", "levels"),
    [
        ("payload[meta][on][series_uid]", ["payload", "meta", "on", "series_uid"]),
        ("meta[on][PatientID]", ["meta", "on", "PatientID"]),
        ("payload_meta_do", ["payload", "meta", "do"]),
        ("meta_on_series_uid", ["meta", "on", "series_uid"]),
        ("meta_set_server_ip", ["meta", "set", "server_ip"]),
        ("list[]", ["list", ""]),
        ("action", ["action"]),
        ("series_uid", ["series_uid"]),
        ("odd[", ["odd["]),
        ("odd]x[", ["odd]x["]),
        ("", [""]),
    ],
)
def test_levels_of_a_key(key, levels):
    assert split_key(key) == levels


def test_a_form_is_nested_again():
    text = (
        "payload%5Bmeta%5D%5Bvar%5D=%2FPACS&payload%5Bmeta%5D%5Bset%5D%5Ba%5D%5Baec%5D=A+B&payload[action]=internalctl"
    )
    assert parse_form(text, max_nesting=8) == {
        "payload": {"meta": {"var": "/PACS", "set": {"a": {"aec": "A B"}}}, "action": "internalctl"}
    }


def test_lists_of_a_form():
    assert parse_form("a[]=1&a[]=2&b[0][x]=1&b[1][x]=2&c[1]=z", max_nesting=8) == {
        "a": ["1", "2"],
        "b": [{"x": "1"}, {"x": "2"}],
        "c": {"1": "z"},
    }


def test_values_are_text_and_may_be_empty_or_hold_anything():
    value = "=&[]%\0ü"
    assert parse_form(f"meta[retrieve]=true&meta[x]=&meta[y]={quote(value)}", max_nesting=8) == {
        "meta": {"retrieve": "true", "x": "", "y": value}
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=1&a[b]=2", "contradict"),
        ("a[b]=1&a=2", "contradict"),
        ("a=%ff", "UTF-8"),
        ("a" + "[b]" * 8 + "=1", "deep"),
        ("&".join(["a=1"] * (MAX_FIELDS + 1)), "fields"),
    ],
)
def test_bad_forms_are_refused(text, words):
    with pytest.raises(MessageFault, match=words):
        parse_form(text, max_nesting=8)
