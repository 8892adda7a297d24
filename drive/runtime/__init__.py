"""One interface over the runtimes, each imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import InputError, WeightsError
from drive.core.extras import MissingPackageError
from drive.runtime.base import Engine, check_model_file
from drive.runtime.file_form import check_form, has_qlinear

if TYPE_CHECKING:
    from drive.runtime.keras_engine import Builder

__all__ = ["ENGINES", "Engine", "load_engine"]

ENGINES = ("openvino", "onnx", "keras")  # in the order in which "auto" tries them
READS = {"openvino": (".onnx", ".xml"), "onnx": (".onnx",), "keras": (".keras", ".onnx")}
SUFFIXES = (".onnx", ".xml", ".keras")


def load_engine(
    path: str | Path, engine: str = "auto", threads: int = 0, build: Builder | None = None
) -> Engine:
    """Load a model file into a runtime: `.onnx`, OpenVINO `.xml` or `.keras`.

    The engine "auto" is the first one that works; `Engine.fallback_reason` says why an earlier one
    does not. `threads` of 0 is the runtime's choice; Keras ignores it. `build` builds the Keras
    network of an `.onnx` file from its metadata; keras requires it.
    Raises `InputError` if the engine is not installed or does not read this kind of file, and
    `WeightsError` if the file is damaged.
    """
    model_path = Path(path)
    _check(model_path, engine)
    candidates = _candidates(model_path, build)
    loaders: dict[str, Callable[[], Engine]] = {
        "openvino": lambda: _load_openvino(model_path, threads),
        "onnx": lambda: _load_onnx(model_path, threads),
        "keras": lambda: _load_keras(model_path, build),
    }
    if engine != "auto":
        if model_path.suffix.lower() not in READS[engine]:
            raise InputError(
                f"the engine {engine} reads {', '.join(READS[engine])} files; got {path}"
            )
        try:
            return loaders[engine]()
        except MissingPackageError:
            raise
        except ImportError as error:
            raise InputError(
                f"the engine '{engine}' is not installed ({error}); install it, or use another of "
                f"{', '.join(ENGINES)}"
            ) from error
    return _first_that_works({name: loaders[name] for name in candidates}, model_path)


def _check(path: Path, engine: str) -> None:
    if engine not in ("auto", *ENGINES):
        raise InputError(f"engine must be auto or one of {', '.join(ENGINES)}; got {engine!r}")
    check_model_file(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"a model file must end in one of {', '.join(SUFFIXES)}; got {path}")
    check_form(path)


def _candidates(path: Path, build: Builder | None) -> list[str]:
    suffix = path.suffix.lower()
    names = [name for name in ENGINES if suffix in READS[name]]
    if suffix == ".onnx" and build is None:
        names.remove("keras")
    return names


def _first_that_works(loaders: dict[str, Callable[[], Engine]], path: Path) -> Engine:
    reasons: list[str] = []
    for name, load in loaders.items():
        try:
            engine = load()
        except (ImportError, WeightsError) as error:
            reasons.append(f"{name}: {error}")
        else:
            engine.fallback_reason = "; ".join(reasons) or None
            return engine
    raise WeightsError(f"{path}: no engine can run this model ({'; '.join(reasons)})")


def _load_openvino(path: Path, threads: int) -> Engine:
    if path.suffix.lower() == ".onnx" and has_qlinear(path):
        raise WeightsError(
            f"{path}: OpenVINO gives wrong results for QLinear operators; use the engine onnx, or "
            "quantise in QDQ form"
        )
    from drive.runtime.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(path, threads)


def _load_onnx(path: Path, threads: int) -> Engine:
    from drive.runtime.onnx_engine import OnnxEngine

    return OnnxEngine(path, threads)


def _load_keras(path: Path, build: Builder | None) -> Engine:
    from drive.runtime.keras_engine import KerasEngine

    return KerasEngine.load(path, build)
