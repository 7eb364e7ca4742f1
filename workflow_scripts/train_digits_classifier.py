"""Trains the classifier of digits whose features measure generated digits."""

from inflationary_flows.artifacts.classifiers import save_classifier
from inflationary_flows.data.splits import load_splits
from inflationary_flows.files.files import sha256_of
from inflationary_flows.runtime.job import job
from inflationary_flows.training.classifier import ClassifierSettings, accuracy, fit_classifier

with job(snakemake) as logger:
    params = snakemake.params
    splits = load_splits(snakemake.input.splits)
    settings = {name: value for name, value in params.items() if name not in ("seed", "source")}
    network = fit_classifier(splits.train, splits.train_labels, ClassifierSettings(**settings), seed=params.seed)
    provenance = {
        "splits": sha256_of(snakemake.input.splits),
        "seed": params.seed,
        "settings": settings,
        "validation_accuracy": accuracy(network, splits.validation, splits.validation_labels),
    }
    logger.info("validation accuracy %.4f", provenance["validation_accuracy"])
    save_classifier(snakemake.output.classifier, network, provenance)
