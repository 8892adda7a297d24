"""Average the weights of two steering networks, one of which was trained on from the other.

    python benchmarks/average_steering.py BEFORE AFTER OUT.keras [--share 0.5]

A short training on few roads gains there and loses elsewhere; the mean of the weights before and
after it keeps more of both (Wortsman et al., arXiv 2109.01903). BEFORE and AFTER are `.keras` or
`.onnx` files; AFTER may be the folder of a training, of which the averaged weights of the last
epoch are taken, not those of the best one. Writes OUT.keras and, beside it, OUT.onnx.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.runtime.keras_file import load_model
from drive.steering.model_file import load_network, save_trained
from drive.training.state import STATE

if TYPE_CHECKING:
    import keras


def main() -> None:
    """Write the mean that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of AFTER, 0 to 1")
    arguments = parser.parse_args()
    average(arguments.before, arguments.after, arguments.out, arguments.share)


def average(before: Path, after: Path, out: Path, share: float = 0.5) -> Path:
    """Write `share` of the weights of `after` and the rest of `before`; return the `.onnx` path."""
    model, metadata = load_network(before)
    other = last_epoch(after) if after.is_dir() else load_network(after)[0]
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    model.set_weights([(1 - share) * mine + share * theirs for mine, theirs in pairs])
    return save_trained(model, out, metadata)


def last_epoch(folder: Path) -> keras.Model:
    """Return the network of the last epoch of a training, with its averaged weights."""
    model = load_model(folder / STATE, compiled=True)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    return model


if __name__ == "__main__":
    main()
