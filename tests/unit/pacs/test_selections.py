"""What a retrieve names, in requests of bounded length; and the contexts of a C-GET."""

import pytest

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.getcontexts import storage_proposals
from pfdcmd.pacs.selection import Selection, batches, request_keys


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        (Selection("1.2"), {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2"}),
        (
            Selection("1.2", "1.2.3"),
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"},
        ),
        (
            Selection("1.2", "1.2.3", ("1.4", "1.5")),
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": "1.2",
                "SeriesInstanceUID": "1.2.3",
                "SOPInstanceUID": "1.4\\1.5",
            },
        ),
    ],
)
def test_the_level_is_that_of_the_lowest_uid(selection, keys):
    assert request_keys(selection) == keys


@pytest.mark.parametrize(
    "selection",
    [
        Selection(""),
        Selection("*"),
        Selection("1.2", "?"),
        Selection("1.2", "1.3\\1.4"),
        Selection("1.2", "1.3", ("1.4", "")),
        Selection("1.2", None, ("1.4",)),
    ],
)
def test_what_is_no_uid_is_not_sent(selection):
    with pytest.raises(ParameterFault):
        request_keys(selection)


def test_a_long_list_goes_in_batches_in_order():
    instances = tuple(f"1.{number}" for number in range(1, 451))
    parts = batches(Selection("1.2", "1.2.3", instances))
    assert [len(part.instances) for part in parts] == [200, 200, 50]
    assert sum((part.instances for part in parts), ()) == instances
    assert {(part.study, part.series) for part in parts} == {("1.2", "1.2.3")}
    assert max(len(request_keys(part)["SOPInstanceUID"]) for part in parts) < 200 * 65


def test_a_short_one_stays_as_it_is():
    selection = Selection("1.2", "1.2.3")
    assert batches(selection) == [selection]


@pytest.mark.parametrize("count", [1, 3, 9, 127, 300])
def test_an_association_has_room_for_127_storage_contexts(count):
    proposals = storage_proposals([f"1.{number}" for number in range(count)])
    assert len(proposals) <= 127
    assert len({sop_class for sop_class, _ in proposals}) == min(count, 127)
    assert len(set(proposals)) == len(proposals)


def test_few_classes_get_every_transfer_syntax_and_many_the_usual_ones():
    assert len(storage_proposals(["1.1", "1.2"])) == 30
    compressed = [syntaxes for _, syntaxes in storage_proposals([f"1.{number}" for number in range(60)])[60:]]
    assert set(compressed) == {("1.2.840.10008.1.2.4.70",), ("1.2.840.10008.1.2.4.50",)}


def test_a_class_twice_is_one():
    assert storage_proposals(["1.1", "1.1"]) == storage_proposals(["1.1"])
