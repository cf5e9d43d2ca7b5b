"""Models: layers that are trained together."""

from nabi.models.cloning import clone_model
from nabi.models.configs import model_from_json
from nabi.models.functional import Functional
from nabi.models.model import Model
from nabi.models.sequential import Sequential
from nabi.saving.models import load_model, save_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
