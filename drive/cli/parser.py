"""A command line made from the fields of a config dataclass."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from drive.cli.console import write_out
from drive.core.errors import InputError, MissingFileError, nearest_name, unknown_name
from drive.core.options import Config, OptionError, OptionField, aliases, checked_value, fields_of
from drive.core.texts import parse_toml, read_text

ConfigT = TypeVar("ConfigT", bound=Config)

Settings = dict[str, Any]
"""Values of a config by field name."""

ARGUMENTS, OPTIONS, COMMON = "arguments", "options", "common options"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `InputError`s: one line of plain English."""

    flags: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, and where to read on."""
        option, _, problem = message.removeprefix("argument ").partition(": ")
        if option == "unrecognized arguments":
            option, problem = "", self._unknown(problem.split()[0])
        elif problem == "expected one argument":
            problem = f"requires a value (write one that starts with - as {option}=VALUE)"
        elif problem.startswith("expected "):
            problem = problem.replace("expected", "requires").replace("argument", "value")
        text = f"{option} {problem}".strip()
        raise InputError(f"{text}{'' if text.endswith('?') else '.'} See {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:
        write_out(message)

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"unexpected argument {word!r} (write arguments before the options)"
        near = nearest_name(word.partition("=")[0], self.flags)
        return f"unknown option {word}" + (f". Did you mean {near}?" if near else "")


class _HelpAll(argparse.Action):
    """`--help-all`: the help with the advanced options."""

    def __init__(self, full: Parser, **settings: Any) -> None:
        super().__init__(nargs=0, **settings)
        self._full = full

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        self._full.print_help()
        parser.exit()


def make_parser(program: str, config: type[Config]) -> Parser:
    """Return the parser of a command; `program` is how it is called, such as `drive detect`."""
    full = _bare_parser(program, config, None)
    if any(each.option.advanced for each in fields_of(config)):
        return _bare_parser(program, config, full)
    full.add_argument("--help-all", action="help", help=argparse.SUPPRESS)
    return full


def parse(parser: Parser, config: type[ConfigT], arguments: Sequence[str]) -> Settings:
    """Return the settings of a command line, over those of `--config`."""
    given = vars(parser.parse_args(arguments))
    path = given.pop("config", None)
    return {**(_from_file(path, parser, config) if path else {}), **given}


def build(config: type[ConfigT], settings: Settings) -> ConfigT:
    """Return the config of parsed settings; name options as the command line does."""
    missing = None
    try:
        for each in fields_of(config):
            if each.name in settings:
                checked_value(each, settings[each.name])
            elif each.default is MISSING:
                missing = missing or each
        if missing:
            raise InputError(f"{missing.shown} is missing: {missing.option.help}")
        return config(**settings)
    except OptionError as error:
        raise InputError(_complaint(config, error)) from None


def _bare_parser(program: str, config: type[Config], full: Parser | None) -> Parser:
    """The parser of a command; with `full`, which shows all options, it hides the advanced ones."""
    declared = sorted(fields_of(config), key=lambda each: (each.place, each.group != OPTIONS))
    named = [each for each in declared if each.option.positional]
    parser = Parser(
        prog=program,
        usage=" ".join(["%(prog)s [OPTION ...]", *map(_shown_argument, named)]),
        description=config.summary,
        epilog=f"example:\n  {program.rpartition(' ')[0]} {config.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
    )
    groups: dict[str, argparse._ActionsContainer] = {}
    for each in named + [each for each in declared if each not in named]:
        hidden = full is not None and each.option.advanced
        title = ARGUMENTS if each.option.positional else each.group
        if title not in groups and not hidden:
            groups[title] = parser.add_argument_group(title)
        _add(groups.get(title, parser), each, hidden)
    common = groups.get(COMMON) or parser.add_argument_group(COMMON)
    _add_common(common)
    parser.flags = tuple(each.flag for each in declared if not each.option.positional)
    if full is not None:
        help_text = "show the advanced options too"
        common.add_argument("--help-all", action=_HelpAll, full=full, help=help_text)
    return parser


def _add_common(group: argparse._ActionsContainer) -> None:
    text = "read options from a TOML file; command-line options take precedence"
    group.add_argument("--config", metavar="FILE.toml", help=text)
    group.add_argument("--quiet", action="store_true", help="show warnings only")
    text = "print the results as one JSON object on the last line"
    group.add_argument("--json", action="store_true", help=text)
    group.add_argument("-h", "--help", action="help", help="show this help")


def _shown_argument(each: OptionField) -> str:
    name = f"{each.shown} ..." if each.many else each.shown
    return f"[{name}]" if each.default is not MISSING else name


def _add(group: argparse._ActionsContainer, each: OptionField, hidden: bool) -> None:
    declared = each.option
    text = argparse.SUPPRESS if hidden else _help(each)
    metavar, kind = declared.metavar, _reader(each)
    if declared.positional:
        nargs = "*" if each.many else "?"  # `build` says which one is missing
        group.add_argument(each.name, metavar=metavar, type=kind, nargs=nargs, help=text)
    elif each.kind is bool and each.optional:
        names = [each.flag, f"--no-{each.key}"]
        group.add_argument(*names, dest=each.name, action=_OnOff, nargs=0, help=text)
    elif each.kind is bool:
        store = "store_false" if each.default is True else "store_true"
        group.add_argument(each.flag, dest=each.name, action=store, help=text)
    else:
        if declared.choices and not metavar:
            metavar = f"{{{','.join(declared.choices)}}}"
        action = group.add_argument(
            each.flag, dest=each.name, type=kind, metavar=metavar, help=text
        )
        action.nargs, action.const = _count(each), declared.bare


def _count(each: OptionField) -> int | str | None:
    """How many values an option takes, as argparse writes it."""
    metavar = each.option.metavar
    if each.many:
        return len(metavar) if isinstance(metavar, tuple) else "+"
    return None if each.option.bare is None else "?"


class _OnOff(argparse.Action):
    """`--NAME` and `--no-NAME` of an option that is undecided by default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        wanted = not str(option_string).startswith("--no-")
        if getattr(namespace, self.dest, wanted) is not wanted:
            other = next(name for name in self.option_strings if name != option_string)
            raise argparse.ArgumentError(None, f"{option_string} does not go with {other}")
        setattr(namespace, self.dest, wanted)


def _reader(each: OptionField) -> Callable[[str], object]:
    """The function that reads the text of a value; text that is invalid stays text."""

    def read(text: str) -> object:
        try:
            return each.kind(text)
        except ValueError:
            return text

    return read


def _help(each: OptionField) -> str:
    text = each.option.help.replace("%", "%%")
    shown = each.option.shown_default
    if shown is None:
        unset = each.default is MISSING or each.default in (None, (), "") or each.kind is bool
        shown = "" if unset else f"{each.default:g}" if each.kind is float else str(each.default)
    return f"{text} (default: {shown})" if shown else text


def _complaint(config: type[Config], error: OptionError) -> str:
    """The error in the words of the command line."""
    by_name = {each.name: each for each in fields_of(config)}
    each = by_name.get(error.name)
    text = f"{each.shown if each else error.name} {error.problem}"
    first = next((one for one in by_name.values() if one.option.positional), None)
    if each is None or each.option.bare is None or first is None:
        return text
    return f"{text} (write {first.shown} before {each.flag})"


def _from_file(path: str, parser: Parser, config: type[Config]) -> Settings:
    """Read the values of `--config FILE.toml`."""
    try:
        table = parse_toml(read_text(Path(path), pipes=True), path)
    except MissingFileError:
        raise MissingFileError(f"--config: there is no file {path}") from None
    except InputError as error:
        raise InputError(f"--config: {error}") from None
    settings: Settings = {}
    known = aliases(config) | {"quiet": ("quiet", False), "json": ("json", False)}
    for key, value in table.items():
        name, negated = known.get(key.replace("-", "_"), (None, False))
        if name is None:
            names = sorted(each.key for each in fields_of(config))
            raise InputError(f"{path}: {unknown_name('option', key, names)}")
        settings[name] = _checked(config, name, value, f"{path}: {key}", negated)
    return settings


def _checked(config: type[Config], name: str, value: object, where: str, negated: bool) -> object:
    """The value as the command line would have read it."""
    each = next((one for one in fields_of(config) if one.name == name), None)
    if each is None or each.kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{where} must be true or false; got {value!r}")
        return not value if negated else value
    try:
        return checked_value(each, value)
    except OptionError as error:
        raise InputError(f"{where} {error.problem}") from None
