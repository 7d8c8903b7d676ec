"""The images that a study was made with."""

from pathlib import Path

import optuna

from nas import datasets
from nas.datasets import Dataset, Split
from nas.errors import DataError
from nas.study.terms import terms_of


def data_of(study: optuna.Study, data_dir: Path | None = None, *, fetch: bool = True) -> tuple[Dataset, Split]:
    """The data set that a study searched on, and its two parts; `DataError` if its content has changed since.

    Without `fetch` one that would have to be fetched is an error, too.
    """
    terms = terms_of(study)
    if not fetch and not datasets.is_here(terms.dataset, data_dir):
        where = "here" if data_dir is None else f"in {data_dir}"
        raise DataError(f"the data set {terms.dataset} is not {where}: fetch it, or give its --data-dir")
    dataset = datasets.load(terms.dataset, data_dir)
    if dataset.fingerprint != terms.dataset_fingerprint:
        raise DataError(
            f"a model needs the data it was found with, but {terms.dataset} has changed since study "
            f"{study.study_name!r}: give the --data-dir of that time"
        )
    return dataset, datasets.split(dataset, terms.n_validation, terms.split_seed)
