"""Loading one plugin: import, `create_plugin`, then everything that it has marked, checked."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from commscaffoldd.plugin.declared import PluginSettings
from commscaffoldd.plugin.discovery import Source
from commscaffoldd.plugin.errors import PluginError, from_exception
from commscaffoldd.plugin.forms import check_middleware, check_timer
from commscaffoldd.plugin.handlers import Handler, read_handlers
from commscaffoldd.plugin.hooks import HookCall, check_hook, hook_call, hook_name
from commscaffoldd.plugin.scan import Marked, functions_of, hidden_functions, modules_of, unused_classes


@dataclasses.dataclass(slots=True)
class LoadedPlugin:
    """What was found in one plugin. One with `errors` is still checked against the others."""

    name: str
    root: Path
    settings: PluginSettings
    handlers: list[Handler] = dataclasses.field(default_factory=list)
    hooks: list[tuple[HookCall, Marked]] = dataclasses.field(default_factory=list)
    middlewares: list[Marked] = dataclasses.field(default_factory=list)
    timers: list[Marked] = dataclasses.field(default_factory=list)
    errors: list[PluginError] = dataclasses.field(default_factory=list)


def load_plugin(source: Source, settings: Mapping[str, Any]) -> LoadedPlugin:
    """Load a plugin; never raises for what the plugin does."""
    # A copy: what a plugin does to its settings is its own business.
    plugin = LoadedPlugin(source.name, source.root, PluginSettings(source.name, copy.deepcopy(dict(settings))))
    try:
        content = source.load()
    except BaseException as error:  # noqa: BLE001  sys.exit() in a plugin must not end the daemon
        plugin.errors.append(from_exception(plugin.name, plugin.root, error, "cannot be imported"))
        return plugin
    try:
        _take_apart(plugin, content)
    except BaseException as error:  # noqa: BLE001  looking at objects of a plugin's can run its code
        plugin.errors.append(from_exception(plugin.name, plugin.root, error, "cannot be looked at"))
    return plugin


def _take_apart(plugin: LoadedPlugin, content: object) -> None:
    if isinstance(content, type):
        plugin.errors.append(
            PluginError(plugin.name, f"its entry point names the class {content.__name__}: name its module")
        )
        return
    if not isinstance(content, ModuleType):
        plugin.errors += plugin.settings.declare(_wanted(functions_of(content)))
        _take(plugin, [content])
        return
    modules = modules_of(content)
    functions = [marked for module in modules for marked in functions_of(module)]
    plugin.errors += plugin.settings.declare(_wanted(functions))
    created = _create(plugin, [marked for marked in functions if hook_name(marked) == "create_plugin"])
    if created is not None:
        plugin.errors += plugin.settings.declare(_wanted(functions_of(created)))
    # Again: create_plugin may have imported more of its package.
    modules = modules_of(content)
    if not plugin.errors:
        for kind, marked in unused_classes(modules, created):
            plugin.errors.append(
                PluginError(
                    plugin.name,
                    f"{marked.qualname} is marked, but never used: create_plugin must return an "
                    f"instance of {kind.__name__} (in a module: @hookimpl, then def create_plugin(settings))",
                    marked.file,
                    marked.line,
                )
            )
    contents: list[object] = [*modules, created] if created is not None else [*modules]
    plugin.errors += [
        PluginError(
            plugin.name,
            f"{marked.qualname} is marked, but another decorator above hides that: put @handler, @hookimpl, "
            "@middleware and @every above all others",
            marked.file,
            marked.line,
        )
        for marked in hidden_functions(contents)
    ]
    _take(plugin, contents)


def _wanted(functions: Iterable[Marked]) -> list[Marked]:
    return [marked for marked in functions if marked.is_marked]


def _create(plugin: LoadedPlugin, creators: list[Marked]) -> object:
    creators = list({id(creator.function): creator for creator in creators}.values())
    if not creators:
        return None
    first, *others = creators
    for other in others:
        plugin.errors.append(
            PluginError(
                plugin.name,
                f"there is a second create_plugin: {first.place} is the first; a plugin has one",
                other.file,
                other.line,
            )
        )
    if plugin.errors or others or check_hook(plugin.name, first):
        return None  # `_take` reports what is wrong with it
    call = hook_call(plugin.name, plugin.root, plugin.settings.given_to(first.function), first)
    try:
        created = call({})
    except BaseException as error:  # noqa: BLE001  whatever it is, it becomes the reason
        plugin.errors.append(from_exception(plugin.name, plugin.root, error, "create_plugin failed"))
        return None
    if created is not None and (isinstance(created, type) or not _has_marks(created)):
        what = f"the class {created.__name__}" if isinstance(created, type) else f"a {type(created).__name__}"
        plugin.errors.append(
            PluginError(
                plugin.name,
                f"create_plugin returned {what}; it must return an object with @handler, @hookimpl, "
                "@middleware or @every methods, or None",
                first.file,
                first.line,
            )
        )
        return None
    return created


def _has_marks(created: object) -> bool:
    return any(m.is_marked for m in functions_of(created))


def _take(plugin: LoadedPlugin, contents: list[object]) -> None:
    found: dict[int, Marked] = {}  # a function can be in several modules of a package, by import
    for content in contents:
        for marked in functions_of(content):
            if found.setdefault(id(marked.function), marked) is not marked:
                continue
            _take_one(plugin, marked)
            if hook_name(marked) == "create_plugin" and not isinstance(content, ModuleType):
                plugin.errors.append(
                    PluginError(
                        plugin.name,
                        f"{marked.qualname}: create_plugin is a function of the module, not a method",
                        marked.file,
                        marked.line,
                    )
                )
    if not (plugin.handlers or plugin.hooks or plugin.middlewares or plugin.timers or plugin.errors):
        plugin.errors.append(
            PluginError(
                plugin.name,
                "has no @handler, @hookimpl, @middleware or @every; if it is not a plugin, let its name start with _ "
                "(in a package those modules count that its __init__.py imports)",
                plugin.root,
            )
        )


def _take_one(plugin: LoadedPlugin, marked: Marked) -> None:
    if error := check_hook(plugin.name, marked):
        plugin.errors.append(error)
    elif marked.hook is not None:
        settings = plugin.settings.given_to(marked.function)
        plugin.hooks.append((hook_call(plugin.name, plugin.root, settings, marked), marked))
    if marked.middleware is not None:
        plugin.middlewares.append(marked)
        plugin.errors += filter(None, [check_middleware(plugin.name, marked)])
    if marked.timer is not None:
        plugin.timers.append(marked)
        plugin.errors += filter(None, [check_timer(plugin.name, marked)])
    if marked.handlers:
        handlers, errors = read_handlers(plugin.name, marked)
        plugin.handlers += handlers
        plugin.errors += errors
