"""Models: layers that are trained together."""

from nabi.models.functional import Functional
from nabi.models.model import Model
from nabi.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential"]
