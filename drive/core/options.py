"""Options declared once: the fields of a config dataclass, with their help texts and checks."""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

from drive.core.errors import InputError, unknown_name
from drive.core.texts import as_written

KEY = "option"

Check = Callable[[Any], str | None]
"""Returns what a value must be, such as "must be at least 1"; None if it is valid."""


class OptionError(InputError):
    """An option has an invalid value: the name of the field, and what it must be and is."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name, self.problem = name, problem


@dataclass(frozen=True, slots=True)
class Option:
    """How a field of a config is shown and checked.

    `check` is the rule that a value other than None must meet; `flag` the name on the command line,
    if it is not the field's; `bare` the value of a flag without one (`--tiles`). Only `--help-all`
    shows an `advanced` option; `--resume` accepts a new value of a `resumable` one. The help says
    `shown_default` instead of the default; nothing if it is empty. A text may be given as a number
    or a list if the metavar shows several forms (`N|COLSxROWS`, `NAME[,NAME]`).
    """

    help: str
    metavar: str | tuple[str, ...] | None = None
    check: Check | None = None
    flag: str = ""
    choices: tuple[str, ...] | None = None
    advanced: bool = False
    positional: bool = False
    bare: str | None = None
    resumable: bool = False
    shown_default: str | None = None


def option(
    default: Any = MISSING,
    help: str = "",  # noqa: A002
    metavar: str | tuple[str, ...] | None = None,
    check: Check | None = None,
    **settings: Any,
) -> Any:
    """Declare a field of a config; the arguments after the default are the attributes of `Option`.

    Example:
        >>> epochs: int = option(40, "maximum number of epochs", "N", at_least(1))
    """
    declared = Option(help, metavar, check, **settings)
    keywords: dict[str, Any] = {"kw_only": False} if declared.positional else {}
    return dataclasses.field(default=default, metadata={KEY: declared}, **keywords)


rare_option = partial(option, advanced=True)
"""Declares a field that only `--help-all` shows."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all configs: checks every field, and reads and writes plain settings.

    `group` is the heading of the options of a class in the help, and `place` its position. `rare`
    names fields of the bases that only `--help-all` shows for this command.
    """

    group: ClassVar[str] = "options"
    place: ClassVar[int] = 0
    summary: ClassVar[str] = ""
    example: ClassVar[str] = ""
    rare: ClassVar[tuple[str, ...]] = ()
    _fields: ClassVar[tuple[OptionField, ...]]

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Note which fields are passed; see `given`."""
        config = super().__new__(cls)
        names = [each.name for each in fields_of(cls)]
        positional = [name for name in names if name not in named][: len(values)]
        object.__setattr__(config, "_passed", frozenset((*positional, *named)))
        return config

    def __post_init__(self) -> None:
        for declared in fields_of(type(self)):
            value = checked_value(declared, getattr(self, declared.name))
            object.__setattr__(self, declared.name, value)

    def settings(self) -> dict[str, object]:
        """Return the values by field name, as JSON can hold them."""
        return {each.name: getattr(self, each.name) for each in fields_of(type(self))}

    @property
    def given(self) -> frozenset[str]:
        """The fields that were passed, even if with their default value.

        A copy by `dataclasses.replace` passes all; then those that differ from the defaults.
        """
        passed: frozenset[str] = getattr(self, "_passed", frozenset())
        everything = {each.name for each in fields_of(type(self))}
        return frozenset(self.changed()) if everything <= passed else passed

    def changed(self) -> dict[str, object]:
        """Return the values that differ from the defaults."""
        return {
            each.name: value
            for each in fields_of(type(self))
            if (value := getattr(self, each.name)) != each.default
        }

    @classmethod
    def resumable(cls) -> list[str]:
        """Return the fields that may change when a run is resumed; others stay as it was asked."""
        return [each.name for each in fields_of(cls) if each.option.resumable]

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], source: str = "settings") -> Self:
        """Build a config from plain settings: of `run.json`, of a TOML file `source`.

        Keys are names of fields or flags; `-` and `_` mean the same, and `no_video = true` means
        `video = false`.

        Raises:
            InputError: a key is unknown, or a value is invalid; names `source`.
        """
        known = aliases(cls)
        values: dict[str, Any] = {}
        for key, value in settings.items():
            name, negated = known.get(key.replace("-", "_"), (None, False))
            if name is None:
                names = sorted(each.key for each in fields_of(cls))
                raise InputError(f"{source}: {unknown_name('option', key, names)}")
            values[name] = not value if negated else value
        return cls(**values)


@dataclass(frozen=True, slots=True)
class OptionField:
    """A field of a config with its declaration; `many` if it holds a tuple of `kind`.

    `default` is `dataclasses.MISSING` if it must be given; `group` and `place` are of the heading.
    """

    name: str
    kind: type
    many: bool
    optional: bool
    default: Any
    option: Option
    group: str
    place: int

    @property
    def flag(self) -> str:
        """The option on the command line; `--no-NAME` for what is on by default."""
        no = "no-" if self.kind is bool and self.default is True else ""
        return self.option.flag or f"--{no}{self.name.replace('_', '-')}"

    @property
    def shown(self) -> str:
        """The name for people: of the flag, or of the argument."""
        if self.option.positional:
            return str(self.option.metavar or self.name.upper())
        return self.flag

    @property
    def key(self) -> str:
        """The name in a TOML file: the flag without dashes in front."""
        return self.flag.removeprefix("--")


def fields_of(config: type[Config]) -> tuple[OptionField, ...]:
    """Return the declared fields of a config, base classes first."""
    if "_fields" not in config.__dict__:
        hints = get_type_hints(config)
        config._fields = tuple(
            _described(each, hints[each.name], config)
            for each in dataclasses.fields(config)
            if KEY in each.metadata
        )
    return config._fields


def aliases(config: type[Config]) -> dict[str, tuple[str, bool]]:
    """Return the field of each accepted key, and whether the key negates it."""
    known: dict[str, tuple[str, bool]] = {}
    for each in fields_of(config):
        if each.kind is bool:
            known[f"no_{each.name}"] = (each.name, True)
        flag = each.option.flag.removeprefix("--").replace("-", "_")
        known[flag or each.name] = known[each.name] = (each.name, False)
    return known


def command_line(command: str, config: Config) -> list[str]:
    """Return the words of the command line that gives this config."""
    words = ["drive", command]
    flags: list[str] = []
    for each in fields_of(type(config)):
        value = getattr(config, each.name)
        if value == each.default or value is None:
            continue
        values = [str(one) for one in value] if each.many else [str(value)]
        if each.option.positional:
            words += values
        elif each.kind is bool:
            flags.append(each.flag if value != (each.default is True) else f"--no-{each.key}")
        elif values[0].startswith("-"):
            flags.append(f"{each.flag}={values[0]}")
        else:
            flags += [each.flag, *values]
    return words + flags


def checked_value(declared: OptionField, value: object) -> object:
    """Return a value in its usual form (paths as text, lists as tuples); refuse an invalid one."""
    if value is None:
        if not declared.optional:
            raise OptionError(declared.name, "must be given; got None")
        return None
    values = _values(value, declared)
    if declared.many and declared.default is MISSING and not values:
        raise OptionError(declared.name, "must be given; got none")
    for one in values:
        if problem := _problem(declared, one):
            shown = int(one) if isinstance(one, float) and one.is_integer() else one
            raise OptionError(declared.name, f"{problem}; got {as_written(shown)}")
    return values if declared.many else values[0]


def at_least(low: float) -> Check:
    """Accept numbers from `low` on."""
    return lambda value: None if low <= value else f"must be at least {low:g}"


def above(low: float, high: float = math.inf) -> Check:
    """Accept numbers above `low`, and at most `high`."""
    upper = f" and at most {high:g}" if high < math.inf else ""
    return lambda value: None if low < value <= high else f"must be above {low:g}{upper}"


def between(low: float, high: float) -> Check:
    """Accept numbers from `low` to `high`."""
    return lambda value: None if low <= value <= high else f"must be from {low:g} to {high:.10g}"


def from_below(low: float, high: float) -> Check:
    """Accept numbers from `low` to below `high`."""
    return lambda value: None if low <= value < high else f"must be from {low:g} to below {high:g}"


def _described(each: dataclasses.Field[Any], hint: Any, config: type[Config]) -> OptionField:
    kinds = _alternatives(hint)
    optional = type(None) in kinds
    many = any(get_origin(kind) in (tuple, Sequence) for kind in kinds)
    singles = [get_args(kind)[0] if get_origin(kind) else kind for kind in kinds]
    kind = next(one for one in (bool, int, float, str) if one in singles)
    declared = each.metadata[KEY]
    if each.name in config.rare:
        declared = dataclasses.replace(declared, advanced=True)
    homes = (base for base in config.__mro__ if each.name in inspect.get_annotations(base))
    home = next(homes).__dict__  # of the class that declares it
    group, place = home.get("group", Config.group), home.get("place", Config.place)
    return OptionField(each.name, kind, many, optional, each.default, declared, group, place)


def _alternatives(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _values(value: object, declared: OptionField) -> tuple[object, ...]:
    """The values in their usual form: paths become text, numbers those of Python."""
    single = isinstance(value, str | bytes | os.PathLike | Mapping)
    if declared.many and isinstance(value, Iterable) and not single:
        return tuple(_single(one, declared) for one in value)
    return (_single(value, declared),)


def _single(value: object, declared: OptionField) -> object:
    if declared.kind is str:
        return _text(value, declared)
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    if declared.kind is int and isinstance(value, Integral):
        return int(value)
    try:
        number = float(value)
    except OverflowError:
        return value
    return int(number) if declared.kind is int and number.is_integer() else number


def _text(value: object, declared: OptionField) -> object:
    """The text of a path; of a number or a list where the option takes them."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    metavar = declared.option.metavar or ""
    several = isinstance(metavar, str) and ("|" in metavar or "," in metavar)
    if several and value and isinstance(value, list | tuple):
        texts = [_text(one, declared) for one in value]
        return ",".join(map(str, texts)) if all(isinstance(one, str) for one in texts) else value
    if isinstance(value, bool) or not (several or metavar == "SOURCE"):
        return value
    return str(value) if isinstance(value, Real if several else Integral) else value


def _problem(declared: OptionField, value: object) -> str | None:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    wanted = declared.kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        return f"must be {words[wanted]}"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, str) and "\0" in value:
        return "must be text without null bytes"
    choices = declared.option.choices
    if choices and value not in choices:
        return f"must be one of {', '.join(choices)}"
    return declared.option.check(value) if declared.option.check else None
