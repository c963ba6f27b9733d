"""Names for generated code."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commscaffoldd.catalogue.naming import PYTHON_RESERVED, camel, pascal, snake, type_name, unique, upper


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LoginRequest", ("login_request", "loginRequest", "LoginRequest", "LOGIN_REQUEST")),
        ("get_HTTPStatus2", ("get_http_status_2", "getHTTPStatus2", "GetHTTPStatus2", "GET_HTTP_STATUS_2")),
        (
            "tests.bodies.Answer",
            ("tests_bodies_answer", "testsBodiesAnswer", "TestsBodiesAnswer", "TESTS_BODIES_ANSWER"),
        ),
        ("2fast", ("_2_fast", "_2Fast", "_2Fast", "_2_FAST")),
        ("ümlaut", ("mlaut", "mlaut", "Mlaut", "MLAUT")),
        ("", ("x", "x", "X", "X")),
    ],
)
def test_styles(text: str, expected: tuple[str, ...]) -> None:
    assert (snake(text), camel(text), pascal(text), upper(text)) == expected


@given(st.text())
def test_any_text_becomes_an_identifier(text: str) -> None:
    for style in (snake, camel, pascal, upper):
        assert style(text).isidentifier()
        assert style(text).isascii()


def test_a_type_of_which_there_are_two_has_its_module_in_front_without_the_package_of_all_plugins() -> None:
    assert type_name("GreetRequest") == "GreetRequest"
    assert type_name("commscaffoldd_plugins.hello.messages.GreetRequest") == "HelloMessagesGreetRequest"


def test_names_that_collide_all_get_their_addition() -> None:
    assert unique([("greet", "10"), ("say", "11"), ("greet", "12")], ()) == ["greet_10", "say", "greet_12"]


def test_reserved_names_are_changed() -> None:
    assert unique([("class", "7"), ("import", "")], PYTHON_RESERVED) == ["class_7", "import_"]


@given(st.lists(st.tuples(st.sampled_from(["a", "a_1", "a_", "class"]), st.sampled_from(["", "1", "2"]))))
def test_every_name_is_used_once(wanted: list[tuple[str, str]]) -> None:
    names = unique(wanted, PYTHON_RESERVED)
    assert len(set(names)) == len(names) == len(wanted)
    assert not any(keyword.iskeyword(name) for name in names)
