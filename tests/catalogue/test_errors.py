"""The codes of error replies."""

from __future__ import annotations

from commscaffoldd.catalogue.errors import ERROR_CODES
from commscaffoldd.client.errors import MEANINGS
from commscaffoldd.core import endpoint


def test_every_code_of_the_daemon_is_explained_and_named_as_the_client_names_it() -> None:
    codes = {value for name, value in vars(endpoint).items() if name.isupper() and not name.startswith("_")}
    assert {one.code for one in ERROR_CODES} == codes
    assert {one.code: one.name for one in ERROR_CODES} == MEANINGS
    assert all(one.meaning.endswith(".") for one in ERROR_CODES)
