"""The acceptor's conversation: bytes in, events and bytes out; no sockets."""

import pytest
from dicomwire import (
    ABORT_BY_USER,
    CT,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    associate_rq,
    command,
    command_elements,
    context_item,
    data_set,
    echo_command,
    p_data,
    pdu,
    pdv,
    status_of,
    store,
    store_command,
    ui,
    us,
)

from listener import dimse
from listener.admission import FULL
from listener.association import Association, Ended, Opened
from listener.messages import Echoed, Refused, StoreBegun, StoreData, StoreEnded
from listener.states import State

REQUEST = associate_rq(context_item(1, VERIFICATION, IMPLICIT_LITTLE), context_item(3, CT, EXPLICIT_LITTLE))


def feed(association, data, status=dimse.SUCCESS):
    """Every event, C-STOREs answered; data sets joined."""
    events = []
    for event in association.receive(memoryview(data)):
        if isinstance(event, StoreData):
            events.append(bytes(event.data))
            continue
        if isinstance(event, StoreEnded):
            association.respond(status)
        events.append(event)
    return events


def refusals(association, data):
    """Command field and status of each event, all of them refusals."""
    return [(event.command.field, event.status) for event in feed(association, data) if isinstance(event, Refused)]


@pytest.fixture
def association():
    opened = Association(16384)
    assert feed(opened, REQUEST) == [Opened("ANY-SCP", "SENDER")]
    assert opened.take_output()[0] == 2
    return opened


def test_echo_is_answered(association):
    assert feed(association, p_data(pdv(1, 3, echo_command(7)))) == [Echoed()]
    answer = command_elements(association.take_output())
    assert answer[0x0100] == b"\x30\x80"
    assert answer[0x0120] == b"\x07\0"
    assert answer[0x0900] == b"\0\0"


def test_store_is_answered_with_the_status_it_is_given(association):
    data = data_set()
    events = feed(association, store(3, CT, "1.2.3.1", data, 9), dimse.OUT_OF_RESOURCES)
    assert isinstance(events[0], StoreBegun)
    assert events[0].command.sop_instance == "1.2.3.1"
    assert events[0].context.transfer_syntax == EXPLICIT_LITTLE
    assert events[1:] == [data, StoreEnded()]
    answer = command_elements(association.take_output())
    assert answer[0x0100] == b"\x01\x80"
    assert answer[0x0120] == b"\x09\0"
    assert answer[0x0900] == b"\x00\xa7"
    assert answer[0x1000].rstrip(b"\0") == b"1.2.3.1"


def test_a_whole_association_byte_by_byte():
    association = Association(16384)
    stream = REQUEST + p_data(pdv(1, 3, echo_command())) + store(3, CT, "1.2.3.1", b"abcdef") + RELEASE_RQ
    events = [event for i in range(len(stream)) for event in feed(association, stream[i : i + 1])]
    assert [type(event) for event in events if not isinstance(event, bytes)] == [
        Opened, Echoed, StoreBegun, StoreEnded, Ended,
    ]  # fmt: skip
    assert b"".join(event for event in events if isinstance(event, bytes)) == b"abcdef"
    assert association.take_output().endswith(RELEASE_RP)
    assert list(association.lose_connection()) == []
    assert association.is_over


def test_a_command_and_its_data_set_may_share_a_pdu_and_be_cut_anywhere(association):
    body = store_command(CT, "1.2.3.1")
    stream = p_data(pdv(3, 1, body[:10])) + p_data(pdv(3, 3, body[10:]), pdv(3, 0, b"abc")) + p_data(pdv(3, 2, b"def"))
    events = feed(association, stream)
    assert b"".join(each for each in events if isinstance(each, bytes)) == b"abcdef"
    assert status_of(association.take_output()) == 0


@pytest.mark.parametrize(
    ("context_id", "sop_class", "sop_instance", "status"),
    [
        (3, "1.2.840.10008.5.1.4.1.1.4", "1.2.3", 0x0122),
        (1, VERIFICATION, "1.2.3", 0x0122),
        (3, CT, "../../etc/passwd", 0x0117),
        (3, CT, "1" * 65, 0x0117),
        (3, CT, "", 0x0117),
    ],
)
def test_a_store_that_cannot_be_is_refused_and_the_next_one_taken(
    association, context_id, sop_class, sop_instance, status
):
    assert refusals(association, store(context_id, sop_class, sop_instance, b"data")) == [(1, status)]
    assert status_of(association.take_output()) == status
    assert StoreEnded() in feed(association, store(3, CT, "1.2.3.1", b"data"))


def test_a_store_without_a_data_set_is_refused(association):
    asked = command(ui(2, CT), us(0x0100, 1), us(0x0110, 1), us(0x0800, 0x0101), ui(0x1000, "1.2"))
    assert refusals(association, p_data(pdv(3, 3, asked))) == [(1, 0x0212)]


@pytest.mark.parametrize("field", [0x0020, 0x0021, 0x0010, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150])
def test_other_services_are_unrecognized_operations(association, field):
    asked = command(ui(2, CT), us(0x0100, field), us(0x0110, 4), us(0x0800, 0))
    assert feed(association, p_data(pdv(3, 3, asked))) == []
    assert refusals(association, p_data(pdv(3, 2, b"identifier"))) == [(field, 0x0211)]
    answer = command_elements(association.take_output())
    assert answer[0x0100] == (field | 0x8000).to_bytes(2, "little")
    assert answer[0x0900] == b"\x11\x02"


def test_cancel_has_no_answer(association):
    asked = command(us(0x0100, 0x0FFF), us(0x0120, 4), us(0x0800, 0x0101))
    assert feed(association, p_data(pdv(3, 3, asked))) == []
    assert association.take_output() == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdu(8, b""), 1),
        (REQUEST, 2),
        (pdu(2, bytes(100)), 2),
        (pdu(3, bytes(4)), 2),
        (RELEASE_RP, 2),
        (p_data(pdv(5, 3, echo_command())), 6),
        (p_data(pdv(3, 2, b"data set first")), 6),
        (p_data(pdv(3, 3, store_command(CT, "1.2"))) + p_data(pdv(3, 3, echo_command())), 6),
        (p_data(pdv(3, 3, store_command(CT, "1.2"))) + p_data(pdv(1, 2, b"x")), 6),
        (p_data(pdv(3, 3, store_command(CT, "1.2"))) + RELEASE_RQ, 2),
        (p_data(pdv(1, 3, b"not a command")), 0),
        (p_data(pdv(1, 3, us(0x0100, 0x8030) + us(0x0800, 0x0101))), 0),
        (b"".join(p_data(pdv(1, 1, bytes(10000))) for _ in range(2)), 0),
    ],
)
def test_what_may_not_be_is_aborted_by_the_provider(association, data, reason):
    events = feed(association, data)
    assert isinstance(events[-1], Ended)
    assert association.take_output() == bytes.fromhex("070000000004000002") + bytes((reason,))
    assert association.state is State.AWAITING_CLOSE
    assert association.is_artim_running
    # Whatever still comes is dropped.
    assert feed(association, REQUEST + RELEASE_RQ + b"\xff" * 100) == []
    assert association.take_output() == b""
    assert list(association.lose_connection()) == []
    assert association.is_over


@pytest.mark.parametrize("data", [RELEASE_RQ, RELEASE_RP, p_data(pdv(1, 3, echo_command())), b"GET / HTTP/1.1\r\n\r\n"])
def test_before_an_association_everything_else_is_aborted_by_the_user(data):
    association = Association(16384)
    (ended,) = feed(association, data)
    assert isinstance(ended, Ended)
    assert association.take_output() == ABORT_BY_USER
    assert association.state is State.AWAITING_CLOSE


def test_the_peers_abort_ends_it(association):
    assert feed(association, ABORT_BY_USER) == [Ended("aborted by the peer")]
    assert association.is_over
    assert association.take_output() == b""


def test_a_lost_connection_ends_it(association):
    assert list(association.lose_connection()) == [Ended("connection lost")]
    assert association.is_over
    assert list(association.lose_connection()) == []


def test_artim_ends_a_connection_without_an_association():
    association = Association(16384)
    assert association.is_artim_running
    assert [type(each) for each in association.expire_artim()] == [Ended]
    assert association.is_over


def test_our_abort(association):
    assert list(association.abort("idle")) == [Ended("aborted: idle")]
    assert association.take_output() == ABORT_BY_USER
    assert association.is_artim_running


def test_release_at_our_wish(association):
    association.request_release()
    assert association.take_output() == RELEASE_RQ
    # Data under way when the peer learns of it are still taken.
    assert StoreEnded() in feed(association, store(3, CT, "1.2.3.1", b"data"))
    association.take_output()
    assert feed(association, RELEASE_RP) == [Ended("released")]
    assert association.is_over


def test_release_collision(association):
    association.request_release()
    association.take_output()
    assert feed(association, RELEASE_RQ) == []
    assert association.state is State.COLLISION_AWAITING_RELEASE_RP
    assert association.take_output() == b""
    assert feed(association, RELEASE_RP) == [Ended("released")]
    assert association.take_output() == RELEASE_RP
    assert association.state is State.AWAITING_CLOSE


def test_a_full_worker_says_come_again():
    association = Association(16384, refusal=FULL)
    assert feed(association, REQUEST) == [Ended("rejected: local limit exceeded")]
    assert association.take_output() == bytes.fromhex("03000000000400020302")
    assert association.is_artim_running


def test_answers_respect_the_peers_maximum():
    association = Association(16384)
    small = associate_rq(
        context_item(1, VERIFICATION, IMPLICIT_LITTLE),
        information=bytes.fromhex("5000000851000004") + (64).to_bytes(4, "big"),
    )
    feed(association, small)
    association.take_output()
    feed(association, p_data(pdv(1, 3, echo_command())))
    answer = association.take_output()
    assert status_of(answer) == 0
    assert int.from_bytes(answer[2:6], "big") <= 64
