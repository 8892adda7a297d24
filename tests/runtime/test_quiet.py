"""Keras is loaded without TensorFlow's notes, and standard error works again afterwards."""

from __future__ import annotations

import subprocess
import sys


def test_loading_keras_is_silent() -> None:
    code = (
        "import sys; from drive.runtime.quiet import load_keras; load_keras();"
        "import keras; keras.layers.Dense(1)(keras.Input((2,)));"
        "import logging; logging.getLogger('tensorflow').warning('retracing');"
        "sys.stderr.write('mine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "mine"
    assert done.stdout == ""
