"""What `pip install` gives: the wheel and an editable install, each in a fresh environment, used from another folder.

The fresh environments borrow the dependencies from the one that runs the tests, and nothing needs a package index.
"""

import importlib
import os
import re
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[1]


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return table


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment, and an empty folder to work in."""

    home: Path
    elsewhere: Path

    @property
    def bin(self) -> Path:
        return self.home / ("Scripts" if os.name == "nt" else "bin")

    def pip_install(self, *arguments: str | Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.home), "install", "--quiet"]
        output([*pip, "--no-index", "--no-deps", "--no-build-isolation", *arguments], cwd=self.elsewhere)

    def python(self, code: str) -> str:
        return output([self.bin / "python", "-I", "-c", code], cwd=self.elsewhere)

    def nas(self, *arguments: str) -> str:
        return output([self.bin / "nas", *arguments], cwd=self.elsewhere)


def output(command: list[str | Path], cwd: Path) -> str:
    """What the command prints, or its complaints where it fails. It sees none of this run's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NAS_"))}
    done = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def fresh_environment(folder: Path) -> Environment:
    environment = Environment(home=folder / "env", elsewhere=folder / "elsewhere")
    environment.elsewhere.mkdir()
    venv.create(environment.home, symlinks=os.name != "nt")
    purelib = Path(environment.python("import sysconfig; print(sysconfig.get_path('purelib'))"))
    # Borrowed folders come after the fresh one, and .pth files in them (an editable install's) are not followed.
    borrowed = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    (purelib / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    output([*pip, "--wheel-dir", folder, CHECKOUT], cwd=folder)
    (built,) = folder.glob("budget_nas-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = fresh_environment(tmp_path_factory.mktemp("installed"))
    environment.pip_install(wheel)
    return environment


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def test_wheel_runs_from_its_own_files(installed: Environment) -> None:
    package = Path(installed.python("import nas; print(nas.__file__)")).resolve().parent
    assert package.is_relative_to(installed.home.resolve())
    assert (package / "py.typed").is_file()


def test_wheel_has_the_command(installed: Environment) -> None:
    version = installed.python("from importlib.metadata import version; print(version('budget-nas'))")
    assert version in installed.nas("--version")
    assert "--budget" in installed.nas("search", "--help")


@pytest.mark.parametrize(("folder", "pattern"), [("search_spaces", "**/*.py"), ("studies", "**/*.toml")])
def test_wheel_carries(installed: Environment, folder: str, pattern: str) -> None:
    shipped = Path(installed.python(f"from nas import shipped; print(shipped.{folder}())")).resolve()
    assert shipped.is_relative_to(installed.home.resolve())
    assert names(shipped, pattern) == names(CHECKOUT / folder, pattern) != []


def test_wheel_loads_a_shipped_space_by_name(installed: Environment) -> None:
    path = Path(installed.python("from nas.space import finding; print(finding.load('tiny').path)")).resolve()
    assert path.is_relative_to(installed.home.resolve())


def test_editable_install_reads_the_checkout(tmp_path: Path) -> None:
    environment = fresh_environment(tmp_path)
    environment.pip_install("--editable", CHECKOUT)
    code = "from nas import shipped; print(shipped.__file__, shipped.search_spaces(), shipped.studies(), sep='\\n')"
    module, search_spaces, studies = (Path(line).resolve() for line in environment.python(code).splitlines())
    assert module == CHECKOUT / "nas" / "shipped.py"
    assert search_spaces == CHECKOUT / "search_spaces"
    assert studies == CHECKOUT / "studies"


def requirements() -> list[Requirement]:
    groups = [project()["dependencies"], *project()["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def pins() -> dict[str, str]:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_every_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_an_sdist_has_all_that_its_tests_read() -> None:
    """That is all of the checkout but what belongs to git."""
    table = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    packed = set(table["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"])
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a checkout")
    tracked = output(["git", "ls-files"], cwd=CHECKOUT).splitlines()
    assert {path.partition("/")[0] for path in tracked} - packed <= {".gitignore", ".gitattributes", ".dockerignore"}


def test_the_hosts_workflow_calls_what_there_is() -> None:
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert os.access(CHECKOUT / commands[0], os.X_OK)
    for command in commands:
        if command.startswith("nas "):
            name, *options = command.split()[1:]
            click_command = importlib.import_module(f"nas.cli.{name}")
            getattr(click_command, name).make_context(name, options)
    (chaos,) = (command for command in commands if command.startswith("make chaos "))
    assert "tests/chaos/run.py" in output(["make", "--dry-run", "chaos"], cwd=CHECKOUT)
    helped = output([sys.executable, "tests/chaos/run.py", "--help"], cwd=CHECKOUT)
    assert all(option in helped for option in re.findall("--[a-z]+", chaos))


def test_the_container_installs_an_extra_that_there_is_and_searches() -> None:
    text = (CHECKOUT / "Dockerfile").read_text("utf-8")
    (extra,) = re.findall(r'"/nas\[(\w+)\]"', text)
    assert extra in project()["optional-dependencies"]
    assert 'ENTRYPOINT ["nas", "search"]' in text
