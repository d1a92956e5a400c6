from __future__ import annotations

import pytest

from tests.handlers.meter import Index, Item, Table, item_bytes, units

BY_USER = Index(name="ByUser", key=["user", "at"], keys_only=False, local=False)
WAITING = Index(name="Waiting", key=["waiting"], keys_only=True, local=False)
BY_TIME = Index(name="ByTime", key=["at"], keys_only=False, local=True)
JOB: Item = {"id": {"S": "a"}, "user": {"S": "ann"}, "at": {"S": "1"}, "waiting": {"S": "core"}}


def taken(old: Item | None, new: Item | None, *indexes: Index, transaction: bool = False) -> int:
    table = Table(key=["id"], indexes=indexes)
    return sum(number for _where, number in table.write_units(old, new, transaction=transaction))


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"ab": {"S": "lá"}}, 2 + 3),
        ({"n": {"N": "12345"}}, 1 + 3 + 1),
        ({"n": {"N": "-1200"}}, 1 + 1 + 1),
        ({"f": {"BOOL": True}}, 1 + 1),
        ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 1 + 1 + 1),
        ({"l": {"L": [{"S": "v"}]}}, 1 + 3 + 1 + 1),
    ],
)
def test_an_item_is_as_large_as_dynamodb_documents(item: Item, size: int) -> None:
    assert item_bytes(item) == size


def test_a_unit_is_begun_or_full() -> None:
    assert [units(size, 1024) for size in (0, 1, 1024, 1025)] == [1, 1, 1, 2]


def test_a_new_item_is_written_to_the_table_and_to_each_index_that_has_it() -> None:
    assert taken(None, JOB) == 1
    assert taken(None, JOB, BY_USER, WAITING) == 3
    assert taken(None, {"id": {"S": "a"}}, BY_USER, WAITING) == 1


def test_a_change_is_written_to_an_index_that_keeps_what_changed() -> None:
    changed = {**JOB, "prompt": {"S": "x"}}
    assert taken(JOB, changed, WAITING) == 1
    assert taken(JOB, changed, BY_USER, WAITING) == 2


def test_another_key_of_an_index_is_a_deletion_and_a_write() -> None:
    assert taken(JOB, {**JOB, "waiting": {"S": "ultra"}}, WAITING) == 1 + 2
    assert taken(JOB, {name: JOB[name] for name in ("id", "user", "at")}, WAITING) == 1 + 1


def test_a_transaction_doubles_the_table_and_local_indexes() -> None:
    assert taken(None, JOB, BY_TIME, BY_USER, transaction=True) == 2 + 2 + 1


def test_a_table_stores_its_items_and_what_its_indexes_keep_of_them() -> None:
    table = Table(key=["id"], indexes=[WAITING])
    entry = {name: JOB[name] for name in ("id", "waiting")}
    assert table.stored_bytes([JOB]) == item_bytes(JOB) + 100 + item_bytes(entry) + 100
