from __future__ import annotations

from commscaffoldd.cli.body import hex_dump, read_body


def test_text_is_the_bytes_that_were_typed() -> None:
    assert read_body("grüße") == "grüße".encode()
    assert read_body("\udcff") == b"\xff"  # how Python hands over an argument that is not UTF-8


def test_a_dump_has_lines_of_sixteen_bytes() -> None:
    assert hex_dump(b"0123456789abcdef\n") == (
        f"00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|\n00000010  {'0a':<48} |.|\n"
    )
    assert hex_dump(b"") == ""
