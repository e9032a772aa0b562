"""Runs Django's own test modules on the engine and compares the failures with a checked-in list of expected ones.

`python -m djongo_lts.tests.django_suite [--update] [module ..]`. It downloads Django's sdist once.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import unittest
from collections import defaultdict
from pathlib import Path

import django
from django.test.runner import DiscoverRunner

from djongo_lts.write_commands import DeleteMany, Insert, UpdateMany

MODULES = [
    "basic", "lookup", "many_to_one", "one_to_one", "many_to_many", "m2m_through", "or_lookups", "null_queries",
    "ordering", "bulk_create", "delete", "update", "get_or_create", "dates", "datetimes", "auth_tests",
    "sessions_tests", "admin_changelist", "admin_views",
]  # fmt: skip
EXPECTED = Path(__file__).with_name("django_expected_failures.toml")
CACHE = Path(os.environ.get("DJANGO_SDIST_CACHE") or Path.home() / ".cache" / "djongo_lts")
# Pattern in the reason of a failure -> cause in the list.
CAUSES = {
    r"queries executed, \d+ expected": "counts queries, and MongoDB needs another number than SQL",
    r"not found in [\"'](db|DB)\.|count\(\) takes 1 positional": "reads the SQL text",
    r"datetime\.datetime\(.*\) != datetime\.datetime\(": "expects microseconds",
}
SETTINGS = """
from djongo_lts.url import parse
DATABASES = {{"default": parse("{url}/django_tests"), "other": parse("{url}/django_tests_other")}}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "djongo_lts.tests.django_suite.Runner"
"""


# --- in the process that runs one module


class Result(unittest.TextTestResult):
    """Records the reason of every failure by the name of the test."""

    reasons: dict[str, str] = {}
    run_count = 0

    def stopTest(self, test):
        type(self).run_count += 1
        super().stopTest(test)

    def printErrors(self):
        """Prints nothing: the description of a subtest may run an unsupported query."""

    def record(self, test, error):
        name = re.sub(r" \(.*", "", test.id()) if hasattr(test, "id") else str(test)
        self.reasons.setdefault(name, f"{error[0].__name__}: {error[1]}")

    def addError(self, test, err):
        self.record(test, err)
        super().addError(test, err)

    def addFailure(self, test, err):
        self.record(test, err)
        super().addFailure(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.record(test, err)
        super().addSubTest(test, subtest, err)


class Runner(DiscoverRunner):
    """Restores the written collections after a test. Django would flush all of them and create every permission."""

    def get_resultclass(self):
        return Result

    def setup_databases(self, **kwargs):
        from django.db import connections
        from django.test import TransactionTestCase

        made = super().setup_databases(**kwargs)
        kept = {}
        for alias in connections:
            database = connections[alias].run_on_database(lambda database: database)
            kept[alias] = {name: list(database[name].find()) for name in database.list_collection_names()}

        written: set[tuple[str, str]] = set()
        for command in (Insert, UpdateMany, DeleteMany):
            record_writes(command, written)

        def restore(test):
            for alias in test._databases_names(include_mirrors=False):
                database = connections[alias].run_on_database(lambda database: database)
                for name, documents in kept[alias].items():
                    if (database.name, name) in written:
                        database[name].delete_many({})
                        if documents:
                            database[name].insert_many(documents)
                for document in kept[alias].get("__schema__", ()):
                    if (database.name, document["name"]) in written:
                        database["__schema__"].replace_one({"_id": document["_id"]}, document)
            written.clear()
            from django.contrib.contenttypes.models import ContentType

            ContentType.objects.clear_cache()

        TransactionTestCase._fixture_teardown = restore
        return made

    def suite_result(self, suite, result, **kwargs):
        Path(os.environ["DJANGO_SUITE_REPORT"]).write_text(
            json.dumps({"run": result.run_count, "failed": result.reasons})
        )
        return super().suite_result(suite, result, **kwargs)


def record_writes(command: type, written: set) -> None:
    call = command.__call__

    def recorded(self, collections):
        written.add((collections.database.name, self.collection))
        return call(self, collections)

    command.__call__ = recorded


# --- in the process that runs them all


def tests_directory() -> Path:
    """The tests directory of the installed Django version's sdist, downloaded once."""
    version = django.get_version()
    directory = CACHE / f"django-{version}" / "tests"
    if not directory.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        download = [
            "download",
            "-q",
            "--no-binary",
            ":all:",
            "--no-deps",
            f"Django=={version}",
            "-d",
            str(CACHE),
        ]
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
        archive = next(iter(CACHE.glob(f"[dD]jango-{version}.tar.gz")))
        with tarfile.open(archive) as sdist:
            sdist.extractall(CACHE, filter="data")
    return directory


def run_module(module: str, tests: Path, url: str) -> dict:
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "mongo_settings.py").write_text(SETTINGS.format(url=url))
        report = Path(directory, "report.json")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([directory, str(root)]),
            "DJANGO_SUITE_REPORT": str(report),
        }
        command = [
            sys.executable,
            "runtests.py",
            "--settings=mongo_settings",
            "--parallel=1",
            "--noinput",
            module,
        ]
        done = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True)
        if not report.exists():
            return {"run": 0, "failed": {f"{module} (did not run)": done.stderr[-8000:]}}
        return json.loads(report.read_text())


def cause(reason: str) -> str:
    """The cause of a failure: its reason without the parts that differ between tests, such as numbers."""
    first = reason.split("\n", 1)[0]
    if match := re.search(r"djongo_lts does not support (.*)", first):
        return f"unsupported: {match[1]}"
    for pattern, why in CAUSES.items():
        if re.search(pattern, reason):
            return why
    return re.sub(r"0x[0-9a-f]+|\d+", "N", first)[:100]


def expectations() -> dict[str, str]:
    if not EXPECTED.exists():
        return {}
    return {test: why for why, tests in tomllib.loads(EXPECTED.read_text()).items() for test in tests}


def write(failed: dict[str, str], known: dict[str, str], modules: list[str]) -> None:
    """Rewrites the list. Known tests keep the wording of their cause; a new cause is derived from the error."""
    causes = defaultdict(list)
    for test, why in known.items():
        if test in failed or test.split(".")[0] not in modules:
            causes[why].append(test)
    for test, reason in failed.items():
        if test not in known:
            causes[cause(reason)].append(test)
    lines = ["# Django's tests that are expected to fail on djongo_lts, by cause.", ""]
    for why in sorted(causes):
        lines += [
            f"{json.dumps(why)} = [",
            *(f"    {json.dumps(test)}," for test in sorted(causes[why])),
            "]",
            "",
        ]
    EXPECTED.write_text("\n".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument(
        "--update", action="store_true", help="save the current failures as the expected ones"
    )
    options = parser.parse_args()
    from ..testing import mongo_url

    tests, known = tests_directory(), expectations()
    failed, passed = {}, 0
    with mongo_url() as url:
        for module in options.modules:
            report = run_module(module, tests, url)
            failed |= report["failed"]
            unexpected = [test for test in report["failed"] if test not in known]
            passed += report["run"] - len(report["failed"])
            print(
                f"{module:18}run {report['run']:5}  failed {len(report['failed']):4}  unexpected {len(unexpected)}",
                flush=True,
            )
            for test in unexpected:
                print(f"    {test}: {report['failed'][test][:300]}", flush=True)
    if options.update:
        write(failed, known, options.modules)
        return 0
    now_passing = [test for test in known if test not in failed and test.split(".")[0] in options.modules]
    print(f"passed {passed}, failed as expected {len(failed.keys() & known.keys())}")
    for test in now_passing:
        print(f"    passes now, remove it from the list: {test}")
    return 1 if now_passing or failed.keys() - known.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
