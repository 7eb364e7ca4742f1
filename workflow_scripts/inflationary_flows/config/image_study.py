"""What a configuration asks for of images: draws by each flow, their shards, extractors of features, sweeps.

Networks are those of the first training seed, and of `repeats`.  A sample seed counts independent sets of images, as in
the paper; a shard is a part of such a set that one job generates.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inflationary_flows.data.download import file_name
from inflationary_flows.networks.costs import evaluations_of

if TYPE_CHECKING:
    from inflationary_flows.config.study import FlowName, Study

# Where images of one sample seed are, and what is measured of them.
SAMPLES = "results/images/{dataset}/{schedule}/seed{seed}/sample{sample_seed}/"
PICTURES = "results/images/{dataset}/{schedule}/seed{seed}/pictures.npz"
FRECHET = "results/metrics/{dataset}/{schedule}/seed{seed}/sample{sample_seed}/frechet_{extractor}"
ROUNDTRIP = "results/metrics/{dataset}/{schedule}/seed{seed}/sample{sample_seed}/image_roundtrip.csv"
SWEEP = "results/metrics/{dataset}/{schedule}/seed{seed}/sweep/{solver}_{steps}.csv"
CLASSIFIER = "results/extractors/digits_classifier.safetensors"
# Schedules of images that no flow makes.
GAUSSIAN, HELD_OUT = "gaussian", "held_out"

# Data set, schedule, training seed, sample seed.
ImageRun = tuple[str, str, str, int]


class ImageStudy:
    """The experiments on images of a study.

    Arguments:
        study: Flows and data sets.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.sets: list[str] = sorted(study.experiments["images"])

    def settings_of(self, dataset: str) -> dict[str, Any]:
        """Settings of a data set's experiments on images."""
        settings: dict[str, Any] = self.study.experiments["images"][dataset]
        return settings

    def sample_seeds_of(self, dataset: str) -> list[int]:
        """Seeds of the sets of images of a data set."""
        return sorted(self.settings_of(dataset)["sample_seeds"])

    @cached_property
    def flows(self) -> list[FlowName]:
        """Flows that generate images."""
        return self.study.first_seed([flow for flow in self.study.flows if flow[0] in self.sets])

    @cached_property
    def generated(self) -> list[ImageRun]:
        """Sets of images that flows generate; those of repeated trainings come from latents of their own."""
        runs: list[ImageRun] = [(*flow, sample) for flow in self.flows for sample in self.sample_seeds_of(flow[0])]
        for flow in self.study.repeated(self.flows):
            if flow not in self.flows:
                earlier = [sample for dataset, schedule, _, sample in runs if (dataset, schedule) == flow[:2]]
                runs.append((*flow, max(earlier) + 1))
        return sorted(runs)

    @cached_property
    def runs(self) -> list[ImageRun]:
        """All sets of images: also those of the Gaussian of the data, and held-out ones.

        Held-out images are compared with others only: of a reference that holds them they would be a part.
        """
        seed = self.study.seeds[0]
        gaussian = sorted({(dataset, GAUSSIAN, seed, sample) for dataset, _, _, sample in self.generated})
        held_out = [run for name in self.sets for run in self.held_out(name)]
        return [*self.generated, *gaussian, *held_out]

    def held_out(self, dataset: str) -> list[ImageRun]:
        """The set of held-out images of a data set, if the reference does not hold them."""
        compared = self.settings_of(dataset)["reference"] == "train"
        return [(dataset, HELD_OUT, self.study.seeds[0], self.sample_seeds_of(dataset)[0])] if compared else []

    def held_out_shards(self, dataset: str) -> list[str]:
        """Their files."""
        return [path for run in self.held_out(dataset) for path in self.shards(run)]

    def first_images(self, dataset: str) -> range:
        """Numbers of the first images of all shards of a set of images."""
        settings = self.settings_of(dataset)
        return range(0, settings["samples"], settings["shard_size"])

    def count_of(self, dataset: str, shard: int) -> int:
        """How many images a shard has."""
        settings = self.settings_of(dataset)
        return int(min(settings["shard_size"], settings["samples"] - self.first_images(dataset)[shard]))

    def shards(self, run: tuple[Any, ...]) -> list[str]:
        """Files of all shards of a set of images, an `ImageRun` and perhaps more."""
        numbers = [0] if run[1] == HELD_OUT else range(len(self.first_images(run[0])))
        return [f"{fill(SAMPLES, run)}shard{number}.safetensors" for number in numbers]

    @property
    def all_shards(self) -> list[str]:
        """Files of all sets of images, with their sheets."""
        shards = [path for run in self.runs for path in self.shards(run)]
        return shards + [path.replace(".safetensors", ".png") for path in shards]

    def extractors_of(self, dataset: str) -> list[str]:
        """Extractors whose features compare images of a data set."""
        names: list[str] = self.settings_of(dataset)["extractors"]
        return names

    def weights_of(self, extractor: str) -> list[str]:
        """The file of an extractor's weights, unless it comes in a package."""
        inception = self.study.config.extractors.inception
        if extractor == "digits_classifier":
            return [CLASSIFIER]
        if extractor != "inception" or inception is None:
            return []
        if inception.download is None:
            return [str(inception.path)]
        return [f"results/downloads/extractors/{file_name(inception.download.url)}"]

    @property
    def inception_settings(self) -> dict[str, Any]:
        """Settings of the extractor inception; empty if it is not configured."""
        return self.study.resolved["extractors"].get("inception") or {}

    def inception(self, name: str, extractors: list[str] | str | None) -> Any:
        """A setting of the extractor inception; none where it is not among the extractors."""
        return self.inception_settings.get(name) if extractors and "inception" in extractors else None

    @cached_property
    def frechet_tables(self) -> list[str]:
        """Small tables of distances, one for each set of images and extractor."""
        return [f"{fill(FRECHET, run, extractor=name)}.csv" for run in self.runs for name in self.extractors_of(run[0])]

    @cached_property
    def roundtrip_tables(self) -> list[str]:
        """Small tables of round trips, one for each flow of the first training seed and each sample seed."""
        return [fill(ROUNDTRIP, (*flow, sample)) for flow in self.flows for sample in self.sample_seeds_of(flow[0])]

    def pictures(self, dataset: str) -> list[str]:
        """Pictures of all flows of a set of images, in the order of `by_dimensions`."""
        return [fill(PICTURES, flow) for flow in self.by_dimensions(dataset)]

    def levels(self, dataset: str) -> int | None:
        """Highest grey level of a set of images."""
        image = self.study.image_of(dataset)
        return None if image is None else image.levels

    @cached_property
    def references(self) -> list[str]:
        """Features of real images with their protocols, and the classifier that reads those of digits."""
        pairs = [(dataset, name) for dataset in self.sets for name in self.extractors_of(dataset)]
        files = [f"results/references/{d}/{name}.{suffix}" for d, name in pairs for suffix in ("safetensors", "json")]
        return files + ([CLASSIFIER] if any(name == "digits_classifier" for _, name in pairs) else [])

    @cached_property
    def sweeps(self) -> list[str]:
        """Small tables of the measurements against evaluations: one for each flow, solver and number of steps."""
        return [
            fill(SWEEP, flow, solver=solver, steps=count)
            for flow in self.flows
            for solver, counts in self.settings_of(flow[0]).get("sweep", {"steps": {}})["steps"].items()
            for count in counts
        ]

    def by_dimensions(self, dataset: str) -> list[FlowName]:
        """Flows of a set of images in the order of kept dimensions and gaps; PRP last."""

        def place(flow: FlowName) -> tuple[float, float, str]:
            chosen = self.study.config.schedules[flow[1]]
            return chosen.kept_dims or math.inf, chosen.inflation_gap or 0.0, flow[1]

        return sorted((flow for flow in self.flows if flow[0] == dataset), key=place)

    def evaluations(self, dataset: str, way: int, wildcards: Any) -> int:
        """Evaluations of single images that a job makes.

        Arguments:
            dataset: Set of images.
            way: Evaluations of one way through the flow.
            wildcards: They tell which job it is: one of a sweep, a shard, round trips, or pictures.
        """
        settings = self.settings_of(dataset)
        if hasattr(wildcards, "steps"):
            sweep = settings["sweep"]
            images = sweep["samples"] + 2 * sweep["roundtrip"]
            return int(images * evaluations_of(wildcards.solver, int(wildcards.steps)))
        if hasattr(wildcards, "shard"):
            return self.count_of(dataset, int(wildcards.shard)) * way
        # Pictures: there, back, and new ones.
        images = 2 * settings["roundtrip"] if hasattr(wildcards, "sample_seed") else 3 * settings["pictures"]
        return int(images * way)


def fill(pattern: str, run: tuple[Any, ...], **others: Any) -> str:
    """A pattern with {dataset}, {schedule}, {seed} and perhaps {sample_seed}, filled in."""
    names = ("dataset", "schedule", "seed", "sample_seed")
    return pattern.format(**dict(zip(names, run, strict=False)), **others)
