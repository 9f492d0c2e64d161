"""README and CONTRIBUTING are right: examples run, commands are CI's, tables agree with the code."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import rfhosted
from rfhosted import errors, hosted

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    under = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", under, re.MULTILINE)[2:]
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_first_example_runs_without_a_key() -> None:
    names = {}
    first, *_ = blocks("python")
    exec(first, names)
    assert [row["class_name"] for row in names["p"].rows()] == ["person"]
    assert "<img" in names["p"]._repr_html_()
    last = first.strip().splitlines()[-1]
    assert len(eval(last, names)) == 1


def test_the_other_examples_run_with_a_key(monkeypatch, scripted) -> None:
    """The hosted API's hosts are replaced by a local one that responds without detections."""
    monkeypatch.setenv("ROBOFLOW_API_KEY", "key")
    monkeypatch.setattr(hosted, "V1_HOSTS", dict.fromkeys(hosted.V1_HOSTS, scripted.url))
    monkeypatch.setattr(hosted, "V2_HOSTS", dict.fromkeys(hosted.V2_HOSTS, scripted.url))
    monkeypatch.setattr("builtins.input", lambda text: "y")  # yes to a benchmark's requests
    shutil.copy(rfhosted.sample("cat"), "dog.jpg")
    _, *others = (block for block in blocks("python") if block != prompted_block())
    assert others
    for block in others:
        exec(block, {"rfhosted": rfhosted})
    assert {"/coco/3", "/my-project/3"} <= {request.path for request in scripted.received}


def prompted_block() -> str:
    """The example of the prompted models: the local models respond to it."""
    (block,) = (block for block in blocks("python") if "rfhosted.segment" in block)
    return block


def test_the_example_of_prompted_models_runs_without_a_key() -> None:
    *lines, last = prompted_block().strip().splitlines()
    names = {"rfhosted": rfhosted}
    exec("\n".join(lines), names)
    assert {row["class_name"] for row in eval(last, names).rows()} == {"person"}


def test_commands_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    notebook, tests = blocks("sh")
    for command in (notebook, tests):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -e '.[")
        extra = re.search(r"-e '\.\[(\w+)\]'", command)[1]
        assert extra in PYPROJECT["optional-dependencies"]
    file = notebook.split()[-1]
    assert (ROOT / file).is_file()
    assert f'jupyter execute "$work/{file}"' in ci
    assert "pip install -q -e '.[test]'\npytest -n 2" in ci
    # CI runs the notebook where the tests run: the extra of the one has all of the other's.
    assert "rfhosted[lab]" in PYPROJECT["optional-dependencies"]["test"]


def test_files_exist() -> None:
    named = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    without_addresses = re.sub(r"https?:\S+", "", README)
    named += re.findall(r"\b[A-Z]{4,}\.md|\bNOTICE\b|[\w/]+\.ipynb", without_addresses)
    assert len(named) > 3
    named += re.findall(r"`((?:rfhosted|tests|notebooks)/[^` *]*)`", CONTRIBUTING)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_room_has_its_line_in_contributing() -> None:
    rooms = {path.parent.name for path in (ROOT / "rfhosted").glob("*/__init__.py")}
    assert [room for room in rooms if f"`rfhosted/{room}/" not in CONTRIBUTING] == []


def test_errors_are_those_of_the_code() -> None:
    rows = [(code(names), set(map(int, re.findall(r"\b\d{3}\b", when)))) for names, when, _ in table("When something fails")]  # fmt: skip
    kinds = {name for name in rfhosted.__all__ if name.endswith("Error")}
    assert sorted(name for names, _ in rows for name in names) == sorted(kinds - {"HostedError"})
    documented = {status: names for names, statuses in rows for status in statuses}
    for status, (kind, _) in errors.STATUSES.items():
        if status < 500:  # the others are "other 5xx"
            assert kind.__name__ in documented[status], status
    for status, names in documented.items():
        assert errors.STATUSES[status][0].__name__ in names


def test_prompted_models_are_those_of_the_code() -> None:
    known = {model.title: model for model in hosted.PROMPTED_MODELS.values()}
    for title, verb, v1, v2, _ in table("Prompted models"):
        model = known[title]
        assert (*code(verb), v1 == "yes", v2 == "yes") == (model.verb, model.v1, model.v2)
        assert callable(getattr(rfhosted, model.verb))


def test_tasks_are_those_of_the_code() -> None:
    rows = table("Five tasks, two versions")
    assert [code(task)[0] for task, *_ in rows] == list(hosted.IMAGE_TASKS)
    for name, attributes, v1, v2, local in rows:
        (task,) = code(name)
        assert hosted.V1_HOSTS[task] == f"https://{v1}"
        assert v2 in (hosted.V2_HOSTS["us"].removeprefix("https://"), "the same")
        assert code(local) == [hosted.LOCAL_MODELS[task]]
        prediction = rfhosted.predict(rfhosted.sample("camera"), task=task)
        for attribute in code(attributes):
            assert getattr(prediction, attribute) is not None


def test_limits_are_those_of_the_code() -> None:
    megabytes = re.search(r"A request may have up to (\d+) MB on v1 and (\d+) MB on V2", README)
    limits = [hosted.REQUEST_LIMITS[version] for version in hosted.ApiVersion]
    assert [int(number) * 10**6 for number in megabytes.groups()] == limits
