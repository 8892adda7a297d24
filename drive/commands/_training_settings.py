"""How a training learns: the options, and the settings that they ask for.

Shared by the commands that train the steering network; those that search settings take what is
given here as fixed. Knows options; takes no step of training.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drive.steering.state import TrainingSettings


def add_variation_options(data: argparse._ArgumentGroup) -> None:
    """Add which frames an epoch takes and how it varies them."""
    data.add_argument("--no-balance", action="store_true", help="do not thin straight driving")
    data.add_argument("--no-augment", action="store_true", help="leave the pictures as they are")
    data.add_argument(
        "--no-viewpoints",
        action="store_true",
        help="do not move the cameras of training pictures (with the angle that leads back)",
    )
    data.add_argument(
        "--no-mirror",
        action="store_true",
        help="mirror no pictures: for a car that keeps to one side of the road",
    )
    data.add_argument(
        "--return-s",
        type=float,
        default=2.0,
        metavar="S",
        help="seconds in which a moved car is led back to its path (default: 2)",
    )


def add_learning_options(learning: argparse._ArgumentGroup) -> None:
    """Add the network and how it learns, but not for how long."""
    learning.add_argument("--batch", type=int, default=32, metavar="N", help="(default: 32)")
    learning.add_argument("--optimizer", choices=["adam", "adadelta"], default="adam")
    learning.add_argument(
        "--learning-rate", type=float, metavar="R", help="(default: adam 0.0005, adadelta 1.0)"
    )
    learning.add_argument("--variant", choices=["published", "elu"], default="published")


def asked_settings(args: argparse.Namespace) -> TrainingSettings:
    """The settings that the options ask for."""
    from drive.steering.state import TrainingSettings

    given = {name: getattr(args, name, None) for name in ("epochs", "patience")}
    return TrainingSettings(
        batch=args.batch,
        optimizer=args.optimizer,
        learning_rate=args.learning_rate,
        variant=args.variant,
        balance=not args.no_balance,
        augment=not args.no_augment,
        viewpoints=not args.no_viewpoints,
        mirror=not args.no_mirror,
        return_s=args.return_s,
        seed=args.seed,
        **{name: value for name, value in given.items() if value is not None},
    )
