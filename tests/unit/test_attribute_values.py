"""Our own typing of values says what boto3's says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from common.aws.attribute_values import plain, typed
from common.jobs import JobStatus

whole = st.integers(-(10**30), 10**30)
scalars = st.none() | st.booleans() | st.text() | whole | whole.map(Decimal)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_a_value_is_typed_and_read_as_boto3_does(value: Any) -> None:
    item = typed(value)
    assert item == TypeSerializer().serialize(value)
    assert plain(item) == TypeDeserializer().deserialize(item) == value


def test_a_status_is_stored_as_plain_text() -> None:
    assert typed(JobStatus.QUEUED) == {"S": "queued"}
    assert type(typed(JobStatus.QUEUED)["S"]) is str


@pytest.mark.parametrize("value", [1.5, b"bytes", {"a", "b"}, object()])
def test_what_is_stored_nowhere_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="is not stored"):
        typed(value)


def test_a_type_that_is_stored_nowhere_is_refused() -> None:
    with pytest.raises(TypeError, match="SS"):
        plain({"SS": ["a"]})
