"""Decoding what PACSs answer: every character set of DICOM, and bytes that are in none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdcmd.pacs.text import decode_text, split_character_sets

# Name in the script, its bytes, the character sets; the multi-byte ones are examples of PS3.5 Annexes H, I, J and K.
TEXTS = [
    ("Buc^Jérôme", b"Buc^J\xe9r\xf4me", ("ISO_IR 100",)),
    ("Διονυσιος", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", ("ISO_IR 126",)),
    ("Люкceмбypг", b"\xbb\xee\xdace\xdc\xd1yp\xd3", ("ISO_IR 144",)),
    ("قباني^لنزار", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", ("ISO_IR 127",)),
    ("שרון^דבורה", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", ("ISO_IR 138",)),
    (
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        ("", "ISO 2022 IR 87"),
    ),
    (
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ),
    (
        "Hong^Gildong=洪^吉洞=홍^길동",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        ("", "ISO 2022 IR 149"),
    ),
    ("Zhang^XiaoDong=张^小东", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", ("", "ISO 2022 IR 58")),
    ("Wang^XiaoDong=王^小东", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", ("GB18030",)),
    ("Wang^XiaoDong=王^小東", "Wang^XiaoDong=王^小東".encode(), ("ISO_IR 192",)),
]


@pytest.mark.parametrize(("text", "raw", "character_sets"), TEXTS)
def test_names_in_every_script(text, raw, character_sets):
    assert decode_text(raw, character_sets, is_name=True) == text


def test_a_delimiter_returns_to_the_first_character_set():
    raw = b"\x1b$)C\xb1\xe8\xc8\xf1\r\n\xe9t\xe9"
    assert decode_text(raw, ("ISO 2022 IR 100", "ISO 2022 IR 149")) == "김희\r\nété"


@pytest.mark.parametrize(
    ("raw", "character_sets", "text"),
    [
        (b"J\xe9r", (), "Jér"),
        ("Jér".encode(), (), "Jér"),
        (b"J\xe9r", ("NO SUCH SET",), "Jér"),
        (b"J\xe9r", ("ISO-IR 100",), "Jér"),
        (b"J\xe9r", ("ISO 2022 IR 100",), "Jér"),
        (b"J\xe9r", ("ISO_IR 192",), "J\ufffdr"),
        (b"\x1b[31mred", ("ISO_IR 192",), "\x1b[31mred"),
        (b"\x1b%Gabc", ("", "ISO 2022 IR 87"), "\x1b%Gabc"),
    ],
)
def test_wrong_or_missing_declarations_lose_as_little_as_can_be(raw, character_sets, text):
    assert decode_text(raw, character_sets) == text


def test_the_terms_of_a_character_set_element():
    assert split_character_sets(b"") == ()
    assert split_character_sets(b"ISO_IR 100 ") == ("ISO_IR 100",)
    assert split_character_sets(b"\\ISO 2022 IR 87 ") == ("", "ISO 2022 IR 87")


_ANY_BYTES = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"\x1b", b"$B", b"$)C", b"(J", b"(B", b"-F", b"\\", b"^", b"\xe9", b"ab"]), max_size=12
).map(b"".join)
_ANY_SETS = st.lists(
    st.sampled_from(["", "ISO 2022 IR 87", "ISO 2022 IR 149", "ISO 2022 IR 58", "ISO_IR 192", "GB18030", "nonsense"]),
    max_size=3,
).map(tuple)


@given(_ANY_BYTES, _ANY_SETS, st.booleans())
def test_nothing_makes_it_raise(raw, character_sets, is_name):
    assert isinstance(decode_text(raw, character_sets, is_name=is_name), str)
