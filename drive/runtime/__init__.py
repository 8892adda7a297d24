"""One interface over the runtimes, each imported only when it is used."""

from __future__ import annotations

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
    does not. 0 threads is the runtime's choice. `build` builds the network of an `.onnx` file from
    its metadata; keras requires it. Raises `InputError` if the engine is not installed or does not
    read this kind of file, and `WeightsError` if the file is damaged.
    """
    model_path = Path(path)
    if engine not in ("auto", *ENGINES):
        raise InputError(f"engine must be auto or one of {', '.join(ENGINES)}; got {engine!r}")
    check_model_file(path)
    if model_path.suffix.lower() not in SUFFIXES:
        raise InputError(f"a model file must end in one of {', '.join(SUFFIXES)}; got {path}")
    check_form(model_path)
    if engine == "auto":
        return _first_that_works(model_path, threads, build)
    if model_path.suffix.lower() not in READS[engine]:
        raise InputError(f"the engine {engine} reads {', '.join(READS[engine])} files; got {path}")
    try:
        return _load(engine, model_path, threads, build)
    except MissingPackageError:
        raise
    except ImportError as error:
        raise InputError(
            f"the engine '{engine}' is not installed ({error}); install it, or use another of "
            f"{', '.join(ENGINES)}"
        ) from error


def _first_that_works(path: Path, threads: int, build: Builder | None) -> Engine:
    reasons: list[str] = []
    suffix = path.suffix.lower()
    for name in ENGINES:
        if suffix not in READS[name] or (name == "keras" and suffix == ".onnx" and build is None):
            continue
        try:
            engine = _load(name, path, threads, build)
        except (ImportError, WeightsError) as error:
            reasons.append(f"{name}: {error}")
        else:
            engine.fallback_reason = "; ".join(reasons) or None
            return engine
    raise WeightsError(f"{path}: no engine can run this model ({'; '.join(reasons)})")


def _load(name: str, path: Path, threads: int, build: Builder | None) -> Engine:
    if name == "keras":
        from drive.runtime.keras_engine import KerasEngine

        return KerasEngine.load(path, build)
    if name == "onnx":
        from drive.runtime.onnx_engine import OnnxEngine

        return OnnxEngine(path, threads)
    if path.suffix.lower() == ".onnx" and has_qlinear(path):
        raise WeightsError(
            f"{path}: OpenVINO gives wrong results for QLinear operators; use the engine onnx, or "
            "quantise in QDQ form"
        )
    from drive.runtime.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(path, threads)
