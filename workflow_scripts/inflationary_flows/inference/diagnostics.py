"""Whether chains have converged: rank-normalised R-hat, effective sample sizes, BFMI, divergences, and the gate.

Sources: Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021) for R-hat and effective sample sizes, Betancourt (2016)
for the Bayesian fraction of missing information, both as ArviZ computes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from inflationary_flows.errors import InferenceError
from inflationary_flows.inference.convergence import bfmi, ess, rhat

if TYPE_CHECKING:
    import xarray as xr

# Hint for a failed quantity, by the beginning of its name.
_REMEDIES = {
    "rhat": "run longer chains (draws, warmup), or look at the traces for one that is stuck",
    "ess": "raise draws, or chains",
    "divergences": "raise target_acceptance, or take more solver steps",
    "bfmi": "run a longer warmup; a low BFMI says that energies are explored too slowly",
}
# Means that are reported where a sampler has them.
_STATISTICS = ("tree_depth", "acceptance", "step_size", "moved")


def diagnose(posterior: xr.Dataset, gate: Mapping[str, float]) -> list[dict[str, Any]]:
    """Computes the gate's diagnostics, and others that explain a failure.

    Arguments:
        posterior: From `posterior_dataset`, of any sampler.
        gate: Bounds `rhat`, `ess`, `bfmi`, `divergences`.

    Returns:
        Rows of quantity, value, bound (None where there is none), passed.
    """
    weights = posterior["weights"].values
    rows = []
    for name, values, bound in (
        ("rhat", rhat(weights), gate["rhat"]),
        ("ess_bulk", ess(weights), gate["ess"]),
        ("ess_tail", ess(weights, "tail"), gate["ess"]),
    ):
        rows += [_row(f"{name}_weight{k}", value, bound, at_most=name == "rhat") for k, value in enumerate(values, 1)]
    if "latents" in posterior:
        latents = posterior["latents"].values
        rows += [
            _row("rhat_latents_max", rhat(latents).max(), gate["rhat"], at_most=True),
            _row("ess_bulk_latents_min", ess(latents).min(), gate["ess"], at_most=False),
        ]
    if "energy" in posterior:
        rows += [
            _row("divergences", posterior["diverging"].sum(), gate["divergences"], at_most=True),
            _row("bfmi_min", bfmi(posterior["energy"].values).min(), gate["bfmi"], at_most=False),
        ]
    rows += [_row(f"{name}_mean", posterior[name].mean()) for name in _STATISTICS if name in posterior]
    if "leapfrogs" in posterior:
        rows.append(_row("leapfrogs", posterior["leapfrogs"].sum()))
    return rows


def _row(quantity: str, value: SupportsFloat, bound: float | None = None, *, at_most: bool = True) -> dict[str, Any]:
    number = float(value)
    # Not a number passes nothing.
    passed = True if bound is None else bool(number <= bound if at_most else number >= bound)
    return {"quantity": quantity, "value": number, "bound": bound, "passed": passed}


def check_gate(rows: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuses a posterior that has not converged.

    Arguments:
        rows: From `diagnose`.
        where: The posterior's name, for the message.

    Raises:
        InferenceError: naming the first quantity that fails, its bound, and what to change.
    """
    for row in rows:
        if not row["passed"]:
            quantity = str(row["quantity"])
            at_most = quantity.startswith(("rhat", "divergences"))
            remedy = next(text for beginning, text in _REMEDIES.items() if quantity.startswith(beginning))
            raise InferenceError(
                f"{where}: {quantity}",
                f"at {'most' if at_most else 'least'} {row['bound']:g}",
                f"{row['value']:.4g}",
                f"{remedy} (experiments.hmc)",
            )


def summarise_weights(posterior: xr.Dataset, truth: Sequence[float]) -> list[dict[str, Any]]:
    """Summarises the posterior of every weight.

    Returns:
        Rows of weight (from 1), mean, sd, q05, q25, q75, q95, truth, covered (truth between q05 and q95), rhat,
        ess_bulk, ess_tail.
    """
    weights = posterior["weights"].values
    draws = posterior["weights"].stack(sample=("chain", "draw")).values
    r_hat, bulk, tail = rhat(weights), ess(weights), ess(weights, "tail")
    rows = []
    for k, true in enumerate(truth):
        q05, q25, q75, q95 = np.quantile(draws[k], [0.05, 0.25, 0.75, 0.95])
        rows.append(
            {
                "weight": k + 1,
                "mean": float(draws[k].mean()),
                "sd": float(draws[k].std(ddof=1)),
                "q05": q05,
                "q25": q25,
                "q75": q75,
                "q95": q95,
                "truth": true,
                "covered": bool(q05 <= true <= q95),
                "rhat": float(r_hat[k]),
                "ess_bulk": float(bulk[k]),
                "ess_tail": float(tail[k]),
            }
        )
    return rows
