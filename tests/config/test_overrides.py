from __future__ import annotations

from pathlib import Path

from commscaffoldd.config.dump import dump
from commscaffoldd.config.load import parse
from commscaffoldd.config.overrides import DEVELOPMENT, with_overrides

FILE = Path("/somewhere/x.toml")


def test_development_has_one_worker_and_a_log_to_read() -> None:
    config = with_overrides(parse('[log]\nfile = "/var/log/x"\nformat = "json"\n', FILE), DEVELOPMENT)
    assert config.worker_count == 1
    assert (config.log.file, config.log.level, config.log.format) == ("", "debug", "terminal")


def test_workers_that_the_file_asks_for_stay() -> None:
    assert with_overrides(parse("[daemon]\nworkers = 3\n", FILE), DEVELOPMENT).worker_count == 3


def test_what_is_in_effect_goes_along_and_is_no_part_of_the_file() -> None:
    config = with_overrides(parse("", FILE), DEVELOPMENT)
    assert with_overrides(parse("", FILE), config.overrides) == config
    assert "overrides" not in dump(config)
