"""Models: layers that are trained together."""

from nabi.models.cloning import clone_model
from nabi.models.configs import model_from_json
from nabi.models.functional import Functional
from nabi.models.model import Model
from nabi.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "model_from_json"]
