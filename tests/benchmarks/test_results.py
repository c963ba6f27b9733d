from __future__ import annotations

import pytest

from benchmarks.suite.results import parse_load

FLOW = (
    '{"connections": 50, "in_flight": 1, "id": 1, "messages": 2000, "rate": 1000.0, '
    '"p50_us": 660.2, "p90_us": 733.0, "p99_us": 925.7, "p999_us": 2424.8, "max_us": 4068.1}'
)
PRINTED = (
    f'{{"seconds": 2.000466, "body": 64, "crc": "zlib", "fast": {FLOW}, "beside": null, '
    '"server_cpu_us": 20000, "load_cpu_us": 493000, "errors": 0, "first_error": ""}\n'
)


def test_what_the_load_generator_prints_is_understood() -> None:
    result = parse_load(PRINTED.encode())

    assert result.fast.rate == 1000.0
    assert result.fast.p99_us == 925.7
    assert result.beside is None
    assert result.cpu_us_per_message == 10.0


def test_connections_beside_are_counted_for_themselves() -> None:
    result = parse_load(PRINTED.replace("null", FLOW).encode())

    assert result.beside
    assert result.beside.messages == 2000
    assert result.cpu_us_per_message == 5.0


@pytest.mark.parametrize("text", [b"", b"Segmentation fault", b'{"seconds": 2.0}'])
def test_anything_else_is_an_error_that_shows_it(text: bytes) -> None:
    with pytest.raises(ValueError, match="printed something else"):
        parse_load(text)
