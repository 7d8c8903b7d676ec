"""A recipe is plain data in its ranges; its effective form tells apart exactly what trains differently."""

import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_pairs import BUSY, DIFFERENT, EQUAL, STEPS
from strategies import augmentations, recipes

from nas.errors import InputError
from nas.training.recipe import Augmentation, Recipe


@settings(deadline=None)
@given(recipes())
def test_json_gives_the_same_recipe_back(recipe: Recipe) -> None:
    text = json.dumps(recipe.to_dict(), allow_nan=False)
    again = Recipe.from_dict(json.loads(text))
    assert again == recipe
    assert json.dumps(again.to_dict()) == text


def test_what_json_leaves_out_is_at_its_default() -> None:
    assert Recipe.from_dict({}) == Recipe()
    assert Recipe.from_dict({"lr": 1, "augmentation": {"rotation": 5}}) == Recipe(
        lr=1.0, augmentation=Augmentation(rotation=5.0)
    )


def test_a_whole_number_is_a_float_where_one_is_wanted() -> None:
    assert repr(Recipe(lr=1, ema=2, augmentation=Augmentation(rotation=5))) == repr(
        Recipe(lr=1.0, ema=2.0, augmentation=Augmentation(rotation=5.0))
    )


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Recipe().lr = 1.0  # type: ignore[misc]


# Ranges ---------------------------------------------------------------------------------------------------------------

WRONG_RECIPES: list[tuple[dict[str, Any], str]] = [
    *(({name: value}, name) for name in ("epochs", "batch_size", "step_epochs") for value in (0, -1, 2.0, True, "3")),
    ({"batch_size": 1}, "batch_size must be at least 2"),
    *(({"lr": value}, "lr") for value in (0, 0.0, -0.1, math.nan, math.inf, True, "0.1", None)),
    *(
        ({name: v}, name)
        for name in ("momentum", "label_smoothing", "warmup")
        for v in (-0.1, 1.0, math.nan, "0", True)
    ),
    *(({name: v}, name) for name in ("weight_decay", "step_factor", "ema") for v in (-1e-9, math.inf, False)),
    *(({"teacher_weight": v}, "teacher_weight") for v in (-0.1, 1.1, math.nan, "0", True)),
    *(({"temperature": v}, "temperature") for v in (0, -1.0, 101, math.inf, None)),
    *(({name: value}, name) for name in ("nesterov", "decay_all") for value in (1, 0, "yes", None)),
    *(({name: v}, name) for name in ("optimizer", "schedule", "dropout_schedule") for v in ("Adam", "", None, 3, True)),
    ({"nesterov": True, "momentum": 0.0}, "nesterov"),
    ({"augmentation": None}, "augmentation"),
    ({"augmentation": {"rotation": 5}}, "augmentation"),
]
WRONG_AUGMENTATIONS: list[tuple[dict[str, Any], str]] = [
    *(({"rotation": value}, "rotation") for value in (-1, 180.5, math.nan, True, "5")),
    *(({"translation": value}, "translation") for value in (-0.1, 1.1, math.inf)),
    *(({"scale": value}, "scale") for value in (-0.1, 1.0)),
    *(({"crop": value}, "crop") for value in (-1, 22.0, True)),
    *(({"crop_probability": value}, "crop_probability") for value in (-0.1, 1.1)),
    *(({"crop_position": value}, "centre, random") for value in ("center", 0)),
]


@pytest.mark.parametrize(("values", "said"), WRONG_RECIPES)
def test_a_recipe_out_of_range_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Recipe(**values)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert "but got" in message


@pytest.mark.parametrize(("values", "said"), WRONG_AUGMENTATIONS)
def test_an_augmentation_out_of_range_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Augmentation(**values)
    assert said in str(caught.value)
    with pytest.raises(InputError) as caught:
        Recipe.from_dict({"augmentation": values})
    assert said in str(caught.value)


@pytest.mark.parametrize("data", [None, [], 3, {"learning_rate": 0.1}, {"augmentation": None}, {"augmentation": [1]}])
def test_what_is_no_recipe_is_refused(data: Any) -> None:
    with pytest.raises(InputError, match="to_dict"):
        Recipe.from_dict(data)


# What has an effect ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", EQUAL)
def test_what_has_no_effect_is_not_in_the_effective_recipe(case: str) -> None:
    one, other = EQUAL[case]
    assert one != other
    assert one.effective() == other.effective()


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_has_an_effect_is_in_the_effective_recipe(case: str) -> None:
    one, other = DIFFERENT[case]
    assert one.effective() != other.effective()


def test_every_field_is_one_that_can_have_an_effect() -> None:
    elsewhere = {"saturation", "hue"}  # the tests of pairs have no such images: see test_colour.py
    elsewhere |= {"teacher_weight", "temperature"}  # nor a teacher: see test_teacher.py
    elsewhere |= {"quantised", "weight_bits"}  # nor whole numbers: see test_quantised.py
    assert {field.name for field in (*fields(Recipe), *fields(Augmentation))} <= {*DIFFERENT, *elsewhere}


@settings(deadline=None)
@given(recipes())
def test_the_effective_recipe_is_its_own(recipe: Recipe) -> None:
    assert recipe.effective().effective() == recipe.effective()
    again = Recipe.from_dict(json.loads(json.dumps(recipe.effective().to_dict())))
    assert again == recipe.effective()


@settings(deadline=None)
@given(augmentations)
def test_the_effective_augmentation_crops_if_the_whole_one_does(augmentation: Augmentation) -> None:
    effective = augmentation.effective()
    assert effective.crops == augmentation.crops == (augmentation.crop > 0 and augmentation.crop_probability > 0)
    assert (effective == Augmentation()) == (str(augmentation) == "none")


# In words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (
            Recipe(epochs=1, optimizer="adam", nesterov=True, lr=0.001),
            "1 epoch of batches of 128; Adam; learning rate 0.001 (constant); augmentation: none",
        ),
        (
            BUSY,
            "2 epochs of batches of 64; SGD Nesterov momentum 0.8; learning rate 0.05 (linear to 0, peak at 40 %), "
            "weight decay 0.1; augmentation: rotation ±10°, translation ±0.1, scale ±0.1, random crop 22 with "
            "probability 0.1; label smoothing 0.1; weights averaged over 1 epoch (EMA); dropout rising",
        ),
        (
            replace(STEPS, optimizer="rmsprop", decay_all=True, augmentation=Augmentation(), ema=0.0),
            "2 epochs of batches of 64; RMSprop momentum 0.8; learning rate 0.05 (×0.1 every epoch), weight decay "
            "0.1 on all; augmentation: none; label smoothing 0.1; dropout rising",
        ),
        (
            Recipe(teacher_weight=0.5, temperature=2),
            "20 epochs of batches of 128; SGD momentum 0.9; learning rate 0.05 (constant); augmentation: none; a "
            "teacher's soft labels with weight 0.5 at temperature 2",
        ),
    ],
)
def test_a_recipe_in_words(recipe: Recipe, text: str) -> None:
    assert str(recipe) == text


@settings(deadline=None)
@given(recipes(), st.sampled_from(["epochs", "batch_size", "optimizer", "schedule"]), st.data())
def test_words_tell_recipes_apart(recipe: Recipe, name: str, data: st.DataObject) -> None:
    other = replace(recipe, **{name: getattr(data.draw(recipes()), name)})
    assert (str(other) == str(recipe)) == (getattr(other, name) == getattr(recipe, name))
