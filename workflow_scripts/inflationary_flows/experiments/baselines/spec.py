"""What is shown of the flow and of the methods beside it."""

from __future__ import annotations

from inflationary_flows.experiments.registry import FLOW_COLUMNS, Experiment, Figure, Table

_METHOD = {"method": "name of the method in the configuration"}
_FEW = (
    "Hollow markers: points of d random numbers, with our flow's compressed latents at zero, injective flows without "
    "residual noise, the autoencoder without that of its decoder."
)
_MARKERS = "Markers are means over training seeds with bars of two standard errors. Faint dots are single seeds."

EXPERIMENT = Experiment(
    parts=lambda study: study.comparison.parts,
    reads=lambda study, dataset: {
        "floors": study.comparison.floors,
        "points": study.comparison.points,
    },
    drawing=lambda study, dataset: {"models": study.comparison.shown, "images": study.comparison.formats},
    when=lambda study: bool(study.comparison.models),
    stage="baselines",
    shown=(
        Figure(
            "baseline_samples",
            "B15",
            "Samples of our flow and of injective flows",
            "Injective flows",
            f"""
            Distance of generated points to held-out ones, by method: energy distance in standardised coordinates
            (above), and the accuracy of a classifier that tells both apart, with a line at one half (below). {_MARKERS}
            {_FEW} Values in the grey range, up to the 95 % point between as many fresh points, cannot be told from those
            of a perfect model. Grey markers: the exact density, the Gaussian of the data (hollow: in the plane of its
            first principal components), a flat box. Paper: claims better samples than those of
            injective flows, by the images of its table 4. Here: toys and other sets are compared as well.
            """,
        ),
        Figure(
            "baseline_reconstruction",
            "B16",
            "Reconstruction error at equal latent dimension",
            "Injective flows",
            f"""
            Errors of held-out points after a map to latents and back, by method, as means over points and coordinates
            in squared units of the data. Above: from as many latents as the schedule keeps; our flow sets its
            compressed latents to zero. PCA, in grey, is the reconstruction to beat. Below: from all latents of a method,
            which for injective flows and the autoencoder are the same. {_MARKERS}
            """,
        ),
        Figure(
            "baseline_frechet",
            "B17",
            "Frechet distances of our flow and of injective flows",
            "Injective flows",
            """
            Frechet distances of generated images to real ones, by method. Axes name the extractor of features; values
            of two extractors cannot be compared. Markers are means over training seeds, each over all its sample seeds,
            with bars of two standard errors. Faint dots are single seeds, and hollow markers the best sample seeds,
            where there are several. Paper: table 4 has the best FID of our flow and of three injective ones on
            CIFAR-10. Here: the image sets of the configuration, with equal numbers of parameters and equal training
            time for all methods.
            """,
            exists=lambda study: bool(study.comparison.of_images),
        ),
        Figure(
            "baseline_coverage",
            "B18",
            "Coverage of posteriors under our flow and under injective flows",
            "Injective flows",
            """
            Expected coverage minus nominal level of posteriors of clean points given noisy ones, under the priors that
            each method has learned: means over training seeds, with faint lines for single seeds. Each is shown at the
            reference where it is worst: points around the observation, the centre of the data, or points of a grid.
            Rows are levels of noise, in standard deviations of the data. The grey band holds two standard errors of a
            single network; the worst of many references leaves it by chance, as the exact density shows. Paper: claims
            that inflationary flows are better calibrated than injective ones. Here: the same test for all methods, and
            for a Gaussian and a flat box, which it has to reject.
            """,
            exists=lambda study: bool(study.comparison.toys),
        ),
        Figure(
            "baseline_scores",
            "B22",
            "Scores of posteriors under our flow and under other methods",
            "Injective flows",
            f"""
            Posteriors of clean points given noisy ones, at the strongest noise, by method. Above: largest difference of
            coverage and level over levels and references. Middle: what the mean log score of the truth lacks, and below,
            what the energy score has more, than under the exact density, which no prior beats on average. {_FEW}
            {_MARKERS} Grey markers are priors that nobody trained.
            """,
            exists=lambda study: bool(study.comparison.toys),
        ),
        Figure(
            "baseline_costs",
            "B19",
            "Parameters and times of our flow and of injective flows",
            "Injective flows",
            f"""
            Costs of the methods, timed in turns on the same machine: trained parameters, seconds of training (those of
            a step times the number of steps), and seconds for a generated point. The grey band is a fifth above and
            below our flow, within which budgets count as equal. A point takes one pass through an injective flow, and
            many evaluations of the network of ours. {_MARKERS}
            """,
        ),
        Figure(
            "baseline_points",
            "B20",
            "Points and images of our flow and of injective flows",
            "Injective flows",
            """
            Points or images that each method generates, a column for each, of the first training seed and without
            selection. Toys: generated points over held-out ones in grey, in the plane or along the first three
            principal directions. Images: generated ones, and below them held-out ones with their reconstructions from
            as many latents as the schedule keeps.
            """,
        ),
        Table(
            "baselines",
            "B18",
            "Our flow and other methods",
            "Injective flows",
            """
            Our flow, other methods and untrained references, one row for each method, data set, schedule, training seed and metric:
            distances of generated to held-out points, errors of reconstructions and round trips, coverage and
            scores of posteriors, calibration of encoders, Frechet distances, and costs. All methods keep as many dimensions as the schedule, and get the
            parameters and the training time of our flow. Hyper-parameters are searched in the same way for all. ``n``
            is the number of points, images or rounds that a value comes from.
            """,
            columns={
                **_METHOD,
                **FLOW_COLUMNS,
                "metric": "see below",
                "random": "random numbers of a generated point, `D` or `d`; empty if it does not matter",
                "value": "its value",
                "n": "points, replicates, images of a sample seed, or rounds of timing",
            },
            notes="""
            `schedule` says how many dimensions all methods keep. Besides methods there are `exact`, fresh points of a
            toy, `gaussian`, with mean and covariance of the training data (PCA), and `box`, flat on the range of these.
            They have the first seed. `random`: of `D` random numbers, a point of an injective flow has Gaussian noise
            with the spread of its residuals along each principal direction, and one of an autoencoder that of its
            decoder; of `d`, our flow's compressed latents are 0, those of a neural spline flow beyond the first d too,
            and PCA stays in its plane. Frechet distances and times are of the method's own way: D numbers of all but
            injective flows. This is the only table with times, which differ from
            run to run.

            | metric | what | value of a perfect model |
            |---|---|---|
            | `energy_distance` | unbiased energy distance of generated to held-out points, standardised coordinates | about that of `two_sample_floor.csv` for as many points |
            | `c2st_accuracy` | accuracy of a classifier that tells them apart | one half |
            | `reconstruction_mse` | error of held-out points, each from as many latents as are kept, data units squared: mean over points and coordinates | the variance of the data across the surface |
            | `roundtrip_mse` | the same from all latents of a method | 0; of injective flows, `reconstruction_mse` |
            | `tarp_error_{noise}` | toys: largest difference of coverage and level in `baseline_coverage.csv`, over levels and references | that of `exact` |
            | `tarp_p_{noise}` | `p_value` there | above .01 |
            | `log_score_{noise}` | mean log posterior density of the truth, both blurred by a tenth of the data's standard deviation, which is the unit; nats | that of `exact` |
            | `energy_score_{noise}` | mean energy score of the posterior, standard deviations of the data; less is better | that of `exact` |
            | `q_width` | autoencoders: what the standard deviations of q(z given x) lack, as a factor, for pairs drawn from the model itself; above 1 is overconfident | 1 |
            | `q_coverage_50` | share of the true latents in the central half of q | one half |
            | `q_sbc_p`, `q_tarp_error`, `q_tarp_p` | tests of q by ranks and by coverage | p above .01 |
            | `q_log_score`, `q_kl` | mean log density of the true latents under q, nats; what the exact posterior's is more (d up to 2) | `q_kl`: 0 |
            | `tarp_ess_{noise}` | effective sample size that all but one posterior in a hundred exceed | the larger, the more reliable the coverage |
            | `fid`, `fd_...` | image sets: Frechet distance by the features of an extractor, names as in `frechet.csv`, mean over sample seeds | 0, and more with fewer images |
            | `fid_best`, `fd_..._best` | the smallest over sample seeds, as in table 4 of the paper | likewise |
            | `parameters`, `steps` | trained parameters, steps of the training | |
            | `step_seconds`, `training_seconds` | seconds of a step, median over rounds in which all methods take turns, and that times `steps` | |
            | `sample_seconds` | seconds of a generated point, when `n` are generated at once | |
            """,
        ),
        Table(
            "baseline_coverage",
            "B19",
            "Coverage of posteriors of clean points, by method",
            "Injective flows",
            """
            Expected coverage of posteriors of clean points against the nominal level, with its standard error, for each
            method, noise and reference. Priors are samples of the method's model. ``p_value`` tests all levels and
            references at once.
            """,
            columns={
                **_METHOD,
                **FLOW_COLUMNS,
                "random": "random numbers of a point of the prior, `D` or `d`",
                "noise_std": "standard deviation of the noise, in those of the data",
                "reference": "`random`, around the observation; `centre` of the data; or the `worst` of these and of a fixed grid",
                "level": "nominal level",
                "coverage": "expected coverage around it",
                "se": "its standard error",
                "worst": "largest difference of coverage and level around any reference",
                "p_value": "tests all levels and references at once: the least of their p-values times their number",
                "looks": "number of these references",
                "replicates": "true points",
            },
            notes="""
            As `tarp.csv`, with samples of the model as prior and the settings of `experiments.tarp`. References around
            an observation alone cannot tell a flat prior from the right one. The grid has three points a coordinate, two
            standard deviations apart, with the centre of the data in the middle. A model may have
            few samples near an observation. Such posteriors are not refused; their coverage shows it.
            """,
        ),
        Table(
            "baseline_search",
            "B20",
            "Candidates of the search for hyper-parameters",
            "Injective flows",
            """
            The candidates of each method's search for hyper-parameters, the steps that each was trained for, and the
            energy distance of its generated points to validation points. A candidate without a value diverged. The one
            with the smallest distance is chosen. All methods have as many candidates, each trained for the same share
            of its method's steps.
            """,
            columns={
                **_METHOD,
                "dataset": "data set",
                "schedule": "schedule",
                "candidate": "number of the configured candidate, from 0",
                "settings": "its hyper-parameters, as JSON",
                "steps": "training steps",
                "metric": "`energy_distance`",
                "value": "energy distance to validation points; empty if training diverged",
                "chosen": "whether it is the chosen one",
            },
        ),
    ),
)
