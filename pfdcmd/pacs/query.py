"""A query as a value: which keys are matched, which are asked back, at which level."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.keys import INSTANCE_KEYS, RETURN_KEYS, SERIES_KEYS, query_keyword, resembling_keyword

UTF8_CHARACTER_SET = "ISO_IR 192"

# What else callers write beside the keys: options of the action, and keys that we set.
_NO_KEYS = frozenset(("reportTags", "retrieve", "QueryRetrieveLevel", "SpecificCharacterSet"))

_VALUE_MAX_LENGTH = 4096

Keys = dict[str, str]
"""The identifier of one C-FIND request: keyword -> value, alphabetical; an empty value only asks the element back."""


@dataclass(frozen=True)
class Query:
    """Matching keys of a query, keyword -> value, and the keywords that are asked back whether matched or not."""

    matching: Mapping[str, str]
    asked: frozenset[str] = RETURN_KEYS

    @property
    def keywords(self) -> frozenset[str]:
        """Every keyword that a reply to this query must fill."""
        return self.asked | self.matching.keys()

    @property
    def names_series_only(self) -> bool:
        """Whether it names a series but not its study, so that the study has to be looked up first."""
        return bool(self.matching.get("SeriesInstanceUID")) and not self.matching.get("StudyInstanceUID")

    @property
    def narrows_studies(self) -> bool:
        """Whether it matches on anything besides the series, so that its studies are fewer than all of them."""
        return any(value and keyword != "SeriesInstanceUID" for keyword, value in self.matching.items())

    def study_keys(self, **fixed: str) -> Keys:
        """The STUDY level request; `fixed` are keys that take the place of the caller's."""
        return self._keys(QueryRetrieveLevel="STUDY", **fixed)

    def series_keys(self, study_uid: str) -> Keys:
        """The SERIES level request below one study. It repeats the caller's keys, as the original did."""
        return self._keys(QueryRetrieveLevel="SERIES", StudyInstanceUID=study_uid)

    def _keys(self, **fixed: str) -> Keys:
        values = {**dict.fromkeys(self.asked, ""), **self.matching, **fixed}
        if not all(value.isascii() for value in values.values()):
            # PS3.3 section C.12.1.1.2; PS3.4 section C.4.1.1.3.1 asks for it in the request.
            values["SpecificCharacterSet"] = UTF8_CHARACTER_SET
        return dict(sorted(values.items()))


def without_lower_levels(keys: Keys) -> Keys:
    """The keys that the request's level and those above it have.

    The original asked for every key at every level; most PACSs answer what they can, strict ones refuse.
    Source: PS3.4 section C.4.1.1.3.1.
    """
    below = INSTANCE_KEYS if keys["QueryRetrieveLevel"] == "SERIES" else INSTANCE_KEYS | SERIES_KEYS
    return {keyword: value for keyword, value in keys.items() if keyword not in below}


def parse_query(on: Mapping[str, object], also_ask: frozenset[str] = frozenset()) -> Query:
    """Read the keys that a caller gave. Beside DICOM keywords or tags, a name that is none is ignored, as ever.

    When all are none the query would match everything, which whoever mistyped a keyword did not mean: that is a fault.
    A value may be text, a number, or a list of these (any of which is to match: PS3.4 section C.2.2.2.2).

    Args:    also_ask: keywords to ask back besides the usual ones.
    Raises:  ParameterFault: no name is a key, naming one; or a value that cannot be sent, naming its key.
    """
    matching: dict[str, str] = {}
    unknown: list[str] = []
    for name, value in on.items():
        keyword = query_keyword(name)
        if keyword is not None:
            matching[keyword] = parse_matching_value(keyword, value)
        elif name not in _NO_KEYS:
            unknown.append(name)
    if unknown and not matching:
        raise ParameterFault(_not_a_keyword(unknown[0]))
    return Query(matching=matching, asked=RETURN_KEYS | also_ask)


def _not_a_keyword(name: str) -> str:
    meant = resembling_keyword(name)
    hint = f"did you mean {meant}?" if meant else "wanted is a keyword of PS3.6, or gggg,eeee."
    return f"{name[:64]!a} is not a DICOM keyword: {hint}"


def parse_matching_value(keyword: str, value: object) -> str:
    """Text, a number, or a list of these, as the text to be matched.

    Raises: ParameterFault: it is too long, or holds what no value may hold.
    """
    items = value if isinstance(value, list) else [value]
    text = "\\".join(_parse_item(keyword, item) for item in items)
    if len(text) > _VALUE_MAX_LENGTH:
        raise ParameterFault(f"The value of {keyword} is longer than {_VALUE_MAX_LENGTH} characters.")
    return text


def _parse_item(keyword: str, item: object) -> str:
    if item is None:
        return ""
    if isinstance(item, bool) or not isinstance(item, str | int | float):
        raise ParameterFault(f"The value of {keyword} must be text, a number or a list of these.")
    text = str(item).strip()
    # Nothing that can be matched holds control characters (PS3.5 section 6.2), and UTF-8 has no surrogates.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ParameterFault(f"The value of {keyword} holds control characters.")
    return text
