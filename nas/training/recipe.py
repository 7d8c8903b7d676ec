"""How a network is trained, as plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from nas.errors import InputError
from nas.table import per_cent

Optimizer = Literal["sgd", "adam", "adamw", "rmsprop", "nadam", "muon"]
NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "nadam": "NAdam", "muon": "Muon"}
Schedule = Literal["constant", "step", "onecycle", "cosine", "linear"]
DropoutSchedule = Literal["constant", "rising", "falling"]
CropPosition = Literal["centre", "random"]
BITS_OF_WEIGHTS = (8, 4)  # in whole numbers
SMALLEST_ALPHA = 0.01  # a Beta distribution with a smaller one is beyond float32


def _later(default: Any) -> Any:
    """A field that came after nas 0.1.0: JSON has it only where it is not at its default, so that old digests stay."""
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images; the fields' defaults change nothing.

    Every image gets its own draw. Crop, affine and elastic change are one resampling, so an image is interpolated once;
    colours, erasing and mixing follow in the order below. What comes from outside an image, or is erased, is 0: black,
    before the network normalises it. Which changes suit a data set is for a search space to say: a mirrored or turned
    digit can be another one.

    Attributes:
        rotation: Degrees; the angle is uniform in [-x, x], as are shifts and scales (torchvision's `RandomAffine`).
        translation: Largest shift along each axis, as a fraction of the image's width and height; whole pixels.
        scale: The factor is between 1 - scale and 1 + scale.
        crop: Side in pixels of a square that is resized to the whole image; 0 for none.
        crop_probability: The chance that an image is cropped.
        crop_position: `centre`, or `random`: anywhere inside the image.
        elastic: Root mean square of every pixel's displacement along each axis, in pixels: random numbers smoothed by a
            Gaussian (Simard et al. 2003, "Best practices for convolutional neural networks", section 2). Its alpha is
            about 6.1 times elastic times elastic_sigma. Above half of elastic_sigma strokes tear.
        elastic_sigma: Standard deviation of that Gaussian in pixels.
        flip: The chance that an image is mirrored from left to right.
        brightness: Values times a factor from 1 - x to 1 + x (torchvision's `ColorJitter`, as the next three).
        contrast: Values' distance from the image's mean grey, times such a factor.
        saturation: Values' distance from their pixel's grey, times such a factor. RGB only.
        hue: Share of the colour circle by which hues turn, uniform in [-x, x], at most 0.5. RGB only.
        erasing: The chance that a rectangle of 2 to 33 % of an image, with sides in the ratio 0.3 to 3.3, is erased
            (Zhong et al. 2020, "Random erasing data augmentation"; torchvision's `RandomErasing`).
        cutout: Side in pixels of a square that is erased in each image, with its centre anywhere, so that it may lie
            partly outside (DeVries and Taylor 2017, arXiv 1708.04552); 0 for none.
        mixup: Alpha: an image becomes w of itself and 1 - w of another one of its batch, its label likewise, with w of
            Beta(alpha, alpha) (Zhang et al. 2018, arXiv 1710.09412); 0 for none.
        cutmix: Alpha: a rectangle is replaced by what another image of the batch has there, and the label by the shares
            of the area; 1 - w of the area before it is cut at the border (Yun et al. 2019, arXiv 1905.04899); 0 for
            none. With mixup as well, each image gets one of the two by the toss of a coin.
    """

    rotation: float = 0.0
    translation: float = 0.0
    scale: float = 0.0
    crop: int = 0
    crop_probability: float = 0.0
    crop_position: CropPosition = "random"
    elastic: float = _later(0.0)
    elastic_sigma: float = _later(4.0)
    flip: float = _later(0.0)
    brightness: float = _later(0.0)
    contrast: float = _later(0.0)
    saturation: float = _later(0.0)
    hue: float = _later(0.0)
    erasing: float = _later(0.0)
    cutout: int = _later(0)
    mixup: float = _later(0.0)
    cutmix: float = _later(0.0)

    def __post_init__(self) -> None:
        _check_types(self)
        _check_range(self, "rotation", 0, 180)
        _check_range(self, "scale", 0, 0.99)
        for name in ("translation", "crop_probability", "flip", "brightness", "contrast", "saturation", "erasing"):
            _check_range(self, name, 0, 1)
        for name in ("crop", "elastic", "cutout"):
            _check_range(self, name, 0, None)
        _check_range(self, "elastic_sigma", 0.1, None)
        _check_range(self, "hue", 0, 0.5)
        for name in ("mixup", "cutmix"):
            _check_range(self, name, 0, 100)
            if 0 < (alpha := getattr(self, name)) < SMALLEST_ALPHA:
                raise InputError(f"{name} must be 0 for none, or at least {SMALLEST_ALPHA:g}, but got {alpha!r}")

    def check_channels(self, n_channels: int) -> None:
        """Raises `InputError` where something is asked for that images of so many channels do not have."""
        for name in ("saturation", "hue"):
            if (asked := getattr(self, name)) and n_channels != 3:
                raise InputError(
                    f"{name} needs images of 3 channels, red, green and blue, but got {name}={asked:g} for images of "
                    f"{n_channels}: leave {name} at 0"
                )

    @property
    def crops(self) -> bool:
        """Whether any image is cropped."""
        return self.crop > 0 and self.crop_probability > 0

    @property
    def resamples(self) -> bool:
        """Whether any image is read at other places than its pixels."""
        return self.crops or max(self.rotation, self.translation, self.scale, self.elastic) > 0

    def effective(self) -> "Augmentation":
        """The same augmentation with everything that has no effect at its default."""
        idle: dict[str, Any] = {}
        if not self.crops:
            idle |= {"crop": 0, "crop_probability": 0.0, "crop_position": Augmentation.crop_position}
        if not self.elastic:
            idle["elastic_sigma"] = Augmentation.elastic_sigma
        return replace(self, **idle)

    def __str__(self) -> str:
        parts = [f"rotation ±{self.rotation:g}°"] * (self.rotation > 0)
        parts += [f"translation ±{self.translation:g}"] * (self.translation > 0)
        parts += [f"scale ±{self.scale:g}"] * (self.scale > 0)
        parts += [f"{self.crop_position} crop {self.crop} with probability {self.crop_probability:g}"] * self.crops
        parts += [f"elastic {self.elastic:g} px (sigma {self.elastic_sigma:g} px)"] * (self.elastic > 0)
        parts += [f"mirrored with probability {self.flip:g}"] * (self.flip > 0)
        for name in ("brightness", "contrast", "saturation", "hue"):
            parts += [f"{name} ±{getattr(self, name):g}"] * (getattr(self, name) > 0)
        parts += [f"random erasing with probability {self.erasing:g}"] * (self.erasing > 0)
        parts += [f"cutout {self.cutout}"] * (self.cutout > 0)
        parts += [f"mixup alpha {self.mixup:g}"] * (self.mixup > 0)
        parts += [f"CutMix alpha {self.cutmix:g}"] * (self.cutmix > 0)
        return ", ".join(parts) or "none"


@dataclass(frozen=True)
class Recipe:
    """Optimizer, schedule, batch size, regularisation, augmentation and length of a training.

    A field that has no effect beside the others is ignored: see `effective`.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a batch, at least 2; a last batch of a single image is left out.
        optimizer: `sgd`, `adam`, `adamw`, `rmsprop` and `nadam` are torch's. `muon` (Jordan et al. 2024) changes the
            hidden layers' weights by orthogonal matrices, all else by AdamW: the output layer's weights, biases, norms.
        lr: Learning rate; the peak, where the schedule has one. Muon's steps are scaled to the size of AdamW's, so a
            rate that suits AdamW suits both parts (Liu et al. 2025, arXiv 2502.16982, section 2.2).
        momentum: SGD, RMSprop and Muon; one cycle moves it by itself.
        nesterov: Nesterov momentum; SGD and Muon.
        weight_decay: This times the weights is added to their gradient, as an L2 penalty would; for AdamW and Muon it
            is subtracted from the weights instead, times the learning rate. Biases and norms are spared.
        decay_all: Decay biases and batch norm too, as torch's optimizers do by default.
        schedule: The learning rate: `constant`; `step`, reduced every few epochs; `onecycle` (Smith 2018), `cosine` or
            `linear`: up to the peak, then down to 0.
        warmup: Share of the training until the peak, from 0 to 0.99: onecycle, cosine and linear.
        step_epochs: Epochs between two reductions: step.
        step_factor: What the rate is multiplied with then: step.
        label_smoothing: Share of a label that is spread over all classes, from 0 (Szegedy et al. 2016, section 7).
        ema: Window of an exponential moving average of the weights, in epochs; the average is what is evaluated and
            kept. 0 for none.
        dropout_schedule: Dropout rates over the training: `constant`; `rising` from 0 up to what the layers say; or
            `falling` down to 0.
        augmentation: Random changes of the training images.
        teacher_weight: Share of a teacher's soft labels in the loss, from 0 to 1; the rest is the labels'. 0 for none.
        temperature: What both networks' scores are divided by before they are compared (Hinton et al. 2015).
        quantised: For whole numbers of 8 bits: figures of the last epochs are those of the exported C, and where these
            numbers cost accuracy, the training goes on as if the network were computed in them.
        weight_bits: Of the weights in these whole numbers, 8 or 4, of which two take a byte: quantised.
    """

    epochs: int = 20
    batch_size: int = 128
    optimizer: Optimizer = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    decay_all: bool = False
    schedule: Schedule = "constant"
    warmup: float = 0.2
    step_epochs: int = 15
    step_factor: float = 0.1
    label_smoothing: float = 0.0
    ema: float = 0.0
    dropout_schedule: DropoutSchedule = "constant"
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher_weight: float = _later(0.0)
    temperature: float = _later(4.0)
    quantised: bool = _later(False)
    weight_bits: int = _later(8)

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
        if self.weight_bits not in BITS_OF_WEIGHTS:
            raise InputError(
                f"weight_bits must be {BITS_OF_WEIGHTS[0]} or {BITS_OF_WEIGHTS[1]}, but got {self.weight_bits}"
            )
        if self.nesterov and self.momentum == 0:
            raise InputError("nesterov needs a momentum above 0, but got momentum=0: set momentum or drop nesterov")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        return {**_written(self), "augmentation": _written(self.augmentation)}

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
        if self.optimizer not in ("sgd", "rmsprop", "muon") or self.schedule == "onecycle":  # which moves it as well
            idle["momentum"] = Recipe.momentum
        if self.optimizer not in ("sgd", "muon"):
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
        if not self.quantised:
            idle["weight_bits"] = Recipe.weight_bits
        return replace(self, **idle, augmentation=self.augmentation.effective())

    def __str__(self) -> str:
        optimizer = NAMES[self.optimizer]
        optimizer += " Nesterov" * (self.nesterov and self.optimizer in ("sgd", "muon"))
        momentum = f" momentum {self.momentum:g}" if self.optimizer in ("sgd", "rmsprop", "muon") else ""
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
        parts += [f"for {whole_numbers(self.weight_bits)}"] * self.quantised
        return "; ".join(parts)

    def _schedule_text(self) -> str:
        match self.schedule:
            case "constant":
                return "constant"
            case "step":
                every = "epoch" if self.step_epochs == 1 else f"{self.step_epochs} epochs"
                return f"×{self.step_factor:g} every {every}"
        name = {"onecycle": "one cycle", "cosine": "cosine to 0", "linear": "linear to 0"}[self.schedule]
        return f"{name}, peak at {per_cent(self.warmup, 0)}"


def whole_numbers(weight_bits: int) -> str:
    """What a network is computed in where its weights are whole numbers of so many bits, in words."""
    return "whole numbers of 8 bits" + (f" with weights of {weight_bits}" if weight_bits != Recipe.weight_bits else "")


def _written(instance: Augmentation | Recipe) -> dict[str, Any]:
    values = {each: getattr(instance, each.name) for each in fields(instance)}
    return {each.name: v for each, v in values.items() if not (each.metadata.get("later") and v == each.default)}


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
