"""What is asked of a configuration and of its results: the plan of a run, an audit, the report, and a bundle to hand on.

Needs results/provenance, which every job writes to; makes nothing that another rule needs. Its rules have no outputs, so
that they always run, whatever is there, and no benchmarks, which would count as outputs.
"""


localrules:
    audit,
    bundle,
    report,


rule plan:
    """Prints jobs and hours of each stage, from a dry run, and writes them to results/plan.csv."""
    log:
        "results/logs/plan.log",
    # Snakemake again, in the same environment as itself.
    handover: True
    resources:
        **small("1GB", "10m"),
    params:
        stages=stages_of_rules,
        table="results/plan.csv",
        configuration="results/.config.json",
        source=digest_of("plan"),
    script:
        "../workflow_scripts/plan.py"


rule audit:
    """Rehashes every artifact and follows its inputs. Fails, with a list, if anything is wrong."""
    log:
        "results/logs/audit.log",
    conda:
        "../envs/report.yaml"
    resources:
        **small("2GB", "1h"),
    params:
        source=digest_of("audit"),
    script:
        "../workflow_scripts/audit.py"


rule bundle:
    """Writes results, provenance and sources as one zip file, a Workflow Run RO-Crate, if the audit finds nothing."""
    log:
        "results/logs/bundle.log",
    conda:
        "../envs/report.yaml"
    resources:
        **small("2GB", "2h"),
    params:
        bundle="results.crate.zip",
        source=digest_of("bundle"),
    script:
        "../workflow_scripts/bundle.py"


rule report:
    """Writes results/report.html, one file that shows the run, and the tables that it quotes in results/report."""
    input:
        lambda wildcards: sum((layout.shown_files(STUDY, e) for e in ASKED_FOR), []),
    log:
        "results/logs/report.log",
    conda:
        "../envs/report.yaml"
    resources:
        **small("2GB", "1h"),
    params:
        page="results/report.html",
        stages=stages_of_rules,
        configuration=RESOLVED_PATH,
        source=digest_of("report"),
    script:
        "../workflow_scripts/report.py"
