"""Plain data against the JSON Schema, told in our words: what is wrong, what was found, what to write instead.

The words come from the schema itself (`title` says what is expected, `examples` what to write), so that a
key is described in one place. Imported only where no cache holds the answer: jsonschema costs 156 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from orchestra.manifest.document import MAX_DIGITS, Document, resolve
from orchestra.manifest.later import LATER_VALUES, section
from orchestra.manifest.problems import DataPath, Problem, listing, nearest, show

Schema = dict[str, Any]

# What needs no quotes, also inside brackets.
_PLAIN = re.compile(r"[A-Za-z0-9./_-][A-Za-z0-9./_*?=%-]*(?: [A-Za-z0-9./_*?=-]+)*")
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "null": "null",
}


def check_schema(document: Document, schema: Schema) -> list[Problem]:
    """What of a document does not fit the schema; its references (`#/$defs/...`) are resolved in itself."""
    words = _Words(document, schema)
    return [
        problem
        for error in Draft202012Validator(schema).iter_errors(document.data)
        for problem in words.problems(error)
    ]


class _Words:
    """Says a validator's errors in our words."""

    def __init__(self, document: Document, root: Schema) -> None:
        self._document = document
        self._root = root

    def problems(self, error: ValidationError) -> Iterator[Problem]:
        """What one error of the validator means; several unknown keys are one error to it."""
        path: DataPath = tuple(error.absolute_path)
        schema: Any = error.schema
        value: Any = error.instance
        if error.validator == "additionalProperties":
            yield from self._unknown_keys(path, value, schema["properties"])
        elif error.validator == "anyOf":
            yield from self._any_of(path, error)
        elif error.validator == "required":
            for key in schema["required"]:
                if key not in value:
                    yield self._missing(path, key)
        elif "propertyNames" in error.absolute_schema_path:
            message = f"`{show(value)}` is not {expected(schema)}"
            yield Problem(message, (*path, value), True, f"write a key such as `{_example(schema)}`")
        elif error.validator in ("const", "enum"):
            yield self._choice(path, value, schema)
        elif error.validator == "exclusiveMinimum":
            message = (
                f"{_subject(path)} must be more than {schema['exclusiveMinimum']}, but is {show(str(value))}"
            )
            yield Problem(message, path, hint=self._such_as(path))
        elif error.validator in ("minimum", "maximum"):
            if schema.get("type") == "integer" and isinstance(value, float) and not value.is_integer():
                return  # told already: it is no whole number
            bound = f"at {'least' if error.validator == 'minimum' else 'most'} {schema[error.validator]}"
            message = f"{_subject(path)} must be {bound}, but is {show(str(value))}"
            yield Problem(message, path, hint=self._such_as(path))
        elif error.validator == "minItems" or (error.validator == "pattern" and not value.strip()):
            yield Problem(f"{_subject(path)} must not be empty", path, hint=self._such_as(path))
        else:
            message = f"{_subject(path)} must be {expected(schema)}, but is {found(value)}"
            yield Problem(message, path, hint=self._hint(path, value, schema))

    def _unknown_keys(self, path: DataPath, value: Schema, allowed: Schema) -> Iterator[Problem]:
        for key in value:
            if key in allowed:
                continue
            meant = nearest(key, allowed)
            homes = self._homes(key)
            if homes:
                hint = f"it belongs into {' or '.join(homes)}"
            elif meant:
                hint = f"did you mean `{meant}`?"
            else:
                hint = f"what can be written here: {listing(allowed)}"
            yield Problem(f"unknown key `{show(key)}`", (*path, key), True, hint)

    def _homes(self, key: str) -> list[str]:
        """The sections that do accept a key."""
        top, entries = self._root["properties"], self._root["$defs"]
        sections = [("the top level", top)]
        sections += [(f"`{name}`", top[name]["properties"]) for name in top if "properties" in top[name]]
        sections += [(f"an entry of `{name}s`", entries[name]["properties"]) for name in ("agent", "task")]
        return [words for words, keys in sections if key in keys]

    def _any_of(self, path: DataPath, error: ValidationError) -> Iterator[Problem]:
        """Speak of the one branch whose type fits, or else of all of them."""
        value: Any = error.instance
        choices: Any = error.validator_value
        branches = [self._resolved(branch) for branch in choices]
        for index, branch in enumerate(branches):
            if "type" in branch and Draft202012Validator({"type": branch["type"]}).is_valid(value):
                for inner in error.context or ():
                    if inner.relative_schema_path[0] == index:
                        yield from self.problems(inner)
                return
        words = [str(branch["const"]) for branch in branches if "const" in branch]
        meant = nearest(value, words) if isinstance(value, str) else None
        yield Problem(
            f"{_subject(path)} must be {' or '.join(map(expected, branches))}, but is {found(value)}",
            path,
            # The first branch is what was most probably meant.
            hint=f"did you mean `{meant}`?" if meant else self._hint(path, value, branches[0]),
        )

    def _missing(self, path: DataPath, key: str) -> Problem:
        owner = f" of {_subject(path)}" if path else ""
        hint = f"write `{_line((key,), _example(self._at((*path, key))))}`"
        return Problem(f"the key `{key}`{owner} is missing", path, True, hint)

    def _choice(self, path: DataPath, value: Any, schema: Schema) -> Problem:
        choices = [str(choice) for choice in schema.get("enum", [schema.get("const")])]
        meant = nearest(value, choices) if isinstance(value, str) else None
        if isinstance(value, str) and value in LATER_VALUES.get(section(path), ()):
            message = f"{_subject(path)} cannot be `{value}` yet"
            return Problem(message, path, hint=f"what can be written here: {listing(choices)}")
        one_of = "one of " if len(choices) > 1 else ""
        message = f"{_subject(path)} must be {one_of}{listing(choices)}, but is {found(value)}"
        if meant is not None:
            hint = f"write it without quotes: {value}" if meant == value else f"did you mean `{meant}`?"
        elif path == ("version",) and isinstance(value, int) and value > schema["const"]:
            hint = f"upgrade orchestra, or write `version: {schema['const']}` and what that version knows"
        else:
            hint = self._such_as(path)
        return Problem(message, path, hint=hint)

    def _hint(self, path: DataPath, value: Any, schema: Schema) -> str:
        """What to write instead of a value of the wrong type or shape."""
        kinds = schema.get("type", ())
        if isinstance(value, (bool, int, float)) and "string" in kinds:
            written = self._document.written(path)
            if schema == self._root["$defs"]["duration"] and written.isdigit():
                return "add the unit: " + " or ".join(f"`{written}{unit}`" for unit in "smh")
            if re.search(schema.get("pattern", ""), written):
                return f'put it in quotes: "{show(written)}"'
        if isinstance(value, str) and value.strip():
            if "array" in kinds:
                return f"write `{_line(path, _flow([value]))}`"
            if "integer" in kinds and isinstance(resolve(value[:MAX_DIGITS]), int):
                return f"write it without quotes: {show(value)}"
        if isinstance(value, dict) and "string" in kinds and list(value.values()) == [None]:
            # In a list of arguments {prompt_file} without quotes is a mapping.
            return f'put it in quotes: "{{{show(next(iter(value)))}}}"'
        if not path:
            return "begin with `version: 1`"
        return (
            f"remove the key, or give it a value, {self._such_as(path)}"
            if value is None
            else self._such_as(path)
        )

    def _such_as(self, path: DataPath) -> str:
        return f"for example `{_line(path, _example(self._at(path)))}`"

    def _at(self, path: DataPath) -> Schema:
        """The schema of the value at a path."""
        schema = self._root
        for part in path:
            for branch in map(self._resolved, schema.get("anyOf", [schema])):
                if isinstance(part, int) and "items" in branch:
                    schema = self._resolved(branch["items"])
                elif isinstance(part, str) and part in branch.get("properties", ()):
                    schema = self._resolved(branch["properties"][part])
                elif isinstance(part, str) and isinstance(branch.get("additionalProperties"), dict):
                    schema = self._resolved(branch["additionalProperties"])
                else:
                    continue
                break
        return schema

    def _resolved(self, schema: Schema) -> Schema:
        """A schema with what it refers to; what stands beside the reference wins."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        return {**self._root["$defs"][reference.removeprefix("#/$defs/")], **schema}


def expected(schema: Schema) -> str:
    """What a schema accepts, in words."""
    if "const" in schema:
        return f"`{schema['const']}`"
    return str(schema["title"]) if "title" in schema else _TYPES[schema["type"]]


def found(value: Any) -> str:
    """A value in words, for the end of `must be X, but is ...`."""
    if value is None:
        return "empty (null)"
    if isinstance(value, bool):
        return _scalar(value)
    if isinstance(value, str):
        return f"the text `{show(value)}`" if value else "an empty text"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"the number {show(_scalar(value))}"


def _scalar(value: bool | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def _subject(path: DataPath) -> str:
    """What a message is about: the key, or the item of a list."""
    if not path:
        return "the manifest"
    last = path[-1]
    if isinstance(last, int):
        return f"item {last + 1} of {_subject(path[:-1])}"
    return f"`{show(last)}`"


def _line(path: DataPath, value: str) -> str:
    """A value with its key before it, where it has one."""
    if not path or isinstance(path[-1], int):
        return value
    return f"{show(path[-1])}: {value}"


def _example(schema: Schema) -> str:
    return _flow(schema["examples"][0])


def _flow(value: Any) -> str:
    """A small value as one would write it in YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        return (
            show(value) if _PLAIN.fullmatch(value) and isinstance(resolve(value), str) else f'"{show(value)}"'
        )
    return _scalar(value)
