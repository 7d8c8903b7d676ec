"""Uses an exported file as its user will, in a process of its own and without nas: `python -I fresh.py NAME FOLDER`.

In the working directory it reads NAME.py, NAME.safetensors if it is trained, and a question, batches of images, and
leaves an answer: the scores, and the parameters as counted and as stated. FOLDER is where torch is installed. It is a
script, and must not import anything of nas itself.
"""

import importlib
import sys

QUESTION = "question.pt"
ANSWER = "answer.pt"
SEED = 0  # of the random weights of a network that is not trained


def main(name: str, torch_folder: str) -> None:
    hide_nas()
    sys.path.insert(0, "")  # the working directory, as for someone who imports the file there
    sys.path.append(torch_folder)  # which -I leaves out, where torch is among the user's own packages
    module = importlib.import_module(name)
    import torch

    question = torch.load(QUESTION, weights_only=True)
    torch.set_num_threads(question["threads"])  # sums are split between threads: other threads, other roundings
    torch.manual_seed(SEED)
    model = module.load() if question["trained"] else module.Net().eval()
    if model.training:
        raise RuntimeError("load() did not return the network in eval mode")
    with torch.no_grad():
        scores = torch.cat([model(batch) for batch in question["batches"]])
    n_params = sum(parameter.numel() for parameter in model.parameters())
    torch.save({"scores": scores, "params": n_params, "num_params": module.NUM_PARAMS}, ANSWER)


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
