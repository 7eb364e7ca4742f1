"""What a configuration asks for of the comparison with injective flows: searches, models, budgets.

A schedule gives the number of kept dimensions, which all methods get; our own flow is one of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from inflationary_flows.config.baselines import Budget
from inflationary_flows.config.settings import budget_settings, schedule_settings
from inflationary_flows.data.oracles import MOST_WEIGHED, find_toy

if TYPE_CHECKING:
    from inflationary_flows.config.study import Study

SEARCH_DIR = "results/baselines/{method}/{dataset}/{schedule}/"
MODEL_DIR = "results/baselines/{method}/{dataset}/{schedule}/seed{seed}/"
COMPARISON_DIR = "results/baselines/comparison/{dataset}/{schedule}/"
COSTS = "results/baselines/costs/{dataset}/{schedule}/seed{seed}.csv"

# Method, data set, schedule; a model also has a seed of training.
SearchName = tuple[str, str, str]
ModelName = tuple[str, str, str, str]


class ComparisonStudy:
    """The comparison of methods of a study.

    Arguments:
        study: Data sets and schedules.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.config = study.config.baselines
        self.methods = sorted(self.config.methods)
        compared = self.config.datasets if self.methods else {}
        self.pairs = [(name, schedule) for name in sorted(compared) for schedule in sorted(compared[name].schedules)]
        self.seeds = [str(seed) for seed in sorted(self.config.seeds)]
        self.searches: list[SearchName] = [(method, *pair) for method in self.methods for pair in self.pairs]
        self.models: list[ModelName] = [(*search, seed) for search in self.searches for seed in self.seeds]

    def is_toy(self, dataset: str) -> bool:
        """Whether the density is known in few dimensions, and with it how posteriors of clean points should cover."""
        return (
            find_toy(self.study.settings_of(dataset)) is not None and self.study.dimension_of(dataset) <= MOST_WEIGHED
        )

    @property
    def toys(self) -> list[str]:
        """Compared data sets of known density."""
        return [dataset for dataset, _ in self.pairs if self.is_toy(dataset)]

    def judged(self, dataset: str, schedule: str) -> list[ModelName]:
        """Models that posteriors of clean points are measured under."""
        return [model for model in self.models if model[1:3] == (dataset, schedule) and self.is_toy(dataset)]

    @cached_property
    def of_images(self) -> list[ModelName]:
        """Models that generate images."""
        return [model for model in self.models if self.config.datasets[model[1]].images is not None]

    @property
    def shown(self) -> list[ModelName]:
        """Models whose points figures show: those of the first seed."""
        return [model for model in self.models if model[3] == self.seeds[0]]

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each method: the name of its module."""
        return {name: self.config.methods[name].kind for name in self.methods}

    @property
    def schedules(self) -> dict[str, dict[str, Any]]:
        """Settings of the schedules of flows and of compared ones, which need not be the same."""
        names = {schedule for _, schedule in (*self.study.pairs, *self.pairs)}
        return {name: schedule_settings(self.study.config, name) for name in sorted(names)}

    @property
    def formats(self) -> dict[str, dict[str, Any]]:
        """Shape and levels of the sets of images among the compared data sets."""
        images = {dataset: self.study.image_of(dataset) for dataset in sorted({dataset for dataset, _ in self.pairs})}
        return {name: {"shape": list(i.shape), "levels": i.levels} for name, i in images.items() if i is not None}

    @property
    def names(self) -> dict[str, Any]:
        """What tables with published numbers know of schedules, data sets and methods."""
        kinds = {name: self.study.kind_of(name) for name in self.study.datasets}
        return {"schedules": self.schedules, "kinds": kinds, "methods": self.kinds}

    @cached_property
    def parts(self) -> dict[str, list[str]]:
        """Small tables of each merged table."""
        if not self.models:
            return {}
        return {
            "baselines": [
                *self.per_model(f"{MODEL_DIR}quality.csv"),
                *self.per_pair(f"{COMPARISON_DIR}comparison.csv"),
                *self.per_model(f"{MODEL_DIR}frechet.csv", self.of_images),
                *self.per_pair(COSTS),
            ],
            "baseline_search": self.per_search(f"{SEARCH_DIR}search.csv"),
            "baseline_coverage": [
                f"{COMPARISON_DIR}coverage.csv".format(dataset=d, schedule=s) for d, s in self.pairs if self.is_toy(d)
            ],
        }

    @property
    def floors(self) -> list[str]:
        """Fresh against fresh points of the compared data sets; those of many coordinates have no such table."""
        datasets = sorted({dataset for dataset, _ in self.pairs})
        return [f"results/metrics/{name}/two_sample_floor.csv" for name in datasets if name in self.study.point_sets]

    @property
    def points(self) -> list[str]:
        """Points that figures show."""
        return self.per_model(f"{MODEL_DIR}points.npz", self.shown)

    def per_search(self, pattern: str) -> list[str]:
        """A pattern filled in for each search."""
        return [pattern.format(method=m, dataset=d, schedule=s) for m, d, s in self.searches]

    def per_model(self, pattern: str, models: list[ModelName] | None = None) -> list[str]:
        """A pattern filled in for each model."""
        chosen = self.models if models is None else models
        return [pattern.format(method=m, dataset=d, schedule=s, seed=n) for m, d, s, n in chosen]

    def per_pair(self, pattern: str) -> list[str]:
        """A pattern filled in for what is measured once a data set and schedule: with the first seed."""
        return [pattern.format(dataset=d, schedule=s, seed=self.seeds[0]) for d, s in self.pairs]

    def images_of(self, model: ModelName) -> list[str]:
        """All images of a model, a file for each sample seed."""
        images = self.config.datasets[model[1]].images
        seeds = sorted(images.sample_seeds) if images else []
        return [f"{self.per_model(MODEL_DIR, [model])[0]}images/sample{seed}.safetensors" for seed in seeds]

    def budget_of(self, dataset: str, schedule: str) -> Budget:
        """What methods may spend, with the resources of their jobs."""
        return self.config.budgets[self._budget_name(dataset, schedule)]

    def decisive_budget(self, dataset: str, schedule: str) -> dict[str, Any]:
        """What of that decides the result of a training."""
        chosen = budget_settings(self.study.config, dataset, schedule)
        # The search alone depends on its share, by its steps.
        return {key: value for key, value in chosen.items() if key != "search_share"}

    def steps_of(self, method: str, dataset: str, schedule: str) -> int:
        """Steps of a method's training: what the budget of a data set buys."""
        return self.config.methods[method].steps[self._budget_name(dataset, schedule)]

    def search_steps(self, method: str, dataset: str, schedule: str) -> int:
        """Steps of the training of each candidate."""
        share = self.budget_of(dataset, schedule).search_share
        return max(1, round(share * self.steps_of(method, dataset, schedule)))

    def methods_of(self, dataset: str, schedule: str) -> dict[str, dict[str, Any]]:
        """Kind and steps of all methods on a data set, by name."""
        kinds = self.kinds
        return {name: {"kind": kinds[name], "steps": self.steps_of(name, dataset, schedule)} for name in self.methods}

    def _budget_name(self, dataset: str, schedule: str) -> str:
        return self.config.datasets[dataset].schedules[schedule]
