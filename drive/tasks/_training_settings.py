"""How a training learns: the options, and the settings that they ask for.

Shared by the commands that train the steering network; those that search settings take what is
given here as fixed. Knows options; takes no step of training.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError

if TYPE_CHECKING:
    from drive.steering.training_settings import TrainingSettings


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
        "--mirror",
        action="store_true",
        help="mirror half the pictures: for a car in the middle of its road, such as on a round "
        "course whose bends all turn one way; does harm where it keeps to one side",
    )
    data.add_argument(
        "--looks",
        choices=["mild", "wild"],
        default="mild",
        help="how far light, colours and texture vary; wild for many drives on many roads and "
        "many epochs, to drive on others (default: mild)",
    )
    data.add_argument(
        "--fps",
        type=float,
        default=0.0,
        metavar="F",
        help="frames of a second that an epoch uses, others in each epoch; the paper samples 10 "
        "(default: 0, all that thinning leaves)",
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
        "--learning-rate",
        type=float,
        metavar="R",
        help="(default: adam 0.001, without batch normalisation 0.0005; adadelta 1.0)",
    )
    learning.add_argument("--variant", choices=["published", "elu"], default="published")
    learning.add_argument(
        "--dropout",
        type=float,
        default=0.0,
        metavar="P",
        help="share of the values left out in each step, behind the convolutions and the larger "
        "dense layers (default: 0)",
    )
    learning.add_argument(
        "--batch-norm",
        action=argparse.BooleanOptionalAction,
        help="while it learns, normalise over the batch between each convolution and its "
        "activation; the finished network has it folded into the convolutions (default: yes; with "
        "--weights as that network has it, with --backbone no)",
    )
    learning.add_argument(
        "--l2",
        type=float,
        default=0.0,
        metavar="W",
        help="add W times the sum of squared kernels to the loss; not to val_loss, which stays the "
        "mean squared error (default: 0)",
    )
    learning.add_argument(
        "--schedule",
        choices=["constant", "cosine", "restarts"],
        default="constant",
        help="learning rate: constant, falling to 0 over all --epochs, or falling to 0 and "
        "starting again (default: constant)",
    )
    learning.add_argument(
        "--restart-epochs",
        type=int,
        default=10,
        metavar="N",
        help="of --schedule restarts: epochs up to the first restart; let --patience be longer "
        "than a cycle (default: 10)",
    )
    learning.add_argument(
        "--restart-factor",
        type=float,
        default=2.0,
        metavar="F",
        help="each cycle is F times longer than the one before (default: 2)",
    )
    learning.add_argument(
        "--warm-up",
        type=int,
        default=100,
        metavar="STEPS",
        help="steps over which the learning rate rises at the beginning, at most a tenth of all "
        "(default: 100)",
    )


def add_transfer_options(parser: argparse.ArgumentParser) -> None:
    """Add the pretrained backbone and how it is taken along."""
    transfer = parser.add_argument_group("transfer learning")
    transfer.add_argument(
        "--backbone",
        choices=["vgg16", "resnet50"],
        help="put the angle on top of a pretrained network, in place of --variant",
    )
    transfer.add_argument(
        "--backbone-weights",
        metavar="FILE|imagenet|none",
        help="its weights without the classifier; imagenet: Keras' own, fetched where they are not "
        "in ~/.keras/models; none: a random start (default: imagenet)",
    )
    transfer.add_argument(
        "--freeze-epochs",
        type=int,
        metavar="N",
        help="epochs at the beginning in which only the layers on top learn (default: 5; of a "
        "random start 0)",
    )
    transfer.add_argument(
        "--depth-rate",
        type=float,
        metavar="F",
        help="then the backbone's last block learns at F times --learning-rate, and each earlier "
        "block at F times the next one's (default: 0.3)",
    )


def _asked_transfer(args: argparse.Namespace) -> dict[str, Any]:
    """The settings of the backbone that are given.

    Raises:
        InputError: options that have no meaning without a backbone, or none with one.
    """
    from drive.steering.backbone import find_weights
    from drive.steering.training_settings import IMAGENET, RANDOM

    names = ("backbone_weights", "freeze_epochs", "depth_rate")
    asked = {name: getattr(args, name, None) for name in ("backbone", *names)}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if "backbone" not in given:
        for name in given:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is of a backbone. Name one with --backbone")
        return {}
    if args.variant != "published" or args.batch_norm:
        raise InputError(
            "--variant and --batch-norm are of the network without a backbone. Leave them out "
            "with --backbone"
        )
    weights = given.get("backbone_weights", IMAGENET)
    if args.weights:
        if "backbone_weights" in given:
            raise InputError("--weights has the backbone's too. Leave --backbone-weights out")
        return given
    if weights == RANDOM:
        given.setdefault("freeze_epochs", 0)
    elif weights != IMAGENET:
        given["backbone_weights"] = str(Path(weights).resolve())
    find_weights(args.backbone, given.get("backbone_weights", IMAGENET))  # before hours of work
    return given


def _asked_batch_norm(args: argparse.Namespace) -> bool:
    """Whether to normalise: unasked, a new network of the paper does."""
    if args.batch_norm is not None:
        return bool(args.batch_norm)
    if args.weights:
        from drive.steering.model_file import read_network_metadata
        from drive.steering.network import read_network_options

        return bool(read_network_options(read_network_metadata(args.weights))["batch_norm"])
    return getattr(args, "backbone", None) is None


def asked_settings(args: argparse.Namespace) -> TrainingSettings:
    """Return the settings that the options ask for."""
    from drive.core.errors import as_option
    from drive.core.options import OptionError

    try:
        return _asked_settings(args)
    except OptionError as error:
        raise InputError(f"{as_option(error.name)} {error.problem}") from None


def _asked_settings(args: argparse.Namespace) -> TrainingSettings:
    from drive.steering.training_settings import TrainingSettings

    given = {name: getattr(args, name, None) for name in ("epochs", "patience")}
    return TrainingSettings(
        batch=args.batch,
        optimizer=args.optimizer,
        learning_rate=args.learning_rate,
        variant=args.variant,
        dropout=args.dropout,
        batch_norm=_asked_batch_norm(args),
        l2=args.l2,
        schedule=args.schedule,
        restart_epochs=args.restart_epochs,
        restart_factor=args.restart_factor,
        warm_up=args.warm_up,
        tensorboard=getattr(args, "tensorboard", False),
        balance=not args.no_balance,
        augment=not args.no_augment,
        viewpoints=not args.no_viewpoints,
        mirror=args.mirror,
        looks=args.looks,
        return_s=args.return_s,
        fps=args.fps,
        seed=args.seed,
        **{name: value for name, value in given.items() if value is not None},
        **_asked_transfer(args),
    )
