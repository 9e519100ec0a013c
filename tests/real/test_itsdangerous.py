"""A real package with its own test suite: nine changes at once, what passes lands, what breaks is rejected.

The package is itsdangerous (Pallets, BSD-3-Clause), downloaded for the test and never part of this repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch

pytestmark = [pytest.mark.network, pytest.mark.slow]

# Without the plugins of this project's own environment: they are half of what the suite would cost.
SUITE = (
    f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONPATH=src {sys.executable} -m pytest -q -x -p no:cacheprovider"
)

# The changes find their places by names alone: no text of the package stands here.
CHANGE = """\
import re
from pathlib import Path

SRC = Path("src/itsdangerous")


def place(file, pattern):
    text = (SRC / file).read_text()
    found = list(re.finditer(pattern, text, re.MULTILINE))
    assert len(found) == 1, (file, pattern, found)
    return text, found[0]


def insert(file, before, new):
    text, match = place(file, before)
    (SRC / file).write_text(text[: match.start()] + new + text[match.start() :])


def test(name, text):
    Path(f"tests/test_itsdangerous/test_{name}.py").write_text(text)


"""

HEX = '''\
insert("encoding.py", "^def base64_encode", """\
def hex_encode(value):
    return want_bytes(value).hex().encode("ascii")


""")
test("hex", """\
from itsdangerous.encoding import hex_encode


def test_hex():
    assert hex_encode("az") == b"617a"
""")
'''

NEGATIVE = '''\
insert("encoding.py", r"^ +return _int_to_bytes", """\
    if num < 0:
        raise BadData("Negative numbers cannot be encoded")

""")
test("negative", """\
import pytest
from itsdangerous import BadData
from itsdangerous.encoding import int_to_bytes


def test_negative():
    with pytest.raises(BadData):
        int_to_bytes(-1)
""")
'''

REPR = '''\
insert("exc.py", r"^ +def __str__", """\
    def __repr__(self):
        return f"{type(self).__name__}({self.message!r})"

""")
test("repr", """\
from itsdangerous import BadSignature


def test_repr():
    assert repr(BadSignature("no")) == "BadSignature('no')"
""")
'''

SPLIT = '''\
insert("signer.py", r"^    def sign\\b", """\
    def looks_signed(self, value):
        return self.sep in want_bytes(value)

""")
test("looks_signed", """\
from itsdangerous import Signer


def test_looks_signed():
    assert Signer("k").looks_signed(Signer("k").sign("v"))
    assert not Signer("k").looks_signed("v")
""")
'''

AGE = '''\
insert("timed.py", r"^    def sign\\b", """\
    def age(self, signed_value):
        _, signed = self.unsign(signed_value, return_timestamp=True)
        return self.get_timestamp() - int(signed.timestamp())

""")
test("age", """\
from itsdangerous import TimestampSigner


def test_age():
    signer = TimestampSigner("k")
    assert 0 <= signer.age(signer.sign("v")) < 60
""")
'''

SORTED = '''\
insert("_json.py", r"^ +return _json.dumps", """\
        kwargs.setdefault("sort_keys", True)
""")
test("sorted", """\
from itsdangerous import URLSafeSerializer


def test_sorted():
    serializer = URLSafeSerializer("k")
    assert serializer.dumps({"b": 1, "a": 2}) == serializer.dumps({"a": 2, "b": 1})
""")
'''

# Both put their line at the same place, and neither says what it writes.
EXPORT = '''\
insert("__init__.py", "^def __getattr__", "{line}\\n\\n\\n")
test("export_{name}", """\
import itsdangerous


def test_export():
    assert itsdangerous.{name}
""")
'''

BREAK = """\
text, match = place("signer.py", r'(?<=sep: str . bytes = b)"[.]"')
(SRC / "signer.py").write_text(text[: match.start()] + '":"' + text[match.end() :])
"""


def python_prompt(scratch: Scratch, name: str, code: str, **front: object) -> None:
    head = "".join(f"{key}: {value}\n" for key, value in {"agent": "script", **front}.items())
    body = f"---\n{head}---\n# {name}\n\n```python\n{CHANGE}{code}```\n"
    scratch.write(f"prompts/{name}.md", body)


@pytest.fixture
def package(tmp_path: Path) -> Scratch:
    downloads = tmp_path / "downloads"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"),
            *("--dest", str(downloads), "itsdangerous==2.2.0"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(downloads.glob("*.tar.gz"))
    if done.returncode != 0 or not archives:
        pytest.skip("itsdangerous cannot be downloaded here: no package registry")
    scratch = Scratch(tmp_path, "itsdangerous", {"PATH": os.environ["PATH"]})
    with tarfile.open(archives[0]) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    for path in unpacked.iterdir():
        path.rename(scratch.root / path.name)
    scratch.write(".gitignore", "__pycache__/\n")
    scratch.write("orchestra.yaml", f'version: 1\nintegrate: {{verify: "{SUITE}"}}\n')

    def writes(*paths: str) -> str:
        return f"{{write: [{', '.join(paths)}]}}"

    src, tests = "src/itsdangerous", "tests/test_itsdangerous"
    python_prompt(scratch, "hex", HEX, claims=writes(f"{src}/encoding.py", f"{tests}/test_hex.py"))
    python_prompt(
        scratch, "negative", NEGATIVE, claims=writes(f"{src}/encoding.py", f"{tests}/test_negative.py")
    )
    python_prompt(scratch, "repr", REPR, claims=writes(f"{src}/exc.py", f"{tests}/test_repr.py"))
    python_prompt(scratch, "looks-signed", SPLIT)
    python_prompt(scratch, "age", AGE)
    python_prompt(scratch, "sorted", SORTED)
    hex_line = "from .encoding import hex_encode as hex_encode"
    algorithm_line = "from .signer import SigningAlgorithm as SigningAlgorithm"
    python_prompt(
        scratch, "export-hex", EXPORT.format(line=hex_line, name="hex_encode"), needs=["hex"], priority=-1
    )
    python_prompt(
        scratch,
        "export-algorithm",
        EXPORT.format(line=algorithm_line, name="SigningAlgorithm"),
        needs=["hex"],
        priority=-1,
    )
    python_prompt(scratch, "other-separator", BREAK)
    scratch.commit("itsdangerous 2.2.0")
    return scratch


def test_nine_changes_to_itsdangerous(package: Scratch) -> None:
    called = package.orchestra("build", "-j", "4", "--json")
    finished = called.finished
    expected = dict.fromkeys(
        ("hex", "negative", "repr", "looks-signed", "age", "sorted", "export-hex", "export-algorithm"),
        "landed",
    ) | {"other-separator": "rejected"}
    assert finished["tasks"] == expected, explain(called)
    assert called.status == 1
    assert finished["advanced"]
    conflicts = {event["task"] for event in called.named("task_again") if event["paths"]}
    assert conflicts & {"export-hex", "export-algorithm"}, "the pair did not meet"
    (rejected,) = called.named("task_rejected")
    assert 'b":"' in package.git("show", rejected["kept"])
    assert_green(package)

    second = package.orchestra("build", "--json")
    assert [event["task"] for event in second.named("attempt_started")] == ["other-separator"]
    assert second.status == 1
    (package.root / "prompts" / "other-separator.md").unlink()
    third = package.orchestra("build", "--json")
    assert (third.status, third.finished["ran"], third.finished["fresh"]) == (0, 0, 8)


def explain(called: Called) -> str:
    told = ("task_failed", "task_rejected", "task_again", "notice")
    return "\n".join(str(event) for event in called.events if event["event"] in told)


def assert_green(scratch: Scratch) -> None:
    copy = scratch.home / "copy"
    scratch.git("clone", "--quiet", str(scratch.root), str(copy))
    done = subprocess.run(["sh", "-c", SUITE], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 297 + 8
