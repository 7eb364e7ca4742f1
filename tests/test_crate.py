"""A bundle holds a run and says who made which file from what, in the words of the Provenance Run Crate."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_cache
import urllib3
import yaml
from rocrate.rocrate import ROCrate
from rocrate.vocabs import RO_CRATE
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings

from conftest import run_workflow
from inflationary_flows.audit.bundle import SOURCES, write_bundle
from inflationary_flows.audit.jobs import jobs_of, names_of_outputs
from inflationary_flows.audit.sidecars import Ledger
from inflationary_flows.errors import ArtifactError
from inflationary_flows.runtime.provenance import seal
from provenance import write
from repository import NOT_COPIED, REPOSITORY

METADATA = "ro-crate-metadata.json"
Graph = dict[str, dict[str, Any]]

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# The context that ships with rocrate is that of RO-Crate 1.3, which moved these terms.
MOVED_TERMS = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
# What the profiles recommend and a run cannot say: who started it, and addresses that sources do not have.
UNKNOWN_TO_A_RUN = {
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The organization SHOULD have a URL.",
    "The Root Data Entity SHOULD have a link to a Contextual Entity representing the `author` of the RO-Crate",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
}


# Scripts that several rules share.
SHARED = {"measure_quality": "measure.py", "merge_table": "plot.py", "plot_flow_quality": "plot.py"}


def run_job(
    rule: str, outputs: list[str], inputs: list[str], *, wildcards: dict[str, str], params: dict[str, Any]
) -> None:
    """Runs a job that writes its own name to all outputs."""
    texts = {output: f"{rule} {wildcards} {output}" for output in outputs}
    write(texts, rule, *inputs, wildcards=wildcards, source={SHARED.get(rule, f"{rule}.py"): "f" * 64}, **params)
    for folder, suffix in (("logs", "log"), ("benchmarks", "tsv")):
        file = Path(f"results/{folder}/{rule}/{'_'.join(wildcards.values())}.{suffix}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("job", encoding="utf-8")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two flows, from a table of the user to a table of results and a figure."""
    directory = tmp_path / "home" / "jane"
    directory.mkdir(parents=True)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("USER", "jane")
    monkeypatch.setenv("LOGNAME", "jane")
    table = tmp_path / "elsewhere" / "wine.csv"
    table.parent.mkdir()
    table.write_text("1,2\n3,4\n")
    data = "results/data/wine/splits.safetensors"
    dataset = {"kind": "csv", "seed": 11, "path": str(table)}
    run_job("prepare_splits", [data], [str(table)], wildcards={"dataset": "wine"}, params={"dataset": dataset})
    flows = []
    for seed in ("0", "1"):
        folder = f"results/networks/wine/prp/seed{seed}"
        outputs = [f"{folder}/network.safetensors", f"{folder}/training.jsonl"]
        wildcards = {"dataset": "wine", "schedule": "prp", "seed": seed}
        params = {"rate": 1e-3, "steps": 5, "flip": False, "clip": None, "seed": int(seed)}
        run_job("train_network", outputs, [data], wildcards=wildcards, params=params)
        small = f"results/metrics/wine/prp/seed{seed}/flow_quality.csv"
        run_job("measure_quality", [small], [outputs[0], data], wildcards=wildcards, params={"sample_seed": 3})
        flows.append(small)
    merged = "results/tables/flow_quality.csv"
    run_job("merge_table", [merged], flows, wildcards={"table": "flow_quality"}, params={})
    figures = ["results/figures/flow_quality.pdf", "results/figures/flow_quality.png"]
    run_job("plot_flow_quality", figures, [merged], wildcards={}, params={"labels": "results/config.resolved.yaml"})
    Path("results/config.resolved.yaml").write_text("seeds: [0, 1]\n", encoding="utf-8")
    return directory / "results"


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources that a bundle holds, which nobody edits meanwhile."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_COPIED)
        else:
            shutil.copy(source, target)
    return folder


@pytest.fixture
def bundle(results: Path, sources: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.crate.zip"
    write_bundle(path, results, sources)
    return path


def graph_of(bundle: Path) -> Graph:
    with zipfile.ZipFile(bundle) as archive:
        entities = json.loads(archive.read(METADATA))["@graph"]
    graph = {entity["@id"]: entity for entity in entities}
    assert len(graph) == len(entities)
    return graph


def unzip(bundle: Path, folder: Path) -> Path:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def ids(entity: dict[str, Any], name: str) -> list[str]:
    return [value["@id"] for value in listed(entity.get(name, []))]


def is_a(entity: dict[str, Any], kind: str) -> bool:
    return kind in listed(entity["@type"])


def of_kind(graph: Graph, kind: str) -> list[dict[str, Any]]:
    return [entity for entity in graph.values() if is_a(entity, kind)]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)


def scrambled_copy(source: Path, target: Path) -> Path:
    """Equal files that were made in another order, at another time and under another umask."""
    umask = os.umask(0o077)
    try:
        for number, path in enumerate(sorted((p for p in source.rglob("*") if p.is_file()), reverse=True)):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            os.utime(copy, (1e9 + number, 1e9 + number))
    finally:
        os.umask(umask)
    return target


class TestBytes:
    def test_equal_results_give_equal_bytes(
        self, bundle: Path, results: Path, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copies = scrambled_copy(results, tmp_path / "a/results"), scrambled_copy(sources, tmp_path / "b")
        monkeypatch.chdir("/")
        write_bundle(tmp_path / "again.zip", *copies)
        assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()

    def test_an_earlier_bundle_and_what_it_wrote_down_are_no_part_of_the_next(
        self, bundle: Path, results: Path, sources: Path
    ) -> None:
        within = results / "earlier.zip"
        for file in ("logs/bundle.log", "benchmarks/audit.tsv", ".training/0/state.safetensors"):
            (results / file).parent.mkdir(parents=True, exist_ok=True)
            (results / file).write_text("today")
        for _ in range(2):
            write_bundle(within, results, sources)
            assert within.read_bytes() == bundle.read_bytes()

    def test_headers_tell_no_time_and_no_machine(self, bundle: Path) -> None:
        with zipfile.ZipFile(bundle) as archive:
            entries = archive.infolist()
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
        headers = {(e.date_time, e.external_attr, e.create_system, e.compress_type, e.extra) for e in entries}
        assert headers == {((1980, 1, 1, 0, 0, 0), 0o100644 << 16, 3, zipfile.ZIP_STORED, b"")}

    def test_another_result_gives_another_bundle(self, bundle: Path, results: Path, sources: Path) -> None:
        before = bundle.read_bytes()
        run_job("plot_flow_quality", ["results/figures/flow_quality.pdf"], [], wildcards={}, params={"width": 3})
        write_bundle(bundle, results, sources)
        assert bundle.read_bytes() != before


class TestRefusal:
    def expect(self, where: str, results: Path, sources: Path) -> None:
        path = results.parent / "refused.zip"
        with pytest.raises(ArtifactError, match=re.escape(where)):
            write_bundle(path, results, sources)
        assert not path.exists()

    def test_of_a_file_that_is_not_what_was_written(self, results: Path, sources: Path) -> None:
        (results / "tables/flow_quality.csv").write_text("better")
        self.expect("tables/flow_quality.csv", results, sources)

    def test_of_a_missing_file(self, results: Path, sources: Path) -> None:
        (results / "tables/flow_quality.csv").unlink()
        self.expect("tables/flow_quality.csv", results, sources)

    def test_of_an_edited_sidecar(self, results: Path, sources: Path) -> None:
        sidecar = results / "provenance/tables/flow_quality.csv.json"
        sidecar.write_text(sidecar.read_text().replace("merge_table", "plan"))
        self.expect("tables/flow_quality.csv", results, sources)

    def test_of_a_sidecar_that_names_a_folder_outside(self, results: Path, sources: Path) -> None:
        path = results / "provenance/tables/flow_quality.csv.json"
        content = json.loads(path.read_text())
        content["params"] = {"url": "https://example.org/a.csv?token=abc"}
        path.write_text(json.dumps({**content, "seal": seal(content)}))
        self.expect("tables/flow_quality.csv", results, sources)

    def test_of_sources_without_a_script_that_was_run(self, results: Path, sources: Path, tmp_path: Path) -> None:
        others = shutil.copytree(sources, tmp_path / "others")
        (others / "workflow_scripts/plot.py").unlink()
        self.expect("workflow_scripts/plot.py", results, others)

    def test_of_incomplete_sources(self, results: Path, sources: Path, tmp_path: Path) -> None:
        others = shutil.copytree(sources, tmp_path / "others")
        (others / "LICENSE").unlink()
        self.expect("LICENSE", results, others)


class TestGraph:
    def test_has_every_artifact_as_it_was_written(self, bundle: Path, results: Path) -> None:
        graph, ledger = graph_of(bundle), Ledger.read(results)
        with zipfile.ZipFile(bundle) as archive:
            for artifact, sidecar in ledger.sidecars.items():
                content, file = archive.read(f"results/{artifact}"), graph[f"results/{artifact}"]
                assert file["sha256"] == sidecar.sha256 == hashlib.sha256(content).hexdigest()
                assert int(file["contentSize"]) == len(content)

    def test_has_one_action_for_each_job_and_each_artifact_as_its_result(self, bundle: Path, results: Path) -> None:
        actions = [action for action in of_kind(graph_of(bundle), "CreateAction") if action["@id"] != "#run"]
        assert len(actions) == len(jobs_of(Ledger.read(results))) == 7
        made = [path for action in actions for path in ids(action, "result")]
        assert sorted(made) == sorted(f"results/{artifact}" for artifact in Ledger.read(results).sidecars)

    def test_refers_to_nothing_that_it_lacks(self, bundle: Path) -> None:
        graph = graph_of(bundle)
        for entity in graph.values():
            for name, value in entity.items():
                for item in listed(value):
                    if isinstance(item, dict) and not item["@id"].startswith("https://"):
                        assert item["@id"] in graph, f"{entity['@id']}: {name}"

    def test_leads_from_a_figure_to_the_data_and_the_seeds(self, bundle: Path) -> None:
        graph = graph_of(bundle)
        actions = [action for action in of_kind(graph, "CreateAction") if action["@id"] != "#run"]
        makers = {path: action for action in actions for path in ids(action, "result")}
        waiting, rules, seeds, outside = ["results/figures/flow_quality.pdf"], set(), set(), set()
        while waiting:
            action = makers[waiting.pop()]
            rules |= {graph[tool]["name"] for tool in ids(action, "instrument")}
            for given in (graph[name] for name in ids(action, "object")):
                if is_a(given, "PropertyValue"):
                    if given.get("description") == "Seed of random numbers":
                        seeds.add((given["name"], given["value"]))
                elif given["@id"] in makers:
                    waiting.append(given["@id"])
                else:
                    outside.add((given["name"], given["sha256"]))
        assert rules == {"plot_flow_quality", "merge_table", "measure_quality", "train_network", "prepare_splits"}
        assert seeds == {
            ("params.dataset.seed", 11),
            ("params.seed", 0),
            ("params.seed", 1),
            ("wildcards.seed", "0"),
            ("wildcards.seed", "1"),
            ("params.sample_seed", 3),
        }
        assert outside == {("wine.csv", hashlib.sha256(b"1,2\n3,4\n").hexdigest())}

    def test_times_are_those_of_the_jobs(self, bundle: Path, results: Path) -> None:
        graph, jobs = graph_of(bundle), jobs_of(Ledger.read(results))
        for job in jobs:
            action = graph[f"#job/{job.name}"]
            assert action["startTime"] == job.started.isoformat(timespec="milliseconds")
            assert action["endTime"] == job.ended.isoformat(timespec="milliseconds")
            memory = graph[action["resourceUsage"]["@id"]]
            assert memory["value"] == job.memory["peak_memory_mb"]
        last = max(job.ended for job in jobs).isoformat(timespec="milliseconds")
        assert graph["./"]["datePublished"] == graph["#run"]["endTime"] == last

    def test_parameters_are_of_the_kind_of_their_values(self, bundle: Path) -> None:
        graph = graph_of(bundle)
        kinds = {
            name: graph[f"#rule/train_network/params.{name}"]["additionalType"] for name in ("rate", "steps", "flip")
        }
        assert kinds == {"rate": "Float", "steps": "Integer", "flip": "Boolean"}
        values = {e["name"]: e["value"] for e in of_kind(graph, "PropertyValue") if "train_network" in e["@id"]}
        assert (values["params.rate"], values["params.flip"], values["params.clip"]) == (1e-3, False, "null")

    def test_files_flow_along_connections(self, bundle: Path) -> None:
        graph = graph_of(bundle)
        step = graph["#step/train_network"]
        (connection,) = [graph[name] for name in ids(step, "connection")]
        assert ids(connection, "sourceParameter") == ["#rule/prepare_splits/output/splits.safetensors"]
        assert set(ids(connection, "targetParameter")) <= set(ids(graph["#tool/train_network"], "input"))
        order = sorted(of_kind(graph, "HowToStep"), key=lambda entity: entity["position"])
        assert [step["name"] for step in order][:2] == ["prepare_splits", "train_network"]

    def test_names_exact_versions(self, bundle: Path, results: Path) -> None:
        graph = graph_of(bundle)
        job = jobs_of(Ledger.read(results))[0]
        (environment,) = ids(graph["#tool/merge_table"], "softwareRequirements")
        packages = [graph[name] for name in ids(graph[environment], "softwareRequirements")]
        assert {package["name"]: package["softwareVersion"] for package in packages} == dict(job.packages)
        language = graph[graph["Snakefile"]["programmingLanguage"]["@id"]]
        assert language["version"] == job.packages["snakemake"]
        # Sources that git knows nothing of have the version of the release.
        release = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"]
        assert graph["Snakefile"]["version"] == (job.commit or release)

    def test_names_no_user_no_machine_and_no_absolute_path(self, bundle: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(bundle) as archive:
            text = archive.read(METADATA).decode()
        assert not re.search(rf"\b(jane|{re.escape(platform.node())})\b", text)
        assert not any(
            word in text for word in (str(tmp_path), str(REPOSITORY), f"{Path.home()}/", "file:", "elsewhere")
        )
        assert not [value for value in texts(json.loads(text)) if value.startswith(("/", "~"))]

    def test_outputs_are_named_by_file_where_all_jobs_agree(self, results: Path) -> None:
        names = names_of_outputs(jobs_of(Ledger.read(results)))
        assert names["networks/wine/prp/seed1/network.safetensors"] == "network.safetensors"
        run_job("merge_table", ["results/tables/roundtrip.csv"], [], wildcards={"table": "roundtrip"}, params={})
        names = names_of_outputs(jobs_of(Ledger.read(results)))
        assert names["tables/roundtrip.csv"] == names["tables/flow_quality.csv"] == "*.csv"

    def test_rocrate_reads_it(self, bundle: Path, results: Path, tmp_path: Path) -> None:
        crate = ROCrate(unzip(bundle, tmp_path / "crate"))
        assert crate.mainEntity.id == "Snakefile"
        assert {profile.id for profile in crate.root_dataset["conformsTo"]} == {
            "https://w3id.org/ro/wfrun/process/0.5",
            "https://w3id.org/ro/wfrun/workflow/0.5",
            "https://w3id.org/ro/wfrun/provenance/0.5",
            "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
        }
        (action,) = [action for action in crate.get_by_type("CreateAction") if action["instrument"] is crate.mainEntity]
        assert len(action["result"]) == len(Ledger.read(results).sidecars)
        again = {entity["@id"]: entity for entity in ROCrate(bundle).metadata.generate()["@graph"]}
        assert again == graph_of(bundle)


class ContextAlone(requests.adapters.BaseAdapter):
    """Serves the context of RO-Crate, and nothing else."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        assert request.url == CONTEXT
        content = {"@context": RO_CRATE["@context"] | MOVED_TERMS}
        body = io.BytesIO(json.dumps(content).encode())
        headers = {"Content-Type": "application/ld+json"}
        raw = urllib3.HTTPResponse(body, headers, 200, preload_content=False, request_url=request.url)
        answer = requests.Response()
        answer.status_code, answer.url, answer.request, answer.raw = 200, CONTEXT, request, raw
        answer.headers.update(headers)
        return answer

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def context_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The validator's own cache, as if it had been online once."""
    path = tmp_path_factory.mktemp("validator") / "cache"
    with requests_cache.CachedSession(str(path), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", ContextAlone())
        session.get(CONTEXT)
    return path


@pytest.fixture
def validate(context_cache: Path) -> Callable[[Path, Severity], dict[str, Severity]]:
    """Validates an unzipped crate without a network; returns what is unmet."""

    def run(crate: Path, severity: Severity) -> dict[str, Severity]:
        settings = ValidationSettings(
            rocrate_uri=str(crate),
            profile_identifier="provenance-run-crate",
            requirement_severity=severity,
            offline=True,
            cache_path=context_cache,
        )
        return {issue.message: issue.severity for issue in services.validate(settings).get_issues()}

    return run


class TestProfile:
    def test_all_that_is_required_is_met_and_all_recommended_that_a_run_knows(
        self, bundle: Path, tmp_path: Path, validate: Callable[[Path, Severity], dict[str, Severity]]
    ) -> None:
        unmet = validate(unzip(bundle, tmp_path / "crate"), Severity.RECOMMENDED)
        assert unmet == dict.fromkeys(UNKNOWN_TO_A_RUN, Severity.RECOMMENDED)

    def test_the_validator_would_notice(
        self, bundle: Path, tmp_path: Path, validate: Callable[[Path, Severity], dict[str, Severity]]
    ) -> None:
        crate = unzip(bundle, tmp_path / "crate")
        content = json.loads((crate / METADATA).read_text())
        for entity in content["@graph"]:
            if is_a(entity, "ControlAction"):
                del entity["object"]
        (crate / METADATA).write_text(json.dumps(content))
        assert any("ControlAction must reference" in message for message in validate(crate, Severity.REQUIRED))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")
def test_the_documented_commands_sign_a_bundle_and_notice_another(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/audit.md").read_text(encoding="utf-8")
    commands = [line for line in page.splitlines() if "ssh-keygen -Y" in line or "> signers" in line]
    assert len(commands) == 3
    key = tmp_path / ".ssh/id_ed25519"
    key.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    shutil.copy(f"{key}.pub", tmp_path)
    (tmp_path / "results.crate.zip").write_bytes(b"a bundle")

    def run(command: str) -> int:
        environment = {**os.environ, "HOME": str(tmp_path)}
        # The shell's own tilde is that of HOME; ssh-keygen is given whole paths.
        return subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, check=False).returncode

    assert [run(command) for command in commands] == [0, 0, 0]
    (tmp_path / "results.crate.zip").write_bytes(b"another bundle")
    assert run(commands[-1]) != 0


def test_logs_and_configurations_of_the_checkout_stay_where_they_are(
    results: Path, sources: Path, tmp_path: Path
) -> None:
    checkout = Path(shutil.copytree(sources, tmp_path / "checkout"))
    for name in ("config.yaml", "configs/mine.yaml"):
        (checkout / name).write_text("datasets: {x: {path: /home/jane/x.csv}}\n")
    results = Path(shutil.copytree(results, tmp_path / "results"))
    (results / "provenance/diary.txt").write_text("of nobody else", encoding="utf-8")
    write_bundle(tmp_path / "run.zip", results, checkout)
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        names = archive.namelist()
        assert "results/provenance/diary.txt" not in names
        assert archive.read("config.yaml") == (results / "config.resolved.yaml").read_bytes()
    assert (results / "logs").is_dir()
    assert not [name for name in names if "/logs/" in name or name == "configs/mine.yaml"]
    assert "configs/paper_tables.csv" in names


def test_results_whose_folders_were_moved_and_linked_back_are_bundled_alike(
    bundle: Path, results: Path, sources: Path, tmp_path: Path
) -> None:
    shutil.move(results / "networks", tmp_path / "disk")
    (results / "networks").symlink_to(tmp_path / "disk")
    write_bundle(tmp_path / "again.zip", results, sources)
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


@pytest.fixture(scope="module")
def run(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the smoke run, bundled."""
    directory = Path(shutil.copytree(smoke_run, tmp_path_factory.mktemp("bundled") / "run"))
    outcome = run_workflow(directory, "bundle")
    assert outcome.code == 0, outcome.text
    return directory


@pytest.mark.slow
class TestSmokeRun:
    def test_bundle_is_the_same_again(self, run: Path) -> None:
        before = (run / "results.crate.zip").read_bytes()
        outcome = run_workflow(run, "bundle")
        assert outcome.code == 0, outcome.text
        assert (run / "results.crate.zip").read_bytes() == before

    def test_results_that_fail_the_audit_are_not_bundled(self, run: Path, tmp_path: Path) -> None:
        directory = Path(shutil.copytree(run, tmp_path / "run"))
        (directory / "results.crate.zip").unlink()
        with open(directory / "results/tables/pr_over_time.csv", "a", encoding="utf-8") as table:
            table.write("circles,prp,0\n")
        outcome = run_workflow(directory, "bundle")
        assert outcome.code != 0
        assert "tables/pr_over_time.csv: extended or rewritten" in outcome.text
        assert not (directory / "results.crate.zip").exists()

    def test_description_is_small_and_fast(self, run: Path, tmp_path: Path) -> None:
        started = time.monotonic()
        write_bundle(tmp_path / "run.zip", run / "results", REPOSITORY)
        assert time.monotonic() - started < 10
        with zipfile.ZipFile(tmp_path / "run.zip") as archive:
            assert archive.getinfo(METADATA).file_size < 5e6

    def test_profile_is_met(
        self, run: Path, tmp_path: Path, validate: Callable[[Path, Severity], dict[str, Severity]]
    ) -> None:
        assert validate(unzip(run / "results.crate.zip", tmp_path / "crate"), Severity.REQUIRED) == {}

    def test_names_no_path_of_this_machine(self, run: Path) -> None:
        with zipfile.ZipFile(run / "results.crate.zip") as archive:
            content = json.loads(archive.read(METADATA))
        assert not [value for value in texts(content) if value.startswith(("/", "~")) or str(run) in value]

    def test_unzipped_anywhere_it_can_be_audited(self, run: Path, tmp_path: Path) -> None:
        crate = unzip(run / "results.crate.zip", tmp_path / "crate")
        environment = {**os.environ, "PYTHONPATH": str(crate / "workflow_scripts")}
        command = [sys.executable, "-m", "inflationary_flows.audit", "results/"]
        done = subprocess.run(command, cwd=crate, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_unzipped_anywhere_it_can_be_run_again(self, run: Path, tmp_path: Path) -> None:
        crate = unzip(run / "results.crate.zip", tmp_path / "crate")
        shutil.copytree(REPOSITORY / "tests/data", tmp_path / "elsewhere/tests/data")
        configuration = crate / "results/config.resolved.yaml"
        outcome = run_workflow(tmp_path / "elsewhere", "--dry-run", config=configuration, repository=crate)
        assert outcome.code == 0, outcome.text
        assert outcome.jobs["train_network"] > 0
