from __future__ import annotations

from commscaffoldd.cli.table import pairs, table


def test_columns_are_aligned_and_marked_ones_flush_right() -> None:
    assert table([">N", "NAME", ">SIZE"], [["1", "a", "10"], ["22", "bcdef", "9"]]) == [
        " N  NAME   SIZE",
        " 1  a        10",
        "22  bcdef     9",
    ]


def test_no_rows_leave_the_heads() -> None:
    assert table([">N", "NAME"], []) == ["N  NAME"]


def test_pairs_are_aligned_and_an_empty_name_continues() -> None:
    assert pairs([("a", "1"), ("long", "2"), ("", "3")]) == ["a     1", "long  2", "      3"]
    assert pairs([]) == []
