"""How a network is trained, as plain frozen data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from nas.errors import InputError

Optimizer = Literal["sgd", "adam", "adamw", "rmsprop"]
Schedule = Literal["constant", "step", "onecycle", "cosine", "linear"]
DropoutSchedule = Literal["constant", "rising", "falling"]
CropPosition = Literal["centre", "random"]
TEACHING = ("teacher_weight", "temperature")  # fields that older JSON does not have: left out at their defaults


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training image; the fields' defaults change nothing.

    Angles, shifts and scales are drawn uniformly from `[-x, x]` for each image, as torchvision's `RandomAffine` does.
    """

    rotation: float = 0.0  # degrees
    translation: float = 0.0  # fraction of the image's height and width
    scale: float = 0.0  # fraction: the factor is between 1 - scale and 1 + scale
    crop: int = 0  # side of a square crop in pixels, resized to the whole image; 0: none
    crop_probability: float = 0.0
    crop_position: CropPosition = "random"

    def __post_init__(self) -> None:
        _check_types(self)
        _check_range(self, "rotation", 0, 180)
        _check_range(self, "translation", 0, 1)
        _check_range(self, "scale", 0, 0.99)
        _check_range(self, "crop", 0, None)
        _check_range(self, "crop_probability", 0, 1)

    @property
    def crops(self) -> bool:
        """Whether any image is cropped."""
        return self.crop > 0 and self.crop_probability > 0

    def effective(self) -> "Augmentation":
        """The same augmentation with everything that has no effect at its default."""
        if self.crops:
            return self
        return replace(self, crop=0, crop_probability=0.0, crop_position=Augmentation.crop_position)

    def __str__(self) -> str:
        parts = [f"rotation ±{self.rotation:g}°"] * (self.rotation > 0)
        parts += [f"translation ±{self.translation:g}"] * (self.translation > 0)
        parts += [f"scale ±{self.scale:g}"] * (self.scale > 0)
        parts += [f"{self.crop_position} crop {self.crop} with probability {self.crop_probability:g}"] * self.crops
        return ", ".join(parts) or "none"


@dataclass(frozen=True)
class Recipe:
    """Optimizer, schedule, batch size, regularisation, augmentation and length of a training."""

    epochs: int = 20
    batch_size: int = 128
    optimizer: Optimizer = "sgd"
    lr: float = 0.05  # the peak, where the schedule has one
    momentum: float = 0.9  # SGD and RMSprop
    nesterov: bool = False  # SGD
    weight_decay: float = 0.0
    decay_all: bool = False  # decay biases and batch norm too, as torch's optimizers do by default
    schedule: Schedule = "constant"
    warmup: float = 0.2  # share of the training until the peak: onecycle, cosine, linear
    step_epochs: int = 15  # step: epochs between two reductions
    step_factor: float = 0.1  # step: what the rate is multiplied with
    label_smoothing: float = 0.0
    # Averaged weights (an exponential moving average) are what is evaluated and kept; its window in epochs; 0: none
    ema: float = 0.0
    dropout_schedule: DropoutSchedule = "constant"  # rates over the training: as they are, from 0 up, or down to 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher_weight: float = 0.0  # share of a teacher's soft labels in the loss, the rest is the labels'; 0: no teacher
    temperature: float = 4.0  # what both networks' scores are divided by before they are compared

    def __post_init__(self) -> None:
        _check_types(self)
        for name in ("epochs", "batch_size", "step_epochs"):
            _check_range(self, name, 1, None)
        if self.batch_size < 2:
            raise InputError(
                f"batch_size must be at least 2, since batch norm needs two images, but got {self.batch_size}"
            )
        _check_range(self, "lr", 0, None)
        if self.lr == 0:
            raise InputError("lr must be above 0, but got 0")
        for name in ("momentum", "label_smoothing"):
            _check_range(self, name, 0, 0.99999)
        for name in ("weight_decay", "step_factor", "ema"):
            _check_range(self, name, 0, None)
        _check_range(self, "warmup", 0, 0.99)
        _check_range(self, "teacher_weight", 0, 1)
        _check_range(self, "temperature", 0.1, 100)
        if self.nesterov and self.momentum == 0:
            raise InputError("nesterov needs a momentum above 0, but got momentum=0: set momentum or drop nesterov")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        return {k: v for k, v in asdict(self).items() if k not in TEACHING or v != getattr(Recipe, k)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Recipe":
        """The recipe that `to_dict` wrote; every value is checked again."""
        try:
            return cls(**{**data, "augmentation": Augmentation(**data.get("augmentation", {}))})
        except TypeError as error:
            raise InputError(f"a recipe must be what Recipe.to_dict() gives, but {error}") from error

    def effective(self) -> "Recipe":
        """The same training with everything that has no effect on it at its default: equal if trained equally."""
        idle: dict[str, Any] = {}
        if self.optimizer not in ("sgd", "rmsprop") or self.schedule == "onecycle":  # which moves it as well
            idle["momentum"] = Recipe.momentum
        if self.optimizer != "sgd":
            idle["nesterov"] = Recipe.nesterov
        if self.weight_decay == 0:
            idle["decay_all"] = Recipe.decay_all
            if self.optimizer == "adamw":  # differs from Adam in its weight decay only
                idle["optimizer"] = "adam"
        if self.schedule == "step" and (self.step_epochs >= self.epochs or self.step_factor == 1):
            idle["schedule"] = "constant"
        if {**vars(self), **idle}["schedule"] != "step":
            idle |= {"step_epochs": Recipe.step_epochs, "step_factor": Recipe.step_factor}
        if self.schedule in ("constant", "step"):
            idle["warmup"] = Recipe.warmup
        if self.epochs == 1 and self.dropout_schedule == "falling":  # from the whole rate, and no further
            idle["dropout_schedule"] = "constant"
        if self.teacher_weight == 0:
            idle["temperature"] = Recipe.temperature
        if self.teacher_weight == 1:  # the labels have no share
            idle["label_smoothing"] = Recipe.label_smoothing
        return replace(self, **idle, augmentation=self.augmentation.effective())

    def __str__(self) -> str:
        optimizer = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}[self.optimizer]
        optimizer += " Nesterov" * (self.nesterov and self.optimizer == "sgd")
        momentum = f" momentum {self.momentum:g}" if self.optimizer in ("sgd", "rmsprop") else ""
        decay = f", weight decay {self.weight_decay:g}{' on all' * self.decay_all}" if self.weight_decay else ""
        parts = [
            f"{self.epochs} epoch{'s' * (self.epochs > 1)} of batches of {self.batch_size}",
            f"{optimizer}{momentum}",
            f"learning rate {self.lr:g} ({self._schedule_text()}){decay}",
            f"augmentation: {self.augmentation}",
        ]
        parts += [f"label smoothing {self.label_smoothing:g}"] * (self.label_smoothing > 0)
        parts += [f"weights averaged over {self.ema:g} epoch{'s' * (self.ema != 1)} (EMA)"] * (self.ema > 0)
        parts += [f"dropout {self.dropout_schedule}"] * (self.dropout_schedule != "constant")
        soft_labels = f"a teacher's soft labels with weight {self.teacher_weight:g} at temperature {self.temperature:g}"
        parts += [soft_labels] * (self.teacher_weight > 0)
        return "; ".join(parts)

    def _schedule_text(self) -> str:
        match self.schedule:
            case "constant":
                return "constant"
            case "step":
                return f"×{self.step_factor:g} every {self.step_epochs} epochs"
        name = {"onecycle": "one cycle", "cosine": "cosine to 0", "linear": "linear to 0"}[self.schedule]
        return f"{name}, peak at {self.warmup:.0%}"


def _check_types(instance: Augmentation | Recipe) -> None:
    """Exact types only: these values are written into Python source by the export."""
    for each in fields(instance):
        value, wanted = getattr(instance, each.name), each.type
        if wanted is float and type(value) is int:
            object.__setattr__(instance, each.name, float(value))
        elif choices := get_args(wanted):
            if type(value) is not str or value not in choices:
                raise InputError(f"{each.name} must be one of {', '.join(choices)}, but got {value!r}")
        elif isinstance(wanted, type) and type(value) is not wanted:
            raise InputError(f"{each.name} must be {wanted.__name__}, but got {value!r}")


def _check_range(instance: Augmentation | Recipe, name: str, low: float, high: float | None) -> None:
    value = getattr(instance, name)
    if not isfinite(value) or value < low or (high is not None and value > high):
        bound = f"between {low:g} and {high:g}" if high is not None else f"at least {low:g}"
        raise InputError(f"{name} must be {bound}, but got {value!r}")
