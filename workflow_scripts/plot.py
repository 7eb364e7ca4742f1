"""Merges the small tables of one experiment and draws its figures or animations."""

from importlib import import_module

from inflationary_flows.files.tables import merge_tables
from inflationary_flows.runtime.job import job

# Params that say what is drawn; all others are those of the figures.
CALL = ("experiment", "tables", "pictures", "labels", "source")

with job(snakemake):
    params, output = dict(snakemake.params.items()), snakemake.output
    files = {name: [path] if isinstance(path, str) else list(path) for name, path in snakemake.input.items()}
    for key in params["tables"]:
        merge_tables(files.pop(f"table_{key}"), output[key])
    if params["pictures"]:
        # Imported lazily: a job that only merges starts in a fraction of the time.
        from inflationary_flows.plotting.labels import Labels
        from inflationary_flows.plotting.material import Material
        from inflationary_flows.plotting.style import save_figure

        module = import_module(f"inflationary_flows.experiments.{params['experiment']}.figure")
        material = Material.read(
            Labels.read(params["labels"]),
            tables={key: output[key] for key in params["tables"]},
            files=files,
            params={name: value for name, value in params.items() if name not in CALL},
            wildcards=dict(snakemake.wildcards.items()),
        )
        for name in params["pictures"]:
            picture = getattr(module, f"draw_{name}")(material)
            if f"{name}_gif" in dict(output.items()):
                module.save_animation(output[f"{name}_gif"], picture, material)
            else:
                save_figure(picture, output[f"{name}_pdf"], output[f"{name}_png"])
