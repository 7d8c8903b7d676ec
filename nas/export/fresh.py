"""Uses an exported file as its user will, in a process of its own and without nas: `python -I fresh.py NAME FOLDER`.

In the working directory it reads a question, batches of images and the kind of the file: `source` is NAME.py with
NAME.safetensors, `definition` NAME.py without weights, `program` NAME.pt2. It leaves an answer: the scores, and the
parameters as counted and as stated. FOLDER is where torch is installed. It is a script, and must not import anything of
nas itself.
"""

import importlib
import sys
from typing import Any, Literal

QUESTION = "question.pt"
ANSWER = "answer.pt"
SEED = 0  # of the random weights of a network that is not trained
Kind = Literal["source", "definition", "program"]


def main(name: str, torch_folder: str) -> None:
    hide_nas()
    sys.path.insert(0, "")  # the working directory, as for someone who imports the file there
    sys.path.append(torch_folder)  # which -I leaves out, where torch is among the user's own packages
    import torch

    question = torch.load(QUESTION, weights_only=True)
    torch.set_num_threads(question["threads"])  # sums are split between threads: other threads, other roundings
    model, stated = load_program(name) if question["kind"] == "program" else load_source(name, question["kind"])
    with torch.no_grad():
        scores = torch.cat([model(batch) for batch in question["batches"]])
    n_params = sum(parameter.numel() for parameter in model.parameters())
    torch.save({"scores": scores, "params": n_params, "num_params": n_params if stated is None else stated}, ANSWER)


def load_source(name: str, kind: Kind) -> tuple[Any, int]:
    """The network of NAME.py, and the number of parameters stated there."""
    import torch

    module = importlib.import_module(name)
    torch.manual_seed(SEED)
    model = module.load() if kind == "source" else module.Net().eval()
    if model.training:
        raise RuntimeError("load() did not return the network in eval mode")
    return model, module.NUM_PARAMS


def load_program(name: str) -> tuple[Any, None]:
    """The network of NAME.pt2, which states no number."""
    import torch

    return torch.export.load(f"{name}.pt2").module(), None


def hide_nas() -> None:
    """Make `import nas` fail, which may be installed in this Python."""
    sys.modules["nas"] = None  # type: ignore[assignment]
    try:
        import nas  # noqa: F401
    except ModuleNotFoundError:
        return
    raise RuntimeError("nas can be imported in the process that is to do without it")


if __name__ == "__main__":
    main(*sys.argv[1:])
