"""The flow of the public API: fitted to a table, judged, and kept in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from inflationary_flows.artifacts.flow_files import read_flow, save_flow
from inflationary_flows.errors import ArtifactError, DataError, shorten
from inflationary_flows.files.files import path_of
from inflationary_flows.mathematics import flow as mathematics
from inflationary_flows.mathematics.flow import SolverSettings
from inflationary_flows.mathematics.noise import NoiseLevel
from inflationary_flows.mathematics.points import Points, checked, like, whole
from inflationary_flows.mathematics.prior import CompressedPrior
from inflationary_flows.mathematics.schedules import ScheduleSettings
from inflationary_flows.seeding import derive_seed

if TYPE_CHECKING:
    from inflationary_flows.inference.posterior import Posterior
    from inflationary_flows.metrics.calibration import Calibration, Kind
    from inflationary_flows.metrics.summary import Summary


class Decoded(NamedTuple, Generic[Points]):
    """Data points given their kept latents alone, in the caller's kind of container.

    Attributes:
        mean: Conditional means, shape (n, D), data units.
        std: Conditional standard deviations, shape (n, D), data units.
    """

    mean: Points
    std: Points


class Flow(mathematics.Flow):
    """A flow that is fitted to a table, and kept in a file; what it does with points is `mathematics.flow.Flow`.

    Attributes:
        record: How it was made, as plain values: schedule, network, training, split, history, versions, summary.
    """

    record: dict[str, Any]

    @classmethod
    def fit(
        cls,
        table: Any,
        *,
        kept_dims: int | Literal["any"] | Sequence[int] | None = None,
        schedule: str | ScheduleSettings = "floor",
        seed: int = 0,
        validation: Any = 0.15,
        test: Any = 0.15,
        columns: Sequence[str] | Literal["auto"] | None = None,
        positive: Sequence[str] = (),
        bounded: Mapping[str, Sequence[float | None]] | None = None,
        integer: Sequence[str] = (),
        standardise: bool = True,
        network: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        solver: SolverSettings | None = None,
        compressed_prior: CompressedPrior | None = None,
        device: str | None = None,
        callbacks: Sequence[Callable[[Mapping[str, Any]], object]] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> Flow:
        """Fits a flow to a table of real numbers, from fifty rows to a million.

        Network and training are chosen from the numbers of rows and columns; `training.recipe` says how. Where rows are
        seen often, the weights that are best on validation rows are kept, and shrunk towards the Gaussian of the data
        as far as these rows ask. Ctrl-C ends training with the best flow so far. The same settings give the same bits
        as in the workflow; of a table with copies of rows, as with `keep_copies_together: true` there.

        Arguments:
            table: A data frame, array or tensor, shape (n, D), at least D + 1 rows of it for training.
            kept_dims: Number d of dimensions to reduce to (PRR); by default all are kept (PRP). With `any`, or bounds
                of d, one network learns for all, and `with_schedule` chooses one afterwards.
            schedule: Kernel, `floor` or `proportional`, or whole settings. Where kept_dims is open, `any` leaves the
                kernel open too, and the inflation_gap of settings is the largest that can be chosen.
            seed: Seed of the split, of initial weights, batches, times and noise.
            validation: Share of rows that the flow is chosen on, or such rows.
            test: Share of rows that `summary` judges the flow on, or such rows; 0 for none, then it takes validation
                rows.
            columns: Names of the columns to take of a data frame, by default all; or `auto`, which takes all, and
                recognises which of those that are not named below are positive, bounded or whole.
            positive: Names of columns of numbers above 0: the flow works on their logarithm. Columns of arrays are
                called x0, x1 and so on.
            bounded: Bounds of columns, (low, high) by name: the flow works on their logit; or (low, None).
            integer: Names of columns of whole numbers: the flow works on them plus noise, and returns whole numbers.
            standardise: Whether columns are divided by their standard deviation before directions are found.
            network: Settings of the network other than the chosen ones: width, blocks, frequencies, bandwidth, space.
            training: Settings of training other than the chosen ones: steps and other fields of `TrainingSettings`.
            solver: Default integration.
            compressed_prior: How compressed latents are drawn: `gaussian`, `empirical` (resampled from training rows),
                or `zero`; by default resampled where rows are many, or can be smoothed.
            device: Device of the network, such as cpu or cuda; by default a GPU if there is one.
            callbacks: Functions that get each row of the training curve, a mapping with step, loss and validation_loss.
            checkpoint: Folder for progress: a call with the same table and settings goes on from there.
            progress: Whether to show a bar with the time left.

        Raises:
            InflationaryFlowsError: if an argument is wrong, or training diverges.
        """
        # Imported here: using a flow needs none of it.
        from inflationary_flows.artifacts.fitting import fit_flow

        flow, record = fit_flow(
            table,
            kept_dims=kept_dims,
            schedule=schedule,
            seed=seed,
            validation=validation,
            test=test,
            columns=columns,
            positive=positive,
            bounded=bounded,
            integer=integer,
            standardise=standardise,
            network=network or {},
            training=training or {},
            solver=solver,
            compressed_prior=compressed_prior,
            device=device,
            callbacks=callbacks,
            checkpoint=checkpoint,
            progress=progress,
        )
        return cls._of(flow, record)

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str = "cpu") -> Flow:
        """Reads a flow from a file of `save`, or of the workflow.

        Arguments:
            path: The file, or the folder that holds `flow.safetensors`.
            device: Device of its network.

        Raises:
            ArtifactError: if the file is missing, truncated, altered, of a later release or not a flow, if it holds
                NaN, or if `path` is no path.
            DataError: if this machine has no such device.
        """
        flow, record = read_flow(path)
        return cls._of(flow if device == "cpu" else flow.to(device), record)

    @classmethod
    def _of(cls, flow: mathematics.Flow, record: Mapping[str, Any]) -> Flow:
        own = cls(
            flow.denoiser,
            flow.basis,
            solver=flow.solver,
            compressed_prior=flow.compressed_prior,
            compressed_latents=flow.compressed_latents,
            columns=flow.columns,
            rows=flow.rows,
            held_out=flow.held_out,
        )
        own.record = dict(record)
        return own

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the flow, with all that is known of how it was made, as one file without code.

        Arguments:
            path: File, usually ending in .safetensors, replaced atomically.

        Raises:
            ArtifactError: if `path` is no path, its folder is missing, it cannot be written, or the denoiser is not a
                network.
        """
        file = path_of(path)
        if file.is_dir() or not file.absolute().parent.is_dir():
            got = f"{file}, {'a folder' if file.is_dir() else 'in a folder that does not exist'}"
            raise ArtifactError("path", "a file in a folder that exists", shorten(got, 200), "make the folder first")
        try:
            save_flow(file, self, self.record)
        except OSError as problem:
            got = f"{file}: {problem.strerror}"
            raise ArtifactError("path", "a file that can be written", got, "check permissions and space") from problem

    def with_schedule(
        self,
        schedule: str | ScheduleSettings | None = None,
        *,
        kept_dims: int | None = None,
        compressed_prior: CompressedPrior | None = None,
    ) -> Flow:
        """The flow of another schedule, by the same network, if it knows several; nothing is trained.

        Arguments:
            schedule: Kernel or settings, as of `fit`; by default the kernel of this flow.
            kept_dims: Number d of dimensions to reduce to (PRR); by default all are kept (PRP).
            compressed_prior: As of `fit`.

        Raises:
            DataError: if the network was trained for one schedule, or not for this one.
        """
        # Imported here: reading a flow needs none of it.
        from inflationary_flows.artifacts.schedule_choice import of_schedule

        return self._of(*of_schedule(self, self.record, schedule, kept_dims, compressed_prior))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Rows of the training curve, as its callbacks got them."""
        return list(self.record.get("history", []))

    def summary(self, table: Any = None, *, seed: int = 0) -> Summary:
        """What the flow is worth on rows that it was not trained on; printed, it is a report with a verdict.

        Arguments:
            table: Rows that were held out, as of `inflate`; by default those that `fit` set aside.
            seed: Seed of samples and of the classifier that is to tell them from the rows.

        Returns:
            A `metrics.summary.Summary`: log-likelihood beside that of a Gaussian, two-sample accuracy, moments of
            latents.

        Raises:
            DataError: if there is no table, and the flow's file holds no summary, or a table of less than three rows.
        """
        # Imported here: reading a flow needs no classifier.
        from inflationary_flows.metrics.summary import Summary, summarise_flow

        if table is None:
            if "summary" not in self.record and self.held_out is not None:
                return summarise_flow(self, self.held_out.numpy(), "held-out", whole(seed, "seed"), self.history)
            if "summary" not in self.record:
                hint = "pass rows that the flow was not trained on: flow.summary(table)"
                raise DataError("summary", "a flow of Flow.fit, or a table", "a flow that was not summarised", hint)
            return Summary.from_dict(self.record["summary"])
        points = self._points(table, "table")
        if len(points) < 3:
            raise DataError("table", "at least 3 rows", str(len(points)), "pass more: they stand for a distribution")
        return summarise_flow(self, points.numpy(), "given", whole(seed, "seed"), self.history)

    def check_calibration(
        self,
        truths: Any = None,
        observed: Any = None,
        *,
        at: Any = None,
        operator: Any = None,
        noise_std: Any = None,
        log_likelihood: Callable[[Tensor, Tensor], Tensor] | None = None,
        simulate: Callable[[np.ndarray], Any] | None = None,
        kind: Kind = "all",
        replicates: int = 200,
        seed: int = 0,
        figure: str | os.PathLike[str] | None = None,
        **sampler: Any,
    ) -> Calibration:
        """Tests whether posteriors of `infer` are calibrated under one's own likelihood; printed, it is a report.

        Arguments:
            truths: Rows that the flow was not trained on, as of `inflate`. By default draws of the flow itself, which
                test the sampler, and not whether the flow is the law of the data.
            observed: Observations of these rows, in their order, as of `infer`. By default they are simulated by
                operator and noise, or by `simulate`.
            at: Your own observation, one row: the local test looks there. What is missing of it is missing in all
                observations that are simulated.
            operator, noise_std: As of `infer`.
            log_likelihood: Instead of these: a torch function of points, shape (n, D), and one observation, shape (m,),
                to shape (n,).
            simulate: Draws an observation of each row of an array, shape (n, D) to (n, m), for a `log_likelihood`, or
                for noise that is thought to differ from that of noise_std.
            kind: `ranks`, `tarp`, `local`, or `all` of them.
            replicates: Truths that are tested, each with its posterior.
            seed: Seed of all.
            figure: File for a figure, ending in .png, .pdf or .svg; it needs matplotlib.
            sampler: Settings of `infer`: chains, draws, warmup.

        Returns:
            A `metrics.calibration.Calibration`: `passed`, `verdict`, and the tests in `rows`, with p-values for their
            number: together they raise a false alarm in at most 5 % of calls.

        Raises:
            InflationaryFlowsError: if arguments do not fit each other, or posteriors cannot be sampled.
        """
        # Imported here: reading a flow needs neither tests nor figures.
        from inflationary_flows.artifacts.checking import check_flow

        problem = {"operator": operator, "noise_std": noise_std, "log_likelihood": log_likelihood, "simulate": simulate}
        settings = {"kind": kind, "replicates": replicates, "seed": whole(seed, "seed"), "settings": sampler}
        return check_flow(self, truths, observed, at, figure, **problem, **settings)

    def sample(self, n: int, seed: int = 0, compressed_prior: CompressedPrior | None = None) -> Any:
        """Generates new rows from the prior.

        Arguments:
            n: Number of rows.
            seed: Seed; the same seed gives the same first latents for any n.
            compressed_prior: Other than the flow's own.

        Returns:
            Rows, shape (n, D), data units: a data frame if the flow's columns have names, else an array.

        Raises:
            DataError: as of `sample_latents`.
        """
        if not self.columns:
            return super().sample(n, seed, compressed_prior)
        import pandas as pd

        latents = self.sample_latents(n, seed, compressed_prior).numpy()
        return self.generate(pd.DataFrame(latents, columns=list(self.latent_columns)))

    @torch.no_grad()
    def decode_kept(self, z: Points, *, draws: int = 64, seed: int = 0) -> Decoded[Points]:
        """Mean and spread of data points given their kept latents alone: what d numbers say of a row.

        Compressed latents are drawn from their prior, and each draw is generated.

        Arguments:
            z: Kept latents, shape (n, d): the first d columns of `inflate`.
            draws: Draws of compressed latents a row.
            seed: Seed of the draws.

        Raises:
            DataError: if z holds anything else than d finite numbers a row, or draws is not at least 2.
        """
        kept, count = self.schedule.kept_dims, whole(draws, "draws", 2)
        own = checked(z, kept, "z", columns=self.latent_columns[:kept])
        compressed = self.sample_latents(count, derive_seed("decode", whole(seed, "seed")))[:, kept:]
        mean, std = [own.new_empty(0, self.dimension)], [own.new_empty(0, self.dimension)]
        for rows in own.split(max(1, self.batch_size // count)) if len(own) else ():
            latents = torch.cat([rows.repeat_interleave(count, 0), compressed.repeat(len(rows), 1)], 1)
            points = self.generate(latents).view(len(rows), count, self.dimension)
            mean.append(points.mean(1))
            std.append(points.std(1))
        return Decoded(*(like(torch.cat(values), z, self.columns) for values in (mean, std)))

    def infer(
        self,
        observed: Any = None,
        *,
        noise_std: NoiseLevel | None = None,
        operator: Any = None,
        log_likelihood: Callable[[Tensor], Tensor] | None = None,
        chains: int = 4,
        draws: int | None = None,
        warmup: int | None = None,
        seed: int = 0,
    ) -> Posterior:
        """Samples the posterior of points given what was observed of each, with the flow as prior.

        p(x | observed) is proportional to the likelihood times the flow's own density; `Posterior.prior` says which
        density compressed latents have. Rows of up to three unknown columns, or of up to ten beside known cells, are
        sampled by importance, others by chains in latents, and those whose chains do not agree by tempering from the
        prior: `Posterior.method` says which.

        Arguments:
            observed: Rows of data with noise; or with holes (NaN), whose other cells are known exactly if there is no
                `noise_std`; or, with an `operator`, what it made of points, shape (rows, m).
            noise_std: Standard deviation of the noise, in units of what is observed: one number, one a column, by name
                perhaps, or a covariance, as of `mathematics.noise.noise_of`.
            operator: A matrix, shape (m, D), or a differentiable function of points, a tensor of shape (n, D), in data
                units, to what is observed of them, shape (n, m).
            log_likelihood: Instead of all of these any log-likelihood: a torch function of points, shape (n, D), to n
                numbers; one posterior.
            chains: Chains, or independent sets of particles, at least 2, so that they can be compared.
            draws: Draws of each; by default enough for the gate where chains mix as they should.
            warmup: Iterations before draws, of chains in latents.
            seed: Seed of all of it; a row's draws do not depend on the other rows but for rounding.

        Returns:
            An `inference.posterior.Posterior`: draws of points and latents, R-hat, effective draws, a verdict.

        Raises:
            DataError: if what was observed, its noise or the operator do not fit the flow.
            InferenceError: if a function gives another shape, or nothing finite where chains start.
        """
        # Imported here: using a flow needs none of it.
        from inflationary_flows.inference.infer import infer

        return infer(
            self,
            observed,
            noise_std=noise_std,
            operator=operator,
            log_likelihood=log_likelihood,
            chains=chains,
            draws=draws,
            warmup=warmup,
            seed=seed,
        )

    def impute(
        self,
        table: Points,
        *,
        draws: int = 20,
        noise_std: NoiseLevel | None = None,
        few_rows: bool = False,
        seed: int = 0,
    ) -> Points:
        """Fills the holes of a table with draws of p(missing | seen), with a warning where these cannot be trusted.

        Arguments:
            table: Rows with holes (NaN), as of `infer`; rows without stay as they are.
            draws: Completed tables.
            noise_std: Noise of the cells that are seen; none if they are known exactly.
            few_rows: Whether draws are as wide as the number of training rows asks for: mean and covariance are drawn
                as well (`inference.few_rows`). For a dozen columns and a hundred rows; it costs twice the time.
            seed: Seed of the draws.

        Returns:
            Of a data frame a data frame of all completed tables, indexed by draw and the table's own index; else an
            array or tensor, shape (draws, n, D).

        Raises:
            DataError: as of `infer`, or if few_rows is asked for of a flow whose file does not say how many there were.
        """
        # Imported here: using a flow needs none of it.
        from inflationary_flows.inference.infer import impute

        rows = self.record.get("split", {}).get("sizes", {}).get("train") if few_rows else None
        if few_rows and rows is None:
            hint = "fit it by Flow.fit, or call inference.few_rows.draws_for_few_rows"
            raise DataError("few_rows", "a flow that knows its training rows", "one that does not", hint)
        result: Points = impute(self, table, draws=draws, noise_std=noise_std, seed=seed, trained_on=rows)
        return result
