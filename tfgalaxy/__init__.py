"""Galaxy morphology from few volunteer votes: Equivariant Transformer variational autoencoders in TensorFlow and Keras.

`import tfgalaxy as tg` is cheap: a room (`tg.data`, `tg.layers`, `tg.models`, `tg.training`, `tg.tuning`, `tg.export`,
`tg.evaluation`) or a name below is imported when it is first used, and TensorFlow with it. Keras finds the package's
classes in a `.keras` file once the room that defines them is imported, as by `import tfgalaxy.models`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfgalaxy import data, evaluation, export, layers, models, training, tuning
    from tfgalaxy.data.catalogue import Catalogue, load_catalogue
    from tfgalaxy.data.questions import Question, Questions, load_questions
    from tfgalaxy.errors import InputError
    from tfgalaxy.models.config import ModelConfig
    from tfgalaxy.models.galaxy_vae import GalaxyVAE

    __version__: str

__all__ = [
    "Catalogue",
    "GalaxyVAE",
    "InputError",
    "ModelConfig",
    "Question",
    "Questions",
    "__version__",
    "data",
    "evaluation",
    "export",
    "layers",
    "load_catalogue",
    "load_questions",
    "models",
    "training",
    "tuning",
]

_ROOMS = frozenset({"data", "evaluation", "export", "layers", "models", "training", "tuning"})
# The module that defines each name.
_HOMES = {
    "Catalogue": "tfgalaxy.data.catalogue",
    "GalaxyVAE": "tfgalaxy.models.galaxy_vae",
    "InputError": "tfgalaxy.errors",
    "ModelConfig": "tfgalaxy.models.config",
    "Question": "tfgalaxy.data.questions",
    "Questions": "tfgalaxy.data.questions",
    "load_catalogue": "tfgalaxy.data.catalogue",
    "load_questions": "tfgalaxy.data.questions",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"tfgalaxy.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name == "__version__":
        value = importlib.metadata.version("tfgalaxy")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
