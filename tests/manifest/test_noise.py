"""Manifests that nobody would write: whatever stands at whatever key, it is loaded or refused, never a crash."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.manifest.check import check_schema
from orchestra.manifest.document import parse_text
from orchestra.manifest.load import load
from orchestra.manifest.rules import check_manifest, settled
from orchestra.manifest.schema import schema_text
from orchestra.manifest.shape import settings_of
from orchestra.model.errors import OrchestraError

from .kit import write

SCHEMA: dict[str, Any] = json.loads(schema_text("orchestra.schema.json"))

PLAIN = re.findall(
    r"\S+",
    """a b a.md script command codex 45m 0s 1e9h src/** ** ../x /x .git/x prompts/a exclusive auto {task} {x}
    squash user agent accept A GIT_DIR é propertyNames anyOf shared retries write read [ main edit""",
)
WORDS = st.sampled_from([*PLAIN, "", " ", "\n", "\u200b", "x" * 300])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def like(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that often fit a schema, or nearly."""
    if "$ref" in schema:
        schema = {**SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], **schema}
    fitting: list[st.SearchStrategy[Any]] = []
    if "examples" in schema:
        fitting.append(st.sampled_from(schema["examples"]))
    for branch in schema.get("anyOf", [schema]):
        if "properties" in branch:
            known = {key: like(inner) for key, inner in branch["properties"].items()}
            needed = {key: known.pop(key) for key in branch.get("required", ())}
            fitting.append(st.fixed_dictionaries(needed, optional=known))
        elif isinstance(branch.get("additionalProperties"), dict):
            fitting.append(st.dictionaries(WORDS, like(branch["additionalProperties"]), max_size=2))
        elif "items" in branch:
            fitting.append(st.lists(like(branch["items"]), max_size=3))
        elif "enum" in branch:
            fitting.append(st.sampled_from(branch["enum"]))
        elif branch.get("type") == "string":
            fitting.append(WORDS)
    # One value in forty may be anything: more, and no manifest would get past its first key.
    return st.integers(0, 39).flatmap(lambda number: VALUES if number == 39 else st.one_of(fitting))


def text_of(value: Any) -> str:
    """A value as YAML: JSON is, once numbers that JSON has no words for are spelled."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("-Infinity", "-.inf").replace("Infinity", ".inf").replace("NaN", ".nan")


SECTIONS = {key: like(schema) for key, schema in SCHEMA["properties"].items() if key != "version"}


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"version": st.just(1)}, optional=SECTIONS))
def test_every_text_is_accepted_or_refused_with_words(value: dict[str, Any]) -> None:
    document = parse_text(text_of(value), "m")
    problems = check_schema(document, SCHEMA) or check_manifest(document)
    for problem in problems:
        assert problem.hint
        assert problem.message.isprintable()
        assert document.locate(problem).line == 1
    if not problems:
        # What passed can be made into values, also after a detour through the cache.
        data = json.loads(json.dumps(settled(document)))
        assert settings_of(data) == settings_of(document.data)


@settings(max_examples=100, deadline=None)
@given(like(SCHEMA["$defs"]["task"]), st.booleans())
def test_every_entry_and_front_matter_is_accepted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, entry: Any, front: bool
) -> None:
    root = tmp_path_factory.mktemp("noise")
    text = text_of(entry)
    write(root, {"a.md": "Do it.", "prompts/b.md": f"---\n{text}\n---\nDo it." if front else "Do it."})
    write(root, {"orchestra.yaml": f"version: 1\ntasks: {{a: {text if not front else '{run: x}'}}}"})
    try:
        cold = load(root, cache_dir=root / "cache")
    except OrchestraError as error:
        for each in (error, *error.others):
            assert each.hint
            assert each.place is not None
            assert Path(each.place.file).name in ("orchestra.yaml", "a.md", "b.md")
    else:
        assert load(root, cache_dir=root / "cache") == cold
