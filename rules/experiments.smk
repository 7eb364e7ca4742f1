"""What the experiments on inference and calibration look at: flows, posteriors, members.

Needs common.smk; makes nothing.
"""

HMC = EXPERIMENTS["hmc"]
CHAINS = range(HMC["chains"])

PROPAGATED = [
    flow for flow in FLOWS if flow[0] in EXPERIMENTS["propagation"]["examples"]
]
HMC_FLOWS = [flow for flow in FLOWS if flow[0] in HMC["datasets"]]

# Each sampler with its number of observations; the collapsed one also sees what the joint one does.
POSTERIORS = sorted(
    {
        ("joint", HMC["joint"]["observations"]),
        ("collapsed", HMC["joint"]["observations"]),
        ("collapsed", HMC["collapsed"]["observations"]),
    }
)
POSTERIOR = "results/inference/{{dataset}}/{{schedule}}/seed{{seed}}/{sampler}_n{n}/"
MEASURED = "results/metrics/{{dataset}}/{{schedule}}/seed{{seed}}/{sampler}_n{n}/"

EFFICIENCY = EXPERIMENTS["sampler_efficiency"]
SBC, TARP = EXPERIMENTS["sbc"], EXPERIMENTS["tarp"]
IDENTIFIABILITY, COVERAGE = EXPERIMENTS["identifiability"], EXPERIMENTS["coverage"]
RESIDUALS = EXPERIMENTS["residuals"]

TARP_FLOWS = [flow for flow in FLOWS if flow[0] in TARP["datasets"]]
COMPARED = [
    (dataset, schedule)
    for dataset, schedules in sorted(IDENTIFIABILITY["flows"].items())
    for schedule in sorted(schedules)
]
COVERAGE_FLOWS = [
    (dataset, schedule, seed)
    for dataset, schedule in PAIRS
    if dataset in COVERAGE["datasets"]
    for seed in sorted(COVERAGE["seeds"])
]

# The study looks at what flows lose that reduce dimensions. A toy stands beside the same toy with a thin coordinate.
STUDIED = sorted(
    (
        flow
        for flow in FLOWS
        if flow[0] in EXPERIMENTS["scaling_study"]["datasets"] and is_reducing(flow[1])
    ),
    key=lambda flow: (
        CONFIG.datasets[flow[0]].kind.removeprefix("alt_"),
        CONFIG.datasets[flow[0]].kind.startswith("alt_"),
        flow,
    ),
)
RESIDUAL_FLOWS = [flow for flow in FLOWS if flow[0] in RESIDUALS["datasets"]]
SHOWN_SHELLS = [flow for flow in COVERAGE_FLOWS if flow[2] == min(COVERAGE["seeds"])]

# The flows that are compared: all seeds, then the variants of the first.
MEMBERS = [str(seed) for seed in sorted(IDENTIFIABILITY["seeds"])]
MEMBERS += [f"{MEMBERS[0]}-{variant}" for variant in IDENTIFIABILITY["variants"]]


def trained_flows():
    """All flows that something asks for: other seeds and variants, for comparison, among them."""
    flows = {(dataset, schedule, str(seed)) for dataset, schedule, seed in FLOWS}
    flows |= {(dataset, schedule, str(n)) for dataset, schedule, n in COVERAGE_FLOWS}
    flows |= {(*pair, member) for pair in COMPARED for member in MEMBERS}
    variant = TARP.get("miscalibrated")
    if variant:
        flows |= {(d, s, f"{seed}-{variant}") for d, s, seed in TARP_FLOWS}
    return sorted(flows)


TRAINED = trained_flows()


def per_posterior(pattern, flows=HMC_FLOWS):
    """A pattern of one posterior, filled in for every flow, sampler and number of observations."""
    patterns = [pattern.format(sampler=sampler, n=n) for sampler, n in POSTERIORS]
    return [path for filled in patterns for path in per_flow(filled, flows)]


def one_posterior(sampler, n):
    """The pattern of the merged chains of one posterior."""
    folder = POSTERIOR.format(sampler=sampler, n=n)
    return f"{folder}posterior.nc"


def per_hmc_schedule(pattern):
    """A pattern filled in for the flows of the HMC experiment that figures show: those of the first seed."""
    return per_flow(pattern, [flow for flow in HMC_FLOWS if flow[2] == SEEDS[0]])


def examples_of(wildcards):
    """Settings of the examples of a data set."""
    return EXPERIMENTS["propagation"]["examples"][wildcards.dataset]


def example_file_of(wildcards):
    """The file with a user's own examples, if there is one."""
    file = examples_of(wildcards).get("file")
    return {"examples": file} if file else {}


def tried_steps(section):
    """Numbers of steps in the table of convergence by solver, the configured ones among them."""
    tried = {}
    for settings in (section, section["joint"]):
        steps = {*section["convergence_steps"], settings["steps"]}
        tried[settings["solver"]] = sorted(
            steps.union(tried.get(settings["solver"], []))
        )
    return tried


def sampling_of(section):
    """The options of a chain in a section of the configuration."""
    names = (
        "warmup",
        "draws",
        "step_size",
        "target_acceptance",
        "max_tree_depth",
        "adapt_mass",
    )
    return {name: section[name] for name in names if name in section}


def replicates_of(wildcards):
    """Numbers of the replicates of a batch."""
    return list(range(int(wildcards.batch), SBC["replicates"], SBC["batches"]))


def miscalibrated_of(wildcards):
    """The flow that the test has to reject, if one is configured."""
    variant = TARP.get("miscalibrated")
    pattern = "results/flows/{dataset}/{schedule}/seed{seed}-%s/flow.safetensors"
    return {"miscalibrated": pattern % variant} if variant else {}
