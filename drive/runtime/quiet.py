"""Import Keras without TensorFlow's notes on processor features, CUDA and retraced functions."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from drive.core.extras import load_extra

STDERR = 2


def load_keras() -> None:
    """Import Keras and its backend silently; raise `MissingPackageError` without them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors only
    with silent_stderr():
        load_extra("keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard what the process, including native code, writes to standard error."""
    if sys.__stderr__ is not None:
        sys.__stderr__.flush()
    kept = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nowhere)
