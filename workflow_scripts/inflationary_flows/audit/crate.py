"""A finished run as a Workflow Run RO-Crate: who made which file from what, in a vocabulary that other tools read.

The profile is Provenance Run Crate 0.5.  Every rule is a tool and a step of the workflow, every job a `CreateAction`
with the files and values that it read and the files that it wrote.  The description is made from sidecars and sources
alone, without times or random identifiers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from inflationary_flows.audit.jobs import Job, jobs_of, names_of_outputs
from inflationary_flows.audit.sidecars import Input, Ledger
from inflationary_flows.audit.vocabulary import (
    COMPLETED,
    CRATE_VERSION,
    FOLDERS,
    MEGABYTE,
    MEMORY,
    PARAMETER_PROFILE,
    PROFILES,
    REQUIREMENTS_FORMAT,
    RESULTS,
    TERMS,
    WORKFLOW_PROFILE,
    encoding_of,
    kind_of,
    kind_of_all,
    literal_of,
)
from inflationary_flows.files.files import sha256_of

_HEX_DIGITS = 12


def describe_run(ledger: Ledger, members: Mapping[str, Path]) -> dict[str, Any]:
    """Describes a run and its sources.

    Arguments:
        ledger: Sidecars of the run, none of them damaged.
        members: Files of the crate by their path in it; artifacts lie below `results/`, sources next to it.

    Returns:
        The JSON-LD of `ro-crate-metadata.json`: the same for the same sidecars and sources.
    """
    return _Description(ledger, members).build()


class _Description:
    """The graph of a crate while it grows."""

    def __init__(self, ledger: Ledger, members: Mapping[str, Path]) -> None:
        self.ledger = ledger
        self.members = members
        self.jobs = jobs_of(ledger)
        # Rules in the order in which they were first run.
        self.rules = dict.fromkeys(job.rule for job in sorted(self.jobs, key=lambda job: job.started))
        self.outputs = names_of_outputs(self.jobs)
        self.crate = ROCrate(version=CRATE_VERSION)
        self.crate.metadata.extra_terms.update(TERMS)
        self.citation = yaml.safe_load(members["CITATION.cff"].read_text(encoding="utf-8"))
        self.entities: dict[str, Entity] = {}
        # Of each file and value, the parameters that it was given to; of each parameter, the kinds of its values.
        self.examples: dict[str, dict[str, Entity]] = {}
        self.kinds: dict[str, set[str]] = {}
        # Of each tool, its parameters; of each step and of the workflow, the connections that end there.
        self.tool_inputs: dict[str, dict[str, Entity]] = {rule: {} for rule in self.rules}
        self.tool_outputs: dict[str, dict[str, Entity]] = {rule: {} for rule in self.rules}
        self.connections: dict[str, dict[str, Entity]] = {end: {} for end in ("workflow", *self.rules)}

    def build(self) -> dict[str, Any]:
        """Describes everything; sources first, then jobs, then what is known only once all jobs are."""
        self._describe_sources()
        tools = {rule: self._describe_tool(rule) for rule in self.rules}
        workflow = self._describe_workflow(tools)
        actions = [self._describe_job(job, tools[job.rule]) for job in self.jobs]
        steps = self._describe_steps(tools)
        controls = [self._describe_control(job, steps[job.rule]) for job in self.jobs]
        run = self._describe_run(workflow)
        self._describe_engine(run, controls)
        self._describe_root([run, *actions])
        workflow["step"] = _one_or_many(steps.values())
        workflow["connection"] = _one_or_many(self.connections["workflow"].values())
        for rule, tool in tools.items():
            tool["output"] = _one_or_many(self.tool_outputs[rule].values())
            if self.tool_inputs[rule]:
                tool["input"] = _one_or_many(self.tool_inputs[rule].values())
        for identifier, parameters in self.examples.items():
            self.entities[identifier]["exampleOfWork"] = _one_or_many(parameters.values())
        for identifier, kinds in self.kinds.items():
            self.entities[identifier]["additionalType"] = kind_of_all(kinds)
        content: dict[str, Any] = self.crate.metadata.generate()
        return content

    def _add(self, identifier: str, kind: str | list[str], **properties: Any) -> Entity:
        """An entity that is no file, new or known already."""
        if identifier not in self.entities:
            given = {"@type": kind, **{name: value for name, value in properties.items() if value is not None}}
            self.entities[identifier] = self.crate.add(ContextEntity(self.crate, identifier, properties=given))
        return self.entities[identifier]

    def _add_file(self, path: str, **properties: Any) -> Entity:
        """A file of the crate, new or known already."""
        if path not in self.entities:
            given = {"encodingFormat": encoding_of(path), **properties}
            self.entities[path] = self.crate.add_file(dest_path=path, properties=given)
        return self.entities[path]

    # What was run.

    def _describe_sources(self) -> None:
        for folder, name in FOLDERS.items():
            if any(path.startswith(folder) for path in self.members):
                self.crate.add_dataset(dest_path=folder, properties={"name": name})
        root = self.crate.root_dataset
        self._add_file("README.md", name="Description of the workflow", about=root)
        self._add_file("LICENSE", name="Terms of use")
        self._add_file("CITATION.cff", name="How to cite")
        requirements = self._add(REQUIREMENTS_FORMAT, "WebSite", name="Requirements File Format")
        self._add_file("requirements.lock", name="Exact versions of all packages", conformsTo=requirements)

    def _describe_tool(self, rule: str) -> Entity:
        latest = max((job for job in self.jobs if job.rule == rule), key=lambda job: job.ended)
        # Rules may share a script: a tool is a rule with its scripts.
        scripts = [self._add_file(path) for path in latest.scripts]
        environments = {job.environment: self._describe_environment(job) for job in self.jobs if job.rule == rule}
        return self._add(
            f"#tool/{rule}",
            "SoftwareApplication",
            name=rule,
            description=_summary(self.members[latest.scripts[0]]),
            hasPart=_one_or_many(scripts),
            programmingLanguage=self._add("https://www.python.org/", "ComputerLanguage", name="Python"),
            softwareRequirements=_one_or_many(environments[name] for name in sorted(environments)),
            version=latest.version or latest.commit or self.citation["version"],
        )

    def _describe_environment(self, job: Job) -> Entity:
        """Python with the packages that a job ran with; jobs with equal ones share it."""
        packages = [self._describe_package(name, version) for name, version in job.packages.items()]
        return self._add(
            f"#environment/{_short(job.environment)}",
            "SoftwareApplication",
            name=f"Python {job.python} with {len(packages)} packages",
            softwareVersion=job.python,
            url="https://www.python.org/",
            softwareRequirements=_one_or_many(packages),
        )

    def _describe_package(self, name: str, version: str) -> Entity:
        url = f"https://pypi.org/project/{name}/{version}/"
        return self._add(url, "SoftwareApplication", name=name, softwareVersion=version, url=url)

    def _describe_workflow(self, tools: Mapping[str, Entity]) -> Entity:
        latest = max(self.jobs, key=lambda job: job.ended)
        author = [
            self._add(f"#author/{_quoted(item['name'])}", "Organization", name=item["name"])
            for item in self.citation["authors"]
            if "name" in item
        ]
        workflow: Entity = self.crate.add_workflow(
            dest_path="Snakefile",
            main=True,
            lang="snakemake",
            lang_version=self._snakemake_version(),
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": self.citation["title"],
                "conformsTo": self._add(WORKFLOW_PROFILE, "CreativeWork", name="ComputationalWorkflow"),
                "encodingFormat": encoding_of("Snakefile"),
                "version": latest.commit or self.citation["version"],
                "hasPart": _one_or_many(tools.values()),
                "buildInstructions": self.entities["requirements.lock"],
                **({"author": _one_or_many(author)} if author else {}),
            },
        )
        return workflow

    def _snakemake_version(self) -> str | None:
        known = [job for job in self.jobs if "snakemake" in job.packages]
        return max(known, key=lambda job: job.ended).packages["snakemake"] if known else None

    # What the jobs did.

    def _describe_job(self, job: Job, tool: Entity) -> Entity:
        files = [self._given_file(job, item) for item in job.inputs]
        values = [self._given_value(job, place, value) for place, value in job.values.items()]
        action = self._add(
            f"#job/{_quoted(job.name)}",
            "CreateAction",
            name=" ".join([job.rule, *(f"{name}={value}" for name, value in job.wildcards.items())]),
            description=tool["description"],
            instrument=tool,
            object=_one_or_many([*files, *values]),
            result=_one_or_many(self._made_file(job, artifact) for artifact in job.artifacts),
            startTime=_time(job.started),
            endTime=_time(job.ended),
            actionStatus=COMPLETED,
        )
        usage = [
            self._add(
                f"#{name}/{_quoted(job.name)}",
                "PropertyValue",
                name=name.removesuffix("_mb").replace("_", " "),
                propertyID=quantity,
                unitCode=MEGABYTE,
                value=job.memory[name],
            )
            for name, quantity in MEMORY.items()
            if job.memory[name] is not None
        ]
        if usage:
            action["resourceUsage"] = _one_or_many(usage)
        return action

    def _made_file(self, job: Job, artifact: str) -> Entity:
        sidecar = self.ledger.sidecars[artifact]
        path = f"{RESULTS}/{artifact}"
        file = self._add_file(path, sha256=sidecar.sha256, contentSize=str(sidecar.size))
        produced = self._output_of(artifact)
        self.tool_outputs[job.rule][produced.id] = produced
        folder = artifact.split("/")[0]
        kept = self._parameter(f"#output/{_quoted(folder)}", folder, "File")
        self._connect("workflow", produced, kept)
        self.examples.setdefault(path, {}).update({produced.id: produced, kept.id: kept})
        return file

    def _given_file(self, job: Job, item: Input) -> Entity:
        if not item.outside and item.path in self.ledger.sidecars:
            path = f"{RESULTS}/{item.path}"
            sidecar = self.ledger.sidecars[item.path]
            file = self._add_file(path, sha256=sidecar.sha256, contentSize=str(sidecar.size))
            source = self._output_of(item.path)
            whence, name = sidecar.rule, self.outputs[item.path]
        else:
            file, path = self._outside_file(item)
            whence, name = "outside", f"*{PurePosixPath(item.path).suffix}"
            source = self._parameter(f"#input/{_quoted(name)}", f"{name} from outside", "File")
            self.examples.setdefault(path, {})[source.id] = source
        identifier = f"#rule/{job.rule}/input/{whence}/{_quoted(name)}"
        target = self._parameter(identifier, f"{name} from {whence}", "File")
        self.tool_inputs[job.rule][target.id] = target
        self._connect(job.rule, source, target)
        self.examples.setdefault(path, {})[target.id] = target
        return file

    def _outside_file(self, item: Input) -> tuple[Entity, str]:
        """A file that no job made: it is a source, or is known by its sha256 alone."""
        path = item.path if item.outside else f"{RESULTS}/{item.path}"
        if path in self.members and sha256_of(self.members[path]) == item.sha256:
            return self._add_file(path, sha256=item.sha256), path
        identifier = f"#outside/{_quoted(item.path)}/{_short(item.sha256)}"
        description = "Read by the run; not a part of this crate."
        name, encoding = item.path, encoding_of(item.path)
        properties = {"name": name, "description": description, "sha256": item.sha256, "encodingFormat": encoding}
        return self._add(identifier, "File", **properties), identifier

    def _given_value(self, job: Job, place: str, value: Any) -> Entity:
        """A value that a job was given; jobs of one rule share it if they were given equal ones."""
        literal, digest = literal_of(value), _short(json.dumps(value, sort_keys=True))
        parameter = self._parameter(f"#rule/{job.rule}/{_quoted(place)}", place, kind_of(literal))
        self.tool_inputs[job.rule][parameter.id] = parameter
        identifier = f"#value/{job.rule}/{_quoted(place)}/{digest}"
        self.examples.setdefault(identifier, {})[parameter.id] = parameter
        seed = "Seed of random numbers" if place in job.seeds else None
        return self._add(identifier, "PropertyValue", name=place, value=literal, description=seed)

    def _output_of(self, artifact: str) -> Entity:
        rule, name = self.ledger.sidecars[artifact].rule, self.outputs[artifact]
        return self._parameter(f"#rule/{rule}/output/{_quoted(name)}", name, "File")

    def _parameter(self, identifier: str, name: str, kind: str) -> Entity:
        profile = self._add(PARAMETER_PROFILE, "CreativeWork", name="FormalParameter")
        self.kinds.setdefault(identifier, set()).add(kind)
        return self._add(identifier, "FormalParameter", name=name, conformsTo=profile)

    def _connect(self, end: str, source: Entity, target: Entity) -> None:
        """Notes that a parameter gets its files from another one; `end` is a rule, or the workflow."""
        identifier = f"#connection/{end}/{_short(f'{source.id} {target.id}')}"
        parameters = {"sourceParameter": source, "targetParameter": target}
        connection = self._add(identifier, "ParameterConnection", **parameters)
        self.connections[end][identifier] = connection

    # What ran the jobs.

    def _describe_steps(self, tools: Mapping[str, Entity]) -> dict[str, Entity]:
        steps = {}
        for position, (rule, tool) in enumerate(tools.items(), 1):
            connections = self.connections[rule]
            steps[rule] = self._add(
                f"#step/{rule}",
                "HowToStep",
                name=rule,
                position=position,
                workExample=tool,
                connection=_one_or_many(connections.values()) if connections else None,
            )
        return steps

    def _describe_control(self, job: Job, step: Entity) -> Entity:
        return self._add(
            f"#control/{_quoted(job.name)}",
            "ControlAction",
            name=f"Snakemake starts {job.rule}",
            instrument=step,
            object=self.entities[f"#job/{_quoted(job.name)}"],
            actionStatus=COMPLETED,
        )

    def _describe_run(self, workflow: Entity) -> Entity:
        """The run as a whole: from the configuration and other files from outside to all artifacts."""
        taken = [entity for name, entity in sorted(self.entities.items()) if name.startswith("#input/")]
        kept = [entity for name, entity in sorted(self.entities.items()) if name.startswith("#output/")]
        if taken:
            workflow["input"] = _one_or_many(taken)
        workflow["output"] = _one_or_many(kept)
        names = {parameter.id for parameter in taken}
        read = [self.entities[path] for path, given in sorted(self.examples.items()) if names & given.keys()]
        return self._add(
            "#run",
            "CreateAction",
            name="Run of the workflow",
            description=f"{len(self.jobs)} jobs of {len(self.rules)} rules made {len(self.ledger.sidecars)} artifacts.",
            instrument=workflow,
            object=_one_or_many(read) if read else None,
            result=_one_or_many(self.entities[f"{RESULTS}/{artifact}"] for artifact in self.ledger.sidecars),
            **self._span(),
            actionStatus=COMPLETED,
        )

    def _describe_engine(self, run: Entity, controls: list[Entity]) -> None:
        version = self._snakemake_version()
        url = "https://snakemake.github.io"
        engine = (
            self._describe_package("snakemake", version)
            if version
            else self._add(url, "SoftwareApplication", name="snakemake", url=url)
        )
        self._add(
            "#engine",
            "OrganizeAction",
            name="Snakemake runs the workflow",
            instrument=engine,
            object=_one_or_many(controls),
            result=run,
            **self._span(),
            actionStatus=COMPLETED,
        )

    def _span(self) -> dict[str, str]:
        started = min(job.started for job in self.jobs)
        ended = max(job.ended for job in self.jobs)
        return {"startTime": _time(started), "endTime": _time(ended)}

    def _describe_root(self, actions: list[Entity]) -> None:
        root, cited = self.crate.root_dataset, self.citation["preferred-citation"]
        root["name"] = f"Results of {self.citation['title']}"
        root["description"] = (
            f"A finished run: {len(self.ledger.sidecars)} artifacts of {len(self.jobs)} jobs, with the configuration, "
            "the sources that made them, and the provenance of each file."
        )
        root["datePublished"] = self._span()["endTime"]
        root["license"] = self._add(
            f"https://spdx.org/licenses/{self.citation['license']}",
            "CreativeWork",
            name=self.citation["license"],
            description="The text is in LICENSE.",
        )
        root["conformsTo"] = [
            self._add(identifier, "CreativeWork", name=name, version=version)
            for identifier, (name, version) in PROFILES.items()
        ]
        root["citation"] = self._add(cited["url"], "ScholarlyArticle", name=cited["title"], url=cited["url"])
        root["mentions"] = actions


def _one_or_many(entities: Iterable[Entity]) -> Entity | list[Entity]:
    """RO-Crate wants a single value by itself."""
    found = list(entities)
    return found[0] if len(found) == 1 else found


def _summary(script: Path) -> str:
    """The first paragraph of a script's docstring, or its name; rules are not quite Python, so that no parser helps."""
    found = re.match(r'r?"""(.+?)("""|\n\n)', script.read_text(encoding="utf-8"), re.DOTALL)
    return " ".join(found[1].split()) if found else script.stem


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HEX_DIGITS]


def _quoted(text: str) -> str:
    return quote(text, safe="/*")
