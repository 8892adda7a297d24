"""The tests themselves: every one asserts something, every benchmark can be imported."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
BENCHMARKS = TESTS.parent / "benchmarks"
CHECKS = ("raises", "fail", "warns")


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def called(function: ast.FunctionDef) -> set[str]:
    """The names of what a function calls."""
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return {
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls
    }


def checks_itself(function: ast.FunctionDef) -> bool:
    """Whether a function asserts, or calls what does: `raises`, `assert_called`, NumPy's."""
    if any(isinstance(node, ast.Assert) for node in ast.walk(function)):
        return True
    return any(name in CHECKS or name.startswith("assert") for name in called(function))


def test_every_test_asserts_something() -> None:
    paths = sorted(TESTS.rglob("*.py"))
    every = [(path, function) for path in paths for function in functions(path)]
    helpers = {function.name for _, function in every if checks_itself(function)}
    idle = [
        f"{path.relative_to(TESTS)}: {function.name}"
        for path, function in every
        if function.name.startswith("test_")
        and function.name not in helpers
        and not called(function) & helpers
    ]
    assert idle == []


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCHMARKS.glob("*.py")))
def test_every_benchmark_can_be_imported(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__
