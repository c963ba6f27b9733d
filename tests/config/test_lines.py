"""Each key has the line on which a person would look for it."""

from __future__ import annotations

import tomli
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.config.lines import locate_keys

TEXT = '''\
# a comment = "with things in it"
top = 1
[daemon]   # [not.a.header]
workers = 0
path = [
    "a", # ]
    "b]",
]
text = """
[listen]
key = 3 \\""" still inside
"""
after.the."long one" = 'x = 1'
[[listen]]
address = "a"
[[listen]]
address = "b"
[listen.tls]
key = 1
[ plugin . "a.b" ]
table = { x = 1, y = [1, 2] }
last = 1'''


def test_keys_headers_and_arrays_of_tables_have_their_lines() -> None:
    tomli.loads(TEXT)
    assert locate_keys(TEXT) == {
        ("top",): 2,
        ("daemon",): 3,
        ("daemon", "workers"): 4,
        ("daemon", "path"): 5,
        ("daemon", "text"): 9,
        ("daemon", "after"): 13,
        ("daemon", "after", "the"): 13,
        ("daemon", "after", "the", "long one"): 13,
        ("listen",): 14,
        ("listen", 0): 14,
        ("listen", 0, "address"): 15,
        ("listen", 1): 16,
        ("listen", 1, "address"): 17,
        ("listen", 1, "tls"): 18,
        ("listen", 1, "tls", "key"): 19,
        ("plugin",): 20,
        ("plugin", "a.b"): 20,
        ("plugin", "a.b", "table"): 21,
        ("plugin", "a.b", "last"): 22,
    }


@given(text=st.text() | st.text(alphabet="[]{}='\"\\#.\na1, "))
def test_any_text_ends_without_an_exception(text: str) -> None:
    lines = locate_keys(text).values()
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


def test_a_long_text_is_read_in_one_pass() -> None:
    text = "".join(f"key{number} = [{{ a = '''\n''' }}]\n" for number in range(20_000))
    assert locate_keys(text)["key19999",] == 39_999
