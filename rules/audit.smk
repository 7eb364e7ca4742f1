"""What is asked of results once they are there: whether they are what was written, and how to hand them on.

Needs results/provenance, which every job writes to; makes nothing that another rule needs. Its rules have no outputs, so
that they always run, whatever is there, and no benchmarks, which would count as outputs.
"""


localrules:
    audit,
    bundle,
    report,


rule audit:
    """Rehashes every artifact and follows its inputs. Fails, with a list, if anything is wrong."""
    log:
        "results/logs/audit.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        **NO_GPU,
        mem="2GB",
        runtime="1h",
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
    threads: 1
    resources:
        **NO_GPU,
        mem="2GB",
        runtime="2h",
    params:
        bundle="results.crate.zip",
        source=digest_of("bundle"),
    script:
        "../workflow_scripts/bundle.py"


rule report:
    """Writes results/report.html, one file that shows the run, and the tables that it quotes in results/report."""
    input:
        reported_files,
    log:
        "results/logs/report.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        **NO_GPU,
        mem="2GB",
        runtime="1h",
    params:
        page="results/report.html",
        stages=stages_of_rules,
        registry=str(ROOT / "rules/figures.yaml"),
        captions=str(ROOT / "docs/captions"),
        configuration=RESOLVED_PATH,
        source=digest_of("report"),
    script:
        "../workflow_scripts/report.py"
