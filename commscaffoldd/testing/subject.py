"""What is under test: the plugins, and the configuration that they run with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from msgspec import Struct, field

from commscaffoldd.config.schema import Config
from commscaffoldd.plugin.discovery import Source
from commscaffoldd.plugin.host import PluginHost, load_sources
from commscaffoldd.testing.configuration import make_config, merged, sections_of
from commscaffoldd.testing.sources import Named, SubjectError, find_sources, plugin_around
from commscaffoldd.worker.plugins import check_ids

_USAGE = "write @pytest.mark.commscaffoldd(plugins=[...], config={...}, settings={...})"


class Wish(Struct, frozen=True):
    """What a test asks for.

    Attributes:
        plugins: paths, or names of installed plugins; `None`: it does not say.
        config: sections of the configuration.
        settings: the plugin's own, if there is one.
    """

    plugins: Sequence[Named] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Sequence[object], keywords: Mapping[str, Any]) -> Self:
        """A marker's arguments. Raises SubjectError if they are something else."""
        unknown = [name for name in keywords if name not in cls.__struct_fields__]
        if arguments or unknown:
            found = ", ".join([*(repr(one) for one in arguments), *(f"{name}=" for name in unknown)])
            raise SubjectError(f"the marker commscaffoldd does not take {found}: {_USAGE}")
        wish = cls(**keywords)
        if isinstance(wish.plugins, str) or not isinstance(wish.plugins, Sequence | None):
            raise SubjectError(f"plugins={wish.plugins!r}: expected a list of paths or names: {_USAGE}")
        for name in ("config", "settings"):
            if not isinstance(getattr(wish, name), Mapping):
                raise SubjectError(f"{name}={getattr(wish, name)!r}: expected a dict: {_USAGE}")
        return wish


class Subject(Struct, frozen=True):
    """Plugins and configuration, found and checked; the plugins are not loaded yet.

    Attributes:
        sources: the plugins by name.
        config: with the plugins' settings.
    """

    sources: dict[str, Source]
    config: Config

    @classmethod
    def of(cls, wish: Wish, folders: Sequence[Path], config_file: Path | None = None) -> Self:
        """The subject that a wish, which names plugins, describes.

        Args:
            wish: what is asked for.
            folders: relative paths are taken from the first of these in which they exist.
            config_file: a daemon's configuration to begin with.

        Raises:
            SubjectError: a plugin is not there, or there are settings for one plugin, and not one plugin.
            ConfigErrors: something in the configuration is wrong.
        """
        sources = find_sources(wish.plugins or (), folders)
        sections = sections_of(config_file, sources) if config_file is not None else {}
        sections = merged(sections, wish.config)
        if wish.settings:
            if len(sources) != 1:
                raise SubjectError(
                    f"settings= are those of one plugin, and there are {len(sources)} "
                    f'({", ".join(sources)}): write config={{"plugin": {{"NAME": {{...}}}}}}'
                )
            sections = merged(sections, {"plugin": {next(iter(sources)): wish.settings}})
        return cls(sources, make_config(sections, folders[0]))

    @classmethod
    def find(
        cls, wish: Wish, *, file: Path, top: Path, base: Path, default_plugins: Sequence[str], config_file: str
    ) -> Self:
        """The subject of a test.

        Args:
            wish: what its markers ask for.
            file: the test's.
            top: pytest's root folder.
            base: the ini file's folder.
            default_plugins: those of the ini file.
            config_file: the one that the ini file names, or empty.

        Raises:
            SubjectError: no plugin is named, and the test lies in none; else as `of`.
            ConfigErrors: as `of`.
        """
        plugins: Sequence[Named] = wish.plugins if wish.plugins is not None else default_plugins
        if not plugins and wish.plugins is None:
            around = plugin_around(file, top)
            if around is None:
                raise SubjectError(
                    f"which plugin is under test? {file.name} does not lie in the folder of one, and none is "
                    'named: write @pytest.mark.commscaffoldd(plugins=["plugins/NAME"]), or commscaffoldd_plugins '
                    "in the ini file"
                )
            plugins = [around]
        named = Wish(plugins, wish.config, wish.settings)
        return cls.of(named, [file.parent, base], base / config_file if config_file else None)

    def load(self) -> PluginHost:
        """Load the plugins as a worker does.

        Raises:
            PluginErrors: all that is wrong with them.
        """
        host = load_sources(self.sources, [], (), self.config.plugin)
        check_ids(self.config, host)
        return host
