"""Optimizers with a learning rate per layer: each layer has its factor, which schedules keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras


class _ByDepth:
    """Base before an optimizer of Keras; `rate_factors` are by name of the layer, 1 for others."""

    def __init__(
        self, *args: Any, rate_factors: Mapping[str, float] | None = None, **settings: Any
    ):
        super().__init__(*args, **settings)
        self.rate_factors = dict(rate_factors or {})
        self._factors: list[float] = []

    def build(self, variables: Sequence[Any]) -> None:
        """Look up the factor of each variable; its path begins with the layer's name."""
        if not self.built:  # type: ignore[attr-defined]
            layers = [variable.path.split("/")[0] for variable in variables]
            self._factors = [self.rate_factors.get(layer, 1.0) for layer in layers]
        super().build(variables)  # type: ignore[misc]

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Take the step, once per factor; all backends of Keras (3.8 to 3.15) use this method."""
        groups: dict[float, list[tuple[Any, Any]]] = {}
        for grad, variable in zip(grads, trainable_variables, strict=True):
            factor = self._factors[self._get_variable_index(variable)]  # type: ignore[attr-defined]
            groups.setdefault(factor, []).append((grad, variable))
        for factor, pairs in groups.items():
            some_grads, some_variables = (list(column) for column in zip(*pairs, strict=True))
            super()._backend_update_step(  # type: ignore[misc]
                some_grads, some_variables, learning_rate * factor
            )

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "rate_factors": self.rate_factors}  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="drive")
class DepthAdam(_ByDepth, keras.optimizers.Adam):
    """Adam with a learning rate for each depth."""


@keras.saving.register_keras_serializable(package="drive")
class DepthAdadelta(_ByDepth, keras.optimizers.Adadelta):
    """Adadelta with a learning rate for each depth."""
