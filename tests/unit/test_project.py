"""Rules of the whole project that no other tool checks."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from daemon.ledger.tables import metadata as ledger
from registry.tables import metadata as registry
from tests.support.helpers import required_program

ROOT = Path(__file__).parents[2]
PACKAGES = ("daemon", "monitors", "learners", "registry")
TOP_LEVEL = {
    *PACKAGES,
    *("deploy", "tests"),
    *(
        "pyproject.toml",
        "constraints.txt",
        "Makefile",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE",
    ),
}

PAGES = sorted([*ROOT.glob("*.md"), *(page for name in TOP_LEVEL for page in (ROOT / name).glob("**/*.md"))])

#: Where a library may be imported.
IMPORTS = {
    "kafka": ["daemon/kafka/library.py"],
    "grafana_foundation_sdk": [],  # makes the dashboards of deploy/grafana
    "fastavro": ["daemon/intake/avro.py"],  # optional
    "httpx": [
        "daemon/kafka/schema_registry.py",
        "daemon/kafka/token_endpoint.py",
        "daemon/teaching/client.py",
    ],
    "botocore": ["daemon/kafka/msk.py"],  # optional
    "lightkube": ["daemon/cluster/api.py"],  # optional
    "httpx2": ["daemon/cluster/api.py"],
    "opentelemetry": ["daemon/telemetry/otlp.py"],  # optional
    "requests": ["daemon/cli/doctor/tracing.py", "daemon/telemetry/otlp.py"],  # comes with it
    "prometheus_client": ["daemon/telemetry/exposition.py", "daemon/telemetry/instruments.py"],
    "sqlalchemy": [
        "registry/sql.py",
        "registry/sql_logs.py",
        "registry/sql_orders.py",
        "registry/tables.py",
        "daemon/ledger/*",
        "daemon/retention/*",
        "daemon/cli/doctor/stores.py",  # `doctor` tells people what the library's errors mean, without opening a store
        "daemon/cli/session.py",  # likewise, for the other commands
    ],
    "pickle": [],
    "cloudpickle": [],
    "dill": [],
    "marshal": [],
    "shelve": [],
}
#: Where a function or variable may be named, called or not.
NAMES = {
    "os.environ": [
        "daemon/config/loader.py",  # reads the settings
        "daemon/demo/children.py",  # the rest only hand the environment on to child processes
        "learners/children/subprocess_child.py",
    ],
    "os.getenv": [],
    "os.system": [],
    "os.popen": [],
    "time.sleep": [
        "daemon/kafka/admin.py",  # a command waits for the group coordinator of a cluster that has had none yet
        "daemon/kafka/source.py",  # errors of a poll come at once, and again
        "daemon/ledger/database.py",  # waits for another maker of the file where SQLite itself does not
        "daemon/demo/broker.py",  # waits for a child that can't say when it is ready
        "daemon/demo/*",  # watches another process
        "daemon/cli/*",  # likewise, and paces the replay
    ],
    "torch.load": [],
    "eval": [],
    "exec": [],
}
#: Arguments that nobody may pass.
ARGUMENTS = {("trust_remote_code", True), ("shell", True), ("weights_only", False)}


@cache
def modules() -> dict[str, ast.Module]:
    """The code of the four packages, by path."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def offenders(allowed: list[str], lines: Callable[[ast.Module], Iterator[int]]) -> list[str]:
    """``file:line`` of what was found outside of the allowed files."""
    return [
        f"{path}:{line}"
        for path, tree in modules().items()
        if not any(fnmatch(path, pattern) for pattern in allowed)
        for line in lines(tree)
    ]


def imports_of(library: str) -> Callable[[ast.Module], Iterator[int]]:
    def lines(tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] == library for name in names):
                yield node.lineno  # type: ignore[attr-defined]

    return lines


def uses_of(name: str) -> Callable[[ast.Module], Iterator[int]]:
    """Find ``name``, also where it was imported from its module by itself."""
    module, _, last = name.rpartition(".")

    def lines(tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            named = isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) == name
            brought = (
                isinstance(node, ast.ImportFrom)
                and node.module == module
                and any(alias.name == last for alias in node.names)
            )
            if named or brought:
                yield node.lineno  # type: ignore[attr-defined]

    return lines


def forbidden_arguments(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.keyword)
            and isinstance(node.value, ast.Constant)
            and (node.arg, node.value.value) in ARGUMENTS
        ):
            yield node.lineno


@pytest.mark.parametrize("library", IMPORTS)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    assert offenders(IMPORTS[library], imports_of(library)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_used_only_where_it_belongs(name: str) -> None:
    assert offenders(NAMES[name], uses_of(name)) == []


def test_no_dangerous_argument_is_passed() -> None:
    assert offenders([], forbidden_arguments) == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("import os\nos.environ['A']", [2]),
        ("from os import environ", [1]),
        ("import os\nx = os.path", []),
    ],
)
def test_the_scan_for_names_finds_them(code: str, lines: list[int]) -> None:
    assert list(uses_of("os.environ")(ast.parse(code))) == lines


def test_the_scan_for_names_lets_methods_be() -> None:
    assert list(uses_of("eval")(ast.parse("model.eval()\neval('1')"))) == [2]


def test_the_scan_for_imports_finds_them_anywhere() -> None:
    code = "import kafka.errors\ndef f():\n    from kafka import KafkaConsumer\nimport daemon.kafka"

    assert list(imports_of("kafka")(ast.parse(code))) == [1, 3]


def test_the_scan_for_arguments_finds_them() -> None:
    code = "run('x', shell=True)\nload(trust_remote_code=False)\nload(trust_remote_code=True)"

    assert list(forbidden_arguments(ast.parse(code))) == [1, 3]


def test_every_module_says_what_it_is() -> None:
    silent = [path for path, tree in modules().items() if tree.body and not ast.get_docstring(tree)]

    assert silent == []


def test_the_top_level_holds_what_it_should() -> None:
    git = required_program("git", "install git")
    listed = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout")
    entries = {line.split("/")[0] for line in listed.stdout.splitlines()}

    assert {entry for entry in entries if not entry.startswith(".")} <= TOP_LEVEL


def test_the_wheel_holds_the_four_packages_and_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    assert set(project["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)
    assert project["project"]["scripts"] == {"retuned": "daemon.cli.app:main"}


def test_warnings_are_errors_and_types_are_strict() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]

    assert tool["pytest"]["ini_options"]["filterwarnings"][0] == "error"
    assert tool["mypy"]["strict"] is True


def test_every_package_is_typed_for_its_users() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").exists()] == []


@pytest.mark.parametrize("target", ["demo", "test", "check", "docs", "pictures", "bench", "soak"])
def test_make_installs_before_it_does_anything(target: str) -> None:
    assert f"\n{target}: install\n" in (ROOT / "Makefile").read_text()


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = "{'torch', 'transformers', 'peft', 'evidently', 'sklearn', 'pandas', 'sqlalchemy', 'kafka'}"
    code = f"import sys, daemon.cli.app; print(sorted({heavy} & set(sys.modules)))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "[]\n"


def test_every_table_has_its_retention_written_down() -> None:
    rules = (ROOT / "deploy" / "docs" / "retention.md").read_text("utf-8")

    assert {name for name in (*ledger.tables, *registry.tables) if f"`{name}`" not in rules} == set()


@pytest.mark.parametrize(("page", "most"), [("README.md", 150), ("ARCHITECTURE.md", 200)])
def test_a_page_is_short_enough_to_be_read(page: str, most: int) -> None:
    assert len((ROOT / page).read_text("utf-8").splitlines()) <= most


#: Modules, folders and pages, as the pages name them.
_PATH = re.compile(r"(?:`|\]\()((?:daemon|monitors|learners|registry|deploy|tests)/[\w./-]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text("utf-8")))

    assert {path for path in named if not (ROOT / path).exists()} == set()


_LONGEST_FUNCTION, _MOST_ARGUMENTS = 60, 8


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function outside of the migrations, with its place."""
    for path, tree in modules().items():
        if "/migrations/" not in path:
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    yield f"{path}:{node.lineno} {node.name}", node


def test_every_function_fits_on_a_screen() -> None:
    lengths = {place: node.end_lineno - node.lineno + 1 for place, node in functions() if node.end_lineno}

    assert {place: lines for place, lines in lengths.items() if lines > _LONGEST_FUNCTION} == {}


def test_no_constructor_takes_more_than_eight_arguments() -> None:
    taken = {
        place: len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs) - 1
        for place, node in functions()
        if node.name == "__init__"
    }

    assert {place: count for place, count in taken.items() if count > _MOST_ARGUMENTS} == {}
