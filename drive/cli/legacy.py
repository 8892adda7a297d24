"""Commands that are not tasks yet; goes when the last one is converted."""

from __future__ import annotations

import argparse
from types import ModuleType

from drive.cli.commands import program
from drive.tasks._common import Context, Parser, add_common_options, apply_config_file


def run_legacy(name: str, module: ModuleType, arguments: list[str]) -> int:
    """Run a command whose module has `configure` and `run`."""
    parser = Parser(
        prog=f"{program()} {name}",
        description=module.HELP,
        epilog=f"example:\n  {program()} {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    add_common_options(parser, without=getattr(module, "NO_USE_FOR", ()))
    apply_config_file(parser, arguments)
    args = parser.parse_args(arguments)
    context = Context(name, args, [program(), name, *arguments])
    try:
        results = module.run(args, context)
    except BaseException as error:
        context.abandon(error)
        raise
    context.finish(results)
    if context.failure is not None:
        raise context.failure
    return 0
