"""Flows: what users load, and the trajectories that figures show.

Needs results/data and results/networks; makes results/flows.
"""


rule flows:
    """Assembles all flows."""
    input:
        per_flow("results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors"),


rule assemble_flow:
    """Joins network, eigenbasis, schedule and solver. Makes the one file that `Flow.load` reads."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        eigenbasis="results/data/{dataset}/eigenbasis.safetensors",
        network="results/networks/{dataset}/{schedule}/seed{seed}/network.safetensors",
    output:
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    log:
        "results/logs/assemble_flow/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/assemble_flow/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/flow.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        solver=solver_of,
        compressed_prior=compressed_prior_of,
        source=digest_of("assemble_flow"),
    script:
        "../workflow_scripts/assemble_flow.py"


rule trace_flow:
    """Carries points to latents and back. Makes the snapshots of figures 2 and 3, samples and round trips."""
    input:
        splits="results/data/{dataset}/splits.safetensors",
        flow="results/flows/{dataset}/{schedule}/seed{seed}/flow.safetensors",
    output:
        snapshots="results/flows/{dataset}/{schedule}/seed{seed}/snapshots.npz",
    log:
        "results/logs/trace_flow/{dataset}/{schedule}/seed{seed}.log",
    benchmark:
        "results/benchmarks/trace_flow/{dataset}/{schedule}/seed{seed}.tsv"
    group:
        measuring_group
    conda:
        "../envs/flow.yaml"
    threads: 1
    resources:
        **MEASURING,
    params:
        samples=EXPERIMENTS["snapshots"]["samples"],
        frames=EXPERIMENTS["snapshots"]["frames"],
        seed=EXPERIMENTS["snapshots"]["seed"],
        source=digest_of("trace_flow"),
    script:
        "../workflow_scripts/trace_flow.py"
