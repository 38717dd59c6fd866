import pytest

from pfdcmd.tree.path import format_path, parse_path


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("/PACS/orthanc", ("PACS", "orthanc")),
        ("/PACS/orthanc/", ("PACS", "orthanc")),
        ("PACS/orthanc", ("PACS", "orthanc")),
        ("//PACS///orthanc//", ("PACS", "orthanc")),
        ("/", ()),
        ("", ()),
        ("/a b/ç", ("a b", "ç")),
        ("/PACS/../xinetd", ("PACS", "..", "xinetd")),
        ("./PACS", (".", "PACS")),
    ],
)
def test_every_way_of_writing_a_path_is_taken(text, keys):
    assert parse_path(text) == keys


def test_a_formatted_path_is_the_usual_one():
    assert format_path(("PACS", "orthanc")) == "/PACS/orthanc"
    assert format_path(()) == "/"
