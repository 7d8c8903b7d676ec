"""Distillation: a teacher's scores as one more term of the loss, and what is said of it."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial
from processes import needs_proc, read_until
from small_study import SmallStudy
from test_cli import check_refused

from nas import shipped
from nas.cli.status import lines
from nas.dashboard.notes import study_note
from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split
from nas.errors import InputError
from nas.execution.inline import InlineExecutor
from nas.execution.job import Job
from nas.export.trials import export_trial
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.cost import Budget, cost_of
from nas.network.kinds import Activation, Conv, gap_head
from nas.replication.confirming import confirm
from nas.replication.retraining import retrain
from nas.report.page import report_page
from nas.searching.search import search
from nas.searching.teaching import LEAST_EPOCHS, trained_on
from nas.space import finding as spaces
from nas.space.candidate import Task
from nas.space.probing import random_candidates
from nas.study.confirmation import confirmations
from nas.study.data import data_of
from nas.study.details import details_of, facts
from nas.study.opening import find_study
from nas.study.record import ranked, records
from nas.study.status import status
from nas.study.storage import checkpoint_folder, open_storage
from nas.study.teacher import find_teacher, teacher_of
from nas.table import clock
from nas.training.checkpoint import checkpoint_path, read_checkpoint
from nas.training.recipe import Augmentation, Recipe
from nas.training.run import TrainingRun
from nas.training.teacher import Content, read, soft_label_loss

Run = Callable[..., CompletedProcess[str]]
SEARCH = ("search", "--space", "tiny", "--budget", "1500", "--epochs", "2", "--trials", "2", "--workers", "1")
SEARCH = (*SEARCH, "--pruner", "none", "--sampler", "random", "--study", "taught")


@given(st.integers(1, 5), st.integers(2, 6), st.floats(0.5, 10), st.integers(0, 99))
def test_the_loss_is_its_definition(n: int, n_classes: int, temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores, wanted = (3 * torch.randn(n, n_classes, generator=generator).double() for _ in range(2))
    own, teachers = (torch.softmax(each / temperature, 1) for each in (scores, wanted))
    by_hand = temperature**2 * (teachers * (teachers.log() - own.log())).sum(1).mean()
    torch.testing.assert_close(soft_label_loss(scores, wanted, temperature), by_hand)
    assert soft_label_loss(wanted, wanted, temperature).abs() < 1e-9


class Data:
    """Twenty images of two classes."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (20, 1, 8, 8), generator=generator, dtype=torch.uint8)
        self.train_images = self.validation_images = images
        self.train_labels = self.validation_labels = torch.arange(20) % 2
        self.mean, self.std = (0.5,), (0.25,)

    def to(self, device: str) -> "Data":
        return self


SMALL = Architecture((1, 8, 8), 2, (Conv(3), Activation(), *gap_head(2)))


def test_soft_labels_are_of_the_same_augmented_images_and_weigh_what_the_recipe_says() -> None:
    """One step: the loss of an epoch of one batch is told before the weights change, so it can be computed by hand."""
    seen: list[torch.Tensor] = []
    teacher = Network(SMALL, (0.5,), (0.25,)).eval()
    teacher.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    recipe = Recipe(epochs=1, batch_size=20, augmentation=Augmentation(rotation=20))
    taught = Recipe(**{**vars(recipe), "teacher_weight": 0.3, "temperature": 2.0})
    plain = TrainingRun(SMALL, recipe, Data(), seed=1)
    student = TrainingRun(SMALL, taught, Data(), seed=1, teacher=teacher)
    of_student: list[torch.Tensor] = []
    student.network.register_forward_pre_hook(lambda module, inputs: of_student.append(inputs[0].clone()))
    before = Network(SMALL, (0.5,), (0.25,))
    before.load_state_dict(student.network.state_dict())
    loss, labels_loss = next(student).train_loss, next(plain).train_loss
    assert torch.equal(seen[0], of_student[0])
    assert not torch.equal(seen[0], Data().train_images / 255)
    with torch.no_grad():
        soft = soft_label_loss(before(seen[0]), teacher(seen[0]), 2.0)
    assert loss == pytest.approx(0.7 * labels_loss + 0.3 * soft.item(), rel=1e-5)


def test_a_weight_without_a_teacher_is_refused() -> None:
    with pytest.raises(InputError, match="needs a teacher"):
        TrainingRun(SMALL, Recipe(epochs=1, teacher_weight=0.5), Data(), seed=0)


def test_a_run_that_is_gone_on_from_gives_the_same_digits() -> None:
    teacher = Network(SMALL, (0.5,), (0.25,)).eval()
    recipe = Recipe(epochs=3, batch_size=8, teacher_weight=0.5)
    whole = list(TrainingRun(SMALL, recipe, Data(), seed=3, teacher=teacher))
    first = TrainingRun(SMALL, recipe, Data(), seed=3, teacher=teacher)
    next(first)
    second = TrainingRun(SMALL, recipe, Data(), seed=3, teacher=teacher)
    second.load_state_dict(first.state_dict())
    rest = list(second)
    assert [each.train_loss for each in (*second.history[:1], *rest)] == [each.train_loss for each in whole]


def test_recipes_without_a_teacher_are_stored_as_before() -> None:
    assert not {"teacher_weight", "temperature"} & Recipe().to_dict().keys()
    taught = Recipe(teacher_weight=0.5, temperature=2.0)
    assert Recipe.from_dict(json.loads(json.dumps(taught.to_dict()))) == taught
    assert Recipe(temperature=2.0).effective() == Recipe().effective(), "a temperature of nothing"


def model_of(folder: Path) -> Path:
    (model,) = (folder / "runs").glob("*.py")
    return model


@pytest.mark.slow
def test_an_automatic_teacher_is_trained_once_and_named_everywhere(nas: Run, tmp_path: Path) -> None:
    done = nas(*SEARCH, "--teacher", "auto", "--format", "c")
    assert done.returncode == 0, done.stderr
    model = model_of(tmp_path)
    for file in (model, model.with_suffix(".md"), model.with_suffix(".h")):
        assert "Distilled: the scores of a teacher" in " ".join(file.read_text().replace("*", " ").split()), file
    assert "never on images of the validation part" in " ".join(model.read_text().split())
    assert "teacher" in nas("status", "--study", "taught").stdout
    trained = model.stem.rpartition("_")[2]  # ..._trial_3
    again = nas("retrain", "--study", "taught", "--trial", trained)
    assert again.returncode == 0, again.stderr + again.stdout
    (teacher,) = (tmp_path / "runs" / "teachers").glob("*.py")
    stamp = teacher.stat().st_mtime_ns
    more = nas(*SEARCH[:8], "3", *SEARCH[9:], "--teacher", "auto")
    assert more.returncode == 0, more.stderr
    assert teacher.stat().st_mtime_ns == stamp, "it is not trained again"
    without = nas(*SEARCH)
    assert without.returncode == 2
    assert "teacher" in without.stderr
    teacher.rename(tmp_path / "elsewhere.py")
    gone = nas("retrain", "--study", "taught", "--trial", trained)
    assert gone.returncode == 2
    assert gone.stderr.count("\n") == 1
    assert "restore it, or say with --teacher FILE.py where it is" in gone.stderr


def test_a_model_of_an_earlier_search_is_a_teacher(nas: Run, small_search: Path, tmp_path: Path) -> None:
    (model,) = (small_search / "runs").glob("*.py")
    for file in (model, model.with_suffix(".safetensors")):
        shutil.copy(file, tmp_path / file.name)
    done = nas(*SEARCH, "--teacher", model.name)
    assert done.returncode == 0, done.stderr
    assert f"a teacher, {model.stem}" in " ".join(model_of(tmp_path).read_text().split())
    (tmp_path / model.name).write_text((tmp_path / model.name).read_text() + "\n# changed\n")
    trained = model_of(tmp_path).stem.rpartition("_")[2]
    again = nas("retrain", "--study", "taught", "--trial", trained)
    assert again.returncode == 2
    assert "digest" in again.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "must be a file that can be read"),
        ("CLASSES = ('a', 'b')\n", "has no load"),
        ("def load(): return 3\nCLASSES = ()\n", "must return a torch module"),
        ("import torch\ndef load(): return torch.nn.Flatten()\nCLASSES = ('a', 'b')\n", "must know the classes"),
        (
            "import torch\ndef load(): return torch.nn.Flatten()\nCLASSES = tuple('0123456789')\n",
            "must give a finite score a class",
        ),
        ("1 / 0\n", "must load, but"),
        (
            "import torch\nclass Net(torch.nn.Module):\n"
            "    def forward(self, x): return (x.float() / 255).mean((1, 2, 3))[:, None] * torch.arange(10)\n"
            "def load(): return Net()\nCLASSES = tuple('0123456789')\n",
            "must take images of 0 to 255 and of 0 to 1 alike",
        ),
    ],
)
def test_a_file_that_can_be_no_teacher_is_refused(nas: Run, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "any.py").write_text(text)
    done = nas(*SEARCH, "--teacher", "any.py")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "runs" / "nas.db").exists()


def test_a_teacher_that_has_seen_validation_images_is_refused(nas: Run, small_search: Path, tmp_path: Path) -> None:
    (model,) = (small_search / "runs").glob("*.py")
    for file in (model, model.with_suffix(".safetensors")):
        shutil.copy(file, tmp_path / file.name)
    done = nas(*SEARCH, "--teacher", model.name, "--validation", "600")
    assert done.returncode == 2
    assert "must not have seen the images of the validation part" in done.stderr


# A study with an automatic teacher ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fewer(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a data set of 600 real images, 100 of them to validate."""
    file = tmp_path_factory.mktemp("fewer") / "fewer.npz"
    images, labels = mnist.images[:800, 0].numpy(), mnist.labels[:800].numpy()
    np.savez(file, x_train=images[:600], y_train=labels[:600], x_test=images[600:], y_test=labels[600:])
    return f"npz:{file}"


@pytest.fixture(scope="module")
def taught(fewer: str, tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """A search with a teacher, its winner confirmed."""
    folder = tmp_path_factory.mktemp("taught")
    common = {"workers": 1, "storage": SmallStudy(folder).storage, "out": folder}
    search(space="tiny", dataset=fewer, budget=1500, epochs=1, trials=2, study="taught", teacher="auto", **common)
    confirm("taught", top=1, seeds=1, **common)
    return SmallStudy(folder)


def in_one_line(file: Path) -> str:
    return " ".join(file.read_text("utf-8").replace("\\", "").split())


def teachers_study(taught: SmallStudy) -> optuna.Study:
    about = teacher_of(taught.study)
    assert about is not None
    return find_study(open_storage(taught.storage), about.study)


def test_the_teacher_is_trained_on_the_training_part_and_on_nothing_else(taught: SmallStudy) -> None:
    """Trained again with other validation images it is the same, to the last digit; with one image fewer it is not."""
    study = teachers_study(taught)
    (record,) = records(study)
    assert record.candidate is not None
    assert record.seed is not None
    _, split = data_of(study)
    weights = read_checkpoint(
        checkpoint_path(checkpoint_folder(open_storage(taught.storage), study.study_name), record.trial), ""
    )["evaluated"]

    def trained_on(changed: Split) -> list[float]:
        job = Job(record.candidate, record.seed, "cpu", record.made_with["precision"], repeats=record.made_with)
        return [result.train_loss for result in InlineExecutor(changed).run(job)]

    stored = [each["train_loss"] for each in history_of(taught, study, record.trial)]
    unseen = torch.zeros_like(split.validation_images)
    assert trained_on(replace(split, validation_images=unseen)) == stored
    one_fewer = replace(split, train_images=split.train_images[1:], train_labels=split.train_labels[1:])
    assert trained_on(one_fewer) != stored
    exported = read(taught.folder / str(teacher_of(taught.study).file)).network.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(values, weights[name]) for name, values in exported.items() if values.is_floating_point())


def history_of(taught: SmallStudy, study: optuna.Study, trial: int) -> list[dict[str, float]]:
    folder = checkpoint_folder(open_storage(taught.storage), study.study_name)
    history: list[dict[str, float]] = read_checkpoint(checkpoint_path(folder, trial), "")["history"]
    return history


def test_weight_and_temperature_are_axes_and_the_digest_stands_with_each_trial(taught: SmallStudy) -> None:
    about = teacher_of(taught.study)
    assert about is not None
    assert about.certain
    for trial, record in zip(taught.study.trials, records(taught.study), strict=True):
        assert {"teacher_weight", "temperature"} <= trial.params.keys()
        if record.candidate is not None:
            assert record.candidate.recipe.teacher_weight == pytest.approx(trial.params["teacher_weight"])
            assert record.candidate.recipe.temperature == trial.params["temperature"]
            assert record.made_with["teacher"] == about.digest


def test_its_cost_is_told_apart_from_that_of_the_trials(taught: SmallStudy) -> None:
    of_study = status(taught.study, open_storage(taught.storage))
    of_teacher = status(teachers_study(taught), open_storage(taught.storage))
    assert of_study.teacher is not None
    assert (of_study.teacher.epochs, of_teacher.epochs) == (LEAST_EPOCHS, LEAST_EPOCHS)
    assert of_study.epochs == sum(len(trial.intermediate_values) for trial in taught.study.trials)
    assert of_study.teacher.seconds == pytest.approx(of_teacher.seconds)
    assert of_teacher.command is None, "no option says that there is no limit"
    texts = dict(lines(of_study))
    assert f"{LEAST_EPOCHS} epochs in {clock(of_teacher.seconds)} besides" in texts["taught"]


def test_report_and_trial_say_who_taught(taught: SmallStudy) -> None:
    about = teacher_of(taught.study)
    assert about is not None
    page = " ".join(report_page(taught.study, taught.checkpoints).split())
    assert page.count(about.figures) >= 3, "in the answer, beside the test figures, and in how it was measured"
    winner = ranked(taught.study)[0].trial
    assert about.figures in dict(facts(details_of(taught.study, winner)))["teacher"]
    assert details_of(taught.study, winner).to_dict()["teacher"]["digest"] == about.digest
    assert about.figures in study_note(status(taught.study, open_storage(taught.storage)))


@pytest.mark.parametrize("confirmed", [False, True])
def test_each_format_says_who_taught(taught: SmallStudy, tmp_path: Path, confirmed: bool) -> None:
    about, winner = teacher_of(taught.study), ranked(taught.study)[0]
    assert about is not None
    dataset, split = data_of(taught.study)
    study = taught.study
    if not confirmed:  # as before it was
        files = [next(f for f in taught.folder.glob("*.py") if not f.stem.endswith("_confirmed"))]
        files += [files[0].with_suffix(".md"), files[0].with_suffix(".sh")]
    else:
        written = export_trial(
            study, winner, dataset, split, taught.checkpoints, tmp_path, storage=taught.storage,
            formats=("py", "c", "torch", *(["onnx"] if find_spec("onnxruntime") else [])),
        )  # fmt: skip
        files = [file for file in written.files if file.suffix in (".py", ".h")]
        files += [files[0].with_suffix(".md"), files[0].with_suffix(".sh")]
        (program,) = (file for file in written.files if file.suffix == ".pt2")
        extra = {"teacher.txt": ""}
        torch.export.load(program, extra_files=extra)
        assert extra["teacher.txt"] == about.sentences
        for file in (file for file in written.files if file.suffix == ".onnx"):
            import onnx

            assert onnx.load(file).doc_string == about.sentences
    for file in files:
        assert about.figures in in_one_line(file).replace(" * ", " ").replace(" # ", " "), file
    assert f'--teacher="$here"/{os.path.relpath(taught.folder / about.file, files[0].parent)}' in in_one_line(
        files[0].with_suffix(".sh")
    )


def test_what_was_confirmed_has_the_same_teacher_and_comes_out_again(taught: SmallStudy) -> None:
    (confirmed,) = confirmations(taught.study)
    about = teacher_of(taught.study)
    assert about is not None
    assert confirmed.made_with["teacher"] == about.digest
    assert confirmed.teacher == about.sentences
    teacher = find_teacher(taught.study, taught.folder)
    data = data_of(taught.study)
    again = retrain(
        taught.study, confirmed.trial, *data, checkpoints=taught.checkpoints, confirmed=True, teacher=teacher
    )
    assert again.difference is None
    assert again.compared == ("accuracy", "training loss", "evaluation loss")


def test_a_confirmed_network_is_refused_as_a_teacher(nas: Run, taught: SmallStudy, fewer: str) -> None:
    (file,) = taught.folder.glob("*_confirmed.py")
    check_refused(
        nas(*SEARCH, "--dataset", fewer, "--teacher", str(file)),
        "must not have seen",
        "100 of these 100",
        "--teacher auto",
    )


def test_an_earlier_confirmed_one_that_does_not_say_of_what_is_refused_too(nas: Run, taught: SmallStudy) -> None:
    (file,) = taught.folder.glob("*_confirmed.py")
    text = file.read_text("utf-8")
    start = text.index("TRAINED_ON = {")
    earlier = file.with_name("earlier.py")
    earlier.write_text(text[:start] + text[text.index("}\n", start) + 2 :], "utf-8")
    check_refused(nas(*SEARCH, "--teacher", str(earlier)), "must not have seen", "nas export", "--teacher auto")


@pytest.mark.parametrize(
    ("held_out", "seed", "certain"), [(100, 0, True), (200, 0, True), (50, 0, None), (100, 1, None)]
)
def test_whether_it_has_seen_validation_images_is_counted(
    taught: SmallStudy, held_out: int, seed: int, certain: bool | None
) -> None:
    """A larger part that was held out with the same seed holds the smaller one; None: refused."""
    study = taught.study
    (dataset, split), file = data_of(study), taught.folder / "any.py"
    stated = {"fingerprint": dataset.fingerprint, "n_train": 9, "n_held_out": held_out, "split_seed": seed}
    content = Content({"TRAINED_ON": stated}, torch.nn.Identity(), "")
    if certain is None:
        with pytest.raises(InputError, match="must not have seen"):
            trained_on(file, content, dataset, split, 0)
        return
    assert trained_on(file, content, dataset, split, 0)[1] is certain
    elsewhere = Content({"TRAINED_ON": {**stated, "fingerprint": "of another"}}, torch.nn.Identity(), "")
    taught_itself = Content({"TRAINED_ON": {**stated, "certain": False}}, torch.nn.Identity(), "")
    for each in (elsewhere, taught_itself, Content({}, torch.nn.Identity(), "")):
        sentence, is_certain = trained_on(file, each, dataset, split, 0)
        assert not is_certain
        assert "figures are about" in sentence


@pytest.mark.parametrize("others", [["--teacher", "other.py"], []])
def test_going_on_with_another_teacher_is_refused(
    nas: Run, taught: SmallStudy, fewer: str, tmp_path: Path, others: list[str]
) -> None:
    (tmp_path / "other.py").write_text(OTHER, "utf-8")
    again = ("search", "--space", "tiny", "--budget", "1500", "--epochs", "1", "--dataset", fewer)
    done = nas(*again, "--storage", taught.storage, "--study", "taught", *others)
    check_refused(done, "other terms", "teacher", "'auto'")


OTHER = """
import torch
CLASSES = tuple('0123456789')
def load():
    torch.manual_seed(0)
    return torch.nn.Sequential(Bytes(), torch.nn.Flatten(), torch.nn.Linear(784, 10))
class Bytes(torch.nn.Module):
    def forward(self, images):
        return images / 255 if images.dtype == torch.uint8 else images
"""


def test_any_file_with_the_names_of_an_export_teaches_and_what_it_saw_is_said_to_be_unknown(
    nas: Run, tmp_path: Path
) -> None:
    (tmp_path / "other.py").write_text(OTHER, "utf-8")
    (tmp_path / "study.toml").write_text('teacher = "other.py"\n', "utf-8")
    done = nas("search", "--config", "study.toml", *SEARCH[1:], "--json")
    assert done.returncode == 0, done.stderr
    unknown = "What the teacher was trained on its file does not say"
    assert unknown in done.stderr
    assert json.loads(done.stdout)["teacher"]["certain"] is False
    model = model_of(tmp_path)
    assert unknown in in_one_line(model)
    assert '"certain": False' in model.read_text("utf-8")


def test_an_image_of_another_shape_is_refused(nas: Run, taught: SmallStudy, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(OTHER + "TRAINED_ON = {'image_shape': (1, 32, 32)}\n", "utf-8")
    check_refused(nas(*SEARCH, "--teacher", "other.py"), "must take the images", "1×28×28", "takes 1×32×32")
    (tmp_path / "other.py").write_text(OTHER + "MEAN = (0.5, 0.5, 0.5)\n", "utf-8")
    check_refused(nas(*SEARCH, "--teacher", "other.py"), "must take the images", "1×28×28", "3 channels")


@pytest.mark.parametrize("teacher", ["aut", "model.safetensors", ""])
def test_what_is_neither_auto_nor_a_file_is_refused(nas: Run, teacher: str) -> None:
    check_refused(nas(*SEARCH, "--teacher", teacher), "teacher must be auto or a .py file", repr(teacher))


# Spaces ---------------------------------------------------------------------------------------------------------------

TASK = Task((1, 28, 28), 10, 3, Budget(20_000))
OWN = """
import nas

def suggest(trial, task):
    weight = {weight}
    layers = nas.gap_head(task.n_classes, (trial.suggest_int("hidden", 1, 9),))
    recipe = nas.Recipe(epochs=task.epochs, teacher_weight=weight)
    return nas.Candidate(nas.Architecture(task.image_shape, task.n_classes, layers), recipe)
"""


@pytest.mark.parametrize("name", spaces.names())
def test_every_space_has_the_axes_where_there_is_a_teacher_and_is_else_as_it_was(name: str) -> None:
    shipped = spaces.load(name)
    candidate, params = next(random_candidates(shipped, replace(TASK, teacher=True)))
    assert 0.3 <= candidate.recipe.teacher_weight <= 0.9
    assert 2 <= candidate.recipe.temperature <= 8
    axes = {name: params.pop(name) for name in ("teacher_weight", "temperature")}
    assert axes["temperature"] == candidate.recipe.temperature
    plain = shipped.suggest(FixedTrial(params), TASK)
    assert plain.recipe == replace(candidate.recipe, teacher_weight=0.0, temperature=Recipe.temperature)
    assert plain.architecture == candidate.architecture


@pytest.mark.parametrize(
    ("weight", "wanted"),
    [
        ("0.25 if task.teacher else 0.0", 0.25),
        ("trial.suggest_float('teacher_weight', 0.0, 0.0) if task.teacher else 0.0", 0.0),
    ],
)
def test_what_a_space_says_of_the_teacher_holds(tmp_path: Path, weight: str, wanted: float) -> None:
    (tmp_path / "own.py").write_text(OWN.format(weight=weight), "utf-8")
    own = spaces.load(tmp_path / "own.py")
    for task, expected in ((TASK, 0.0), (replace(TASK, teacher=True), wanted)):
        candidate, params = next(random_candidates(own, task))
        assert candidate.recipe.teacher_weight == expected
        assert "temperature" not in params


def test_a_space_that_wants_a_teacher_where_there_is_none_is_one_line(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN.format(weight="0.5"), "utf-8")
    done = nas("search", "--space", "own.py", "--budget", "1500", "--epochs", "1", "--trials", "1")
    check_refused(done, "own.py", "teacher_weight", "task.teacher", "--teacher auto")


@pytest.mark.parametrize("n_classes", [2, 10, 200])
@pytest.mark.parametrize(
    "shape", [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 15, 40), (1, 6, 100), (3, 64, 64), (3, 96, 96)]
)
def test_there_is_an_automatic_teacher_for_every_image_and_its_steps_stay_cheap(
    shape: tuple[int, int, int], n_classes: int
) -> None:
    task = Task(shape, n_classes, 5, Budget())
    candidate, params = next(random_candidates(spaces.load(shipped.teacher()), task))
    assert params == {}, "one network, whatever the seed"
    cost = cost_of(candidate.architecture)
    assert 150_000 < cost.params < 180_000
    assert cost.macs < 16_000_000
    assert Network(candidate.architecture, (0.5,) * shape[0], (0.5,) * shape[0])(torch.rand(2, *shape)).shape == (
        2,
        n_classes,
    )


# Stopping and going on ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_proc
@pytest.mark.usefixtures("one_core")
def test_its_training_goes_on_where_it_was_stopped_with_the_same_digits(
    start, nas: Run, fewer: str, tmp_path: Path
) -> None:
    options = (*SEARCH, "--epochs", "8", "--dataset", fewer, "--teacher", "auto")
    process = start(*options)
    read_until(process, "epoch   2/8")
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Interrupted" in output
    assert "Traceback" not in output
    assert "'auto', which is not trained yet" in nas("status", "--study", "taught").stdout
    done = nas(*options)
    assert done.returncode == 0, done.stderr
    assert "epoch   8/8" in done.stdout
    assert nas(*options, "--storage", "whole.db", "--out", "whole").returncode == 0
    continued, whole = (
        teacher_of(find_study(open_storage(str(tmp_path / name)), "taught")) for name in ("runs/nas.db", "whole.db")
    )
    assert continued is not None
    assert whole is not None
    assert (continued.accuracy, continued.epochs) == (whole.accuracy, whole.epochs)
    first, second = (
        read(tmp_path / folder / each.file).network.state_dict() for folder, each in (("runs", continued), (".", whole))
    )
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_the_time_limit_holds_for_the_teacher_too(nas: Run) -> None:
    done = nas(*SEARCH, "--teacher", "auto", "--timeout", "0.1")
    assert done.returncode == 0, done.stderr
    assert "Time is up" in done.stdout
    assert "0 candidates finished" in done.stdout
