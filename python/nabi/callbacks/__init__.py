"""Objects that act at given points of training, evaluation and prediction."""

from nabi.callbacks.callback import Callback, CallbackList
from nabi.callbacks.csv_logger import CSVLogger
from nabi.callbacks.early_stopping import EarlyStopping
from nabi.callbacks.history import History
from nabi.callbacks.lambda_callback import LambdaCallback
from nabi.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from nabi.callbacks.model_checkpoint import ModelCheckpoint
from nabi.callbacks.progbar_logger import ProgbarLogger
from nabi.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]
