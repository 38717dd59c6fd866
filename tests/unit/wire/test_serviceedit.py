"""Changes of a service in its file's text."""

import pytest

from pfdcmd.errors import ServiceFault
from pfdcmd.wire.serviceedit import edit_service, format_service
from pfdcmd.wire.xinetdconf import parse_service_file

TEXT = """# of the radiology
service a
{
    port   = 104   # kept as it is written
    only_from = 10.0.0.1
    only_from += 10.0.0.2
}
# between
service b
{
    id = bee
    port = 105
}
"""


def assignments(text, name):
    block = next(each for each in parse_service_file(text, "f").services if each.service == name)
    return {each.name: each.values for each in block.assignments}


def test_only_the_lines_of_what_changes_are_changed():
    after = edit_service(TEXT, "f", "a", {"only_from": ["10.0.0.3"], "instances": ["2"]})
    assert assignments(after, "a")["only_from"] == ("10.0.0.3",)
    assert assignments(after, "a")["instances"] == ("2",)
    assert assignments(after, "bee") == assignments(TEXT, "bee")
    kept = [line for line in TEXT.splitlines() if "only_from" not in line]
    assert [line for line in after.splitlines() if line in kept] == kept


def test_an_attribute_can_be_taken_away_and_a_service_is_found_by_its_id():
    assert "only_from" not in assignments(edit_service(TEXT, "f", "a", {"only_from": None}), "a")
    assert assignments(edit_service(TEXT, "f", "bee", {"port": ["9"]}), "bee")["port"] == ("9",)
    with pytest.raises(ServiceFault, match="no service 'b'"):
        edit_service(TEXT, "f", "b", {"port": ["9"]})


def test_an_attribute_without_words_stays_one():
    assert assignments(edit_service(TEXT, "f", "a", {"only_from": []}), "a")["only_from"] == ()


def test_what_is_formatted_is_parsed_to_the_same():
    text = format_service("c", {"port": ["1"], "ae_title": ["X", "Y"]})
    assert assignments(text, "c") == {"port": ("1",), "ae_title": ("X", "Y")}
