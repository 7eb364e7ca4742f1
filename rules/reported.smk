"""What reports show: which files, and of images which flows in which order.

Needs images.smk; makes nothing.
"""

# Part of the sources: known by what is in it, wherever the repository lies.
PAPER_TABLES = ROOT / "configs/paper_tables.csv"

PICTURES = "results/images/{dataset}/{schedule}/seed{seed}/pictures.npz"

# An output pattern has one caption, and all merged tables are one pattern: reports take them as inputs of the target instead.
MERGED_IN_REPORT = [in_report(f"results/tables/{table}.csv") for table in sorted(PARTS)]

# Pictures show flows that images are generated from.
PICTURED = sorted({dataset for dataset, _, _ in IMAGE_FLOWS})
ANY_PICTURED = "|".join(PICTURED) or "none"
REPORTED_FIGURES = ["paper_comparison"]
REPORTED_FIGURES += ["evaluation_sweep"] if "evaluation_sweep" in PARTS else []
REPORTED_FIGURES += [
    f"{kind}_{dataset}" for kind in ("samples", "fig05") for dataset in PICTURED
]


def by_dimensions(dataset):
    """Flows of a set of images, the first training seed, in the order of kept dimensions and gaps; PRP last."""

    def place(flow):
        chosen = SCHEDULES[flow[1]]
        gap = chosen.get("inflation_gap") or 0.0
        return chosen.get("kept_dims") or math.inf, gap, flow[1]

    return sorted((flow for flow in IMAGE_FLOWS if flow[0] == dataset), key=place)


def pictures_of(wildcards):
    """Pictures of all flows of a set of images."""
    return per_flow(PICTURES, by_dimensions(wildcards.dataset))


def pictured_schedules(wildcards):
    """Their schedules."""
    return [schedule for _, schedule, _ in by_dimensions(wildcards.dataset)]


def levels_of(wildcards):
    """Highest grey level of a set of images."""
    return image_of(wildcards.dataset).levels


def merged_table(table):
    """A table of results, if the configuration asks for it."""
    return f"results/tables/{table}.csv" if table in PARTS else []


# What the report shows, of all that the workflow makes.
REPORTED = re.compile(r"results/(figures/.*\.png|animations/.*\.gif|tables/.*\.csv)")


def reported_files(wildcards):
    """Figures, animations and tables that the configuration asks for."""
    return sorted({path for path in rules.all.input if REPORTED.fullmatch(path)})


def stages_of_rules(wildcards):
    """Each rule with the file of rules that it stands in, in their order."""
    return {rule.name: Path(rule.snakefile).stem for rule in workflow.rules}
