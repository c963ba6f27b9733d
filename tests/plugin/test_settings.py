from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import pytest

from commscaffoldd.plugin.errors import SettingsError
from commscaffoldd.plugin.settings import read_settings

if TYPE_CHECKING:
    from tests.plugin.conftest import Workshop


class Example(msgspec.Struct, forbid_unknown_fields=True):
    database: str
    attempts: Annotated[int, msgspec.Meta(ge=1)] = 10

    def __post_init__(self) -> None:
        if self.database == "nowhere":
            raise ValueError("a database is somewhere")


def test_defaults_and_given_values() -> None:
    assert read_settings(Example, {"database": "x"}) == Example("x", 10)
    assert read_settings(Example, {"database": "x", "attempts": 2}) == Example("x", 2)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(Example, {"databse": "x", "attempts": 0})

    assert str(caught.value) == (
        'databse: unknown key; did you mean "database"?; database is missing; allowed: a string; '
        "attempts: found 0; allowed: an integer at least 1"
    )


def test_what_the_struct_itself_refuses() -> None:
    with pytest.raises(SettingsError, match=r"^a database is somewhere$"):
        read_settings(Example, {"database": "nowhere"})


PLUGIN = """
import msgspec
from commscaffoldd.plugin.api import hookimpl
from commscaffoldd.plugin.settings import read_settings

class Settings(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 1

@hookimpl
def create_plugin(settings):
    {how}
"""


@pytest.mark.parametrize(
    ("how", "settings", "error"),
    [
        (
            "read_settings(Settings, settings)",
            {"sise": 2, "size": "x"},
            ('[plugin.mine]: sise: unknown key; did you mean "size"?; size: found "x"; allowed: an integer'),
        ),
        (
            "msgspec.convert(settings, Settings)",
            {"size": "x"},
            "Expected `int`, got `str` - at `[plugin.mine] size`",
        ),
        (
            "msgspec.convert(settings, Settings)",
            {"sise": 1},
            "[plugin.mine]: Object contains unknown field `sise`",
        ),
    ],
)
def test_the_error_names_the_table_and_the_plugins_line(
    shop: Workshop, how: str, settings: dict[str, object], error: str
) -> None:
    shop.write("mine.py", PLUGIN.format(how=how))

    assert shop.errors(mine=settings) == [f"plugin mine: mine.py:10: create_plugin failed: {error}"]
