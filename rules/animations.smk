"""Animations: inflation and generation in a loop, as GIF.

Needs results/data and results/flows; makes results/animations. Labels are read from results/config.resolved.yaml, as
figures do.
"""

ANIMATION = "results/animations/{dataset}_{schedule}.gif"


rule animations:
    """Makes all animations that the configuration has data for."""
    input:
        per_flow(ANIMATION, TRACED),
        per_flow("results/flows/{dataset}/{schedule}/seed{seed}/animation.npz", TRACED),


rule trace_animation:
    """Carries points or images to latents, and prior latents to data. Makes what an animation shows at its times."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        animation="results/flows/{dataset}/{schedule}/seed{seed}/animation.npz",
    log:
        "results/logs/trace_animation/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/trace_animation/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/images.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        # As many points as in figures, so that both are seen from the same side.
        samples=EXPERIMENTS["snapshots"]["samples"],
        pictures=EXPERIMENTS["animations"]["pictures"],
        frames=EXPERIMENTS["animations"]["frames"],
        seed=EXPERIMENTS["animations"]["seed"],
        source=digest_of("trace_animation"),
    script:
        "../workflow_scripts/trace_animation.py"


rule plot_animation:
    """Draws inflation and generation of one flow as a GIF."""
    input:
        animation=f"results/flows/{{dataset}}/{{schedule}}/seed{SEEDS[0]}/animation.npz",
    output:
        gif=in_report(ANIMATION),
    log:
        "results/logs/plot_animation/{dataset}_{schedule}.log",
    benchmark:
        "results/benchmarks/plot_animation/{dataset}_{schedule}.tsv"
    wildcard_constraints:
        dataset=ANY_DATASET,
        schedule=ANY_SCHEDULE,
    group:
        "report"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        **SMALL,
        mem="2GB",
        runtime="5m",
    params:
        points=EXPERIMENTS["animations"]["points"],
        frame_seconds=EXPERIMENTS["animations"]["frame_seconds"],
        hold_seconds=EXPERIMENTS["animations"]["hold_seconds"],
        labels=RESOLVED_PATH,
        source=digest_of("plot_animation"),
    script:
        "../workflow_scripts/plot_animation.py"
