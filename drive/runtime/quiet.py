"""Keras without TensorFlow's notes.

TensorFlow writes about processor features and CUDA to the process's standard error before it reads
its own log level, and warns of retraced functions where several networks are trained in turn. Users
of a laptop cannot act upon any of it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from drive.core.extras import load_extra

STDERR = 2
ERRORS_ONLY = "3"


def load_keras() -> None:
    """Import Keras and its backend in silence; later imports find it loaded.

    Raises:
        MissingPackageError: Keras or its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", ERRORS_ONLY)
    with silent_stderr():
        load_extra("keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Send what the process writes to file descriptor 2, native code included, nowhere."""
    sys.stderr.flush()
    kept = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nowhere)
