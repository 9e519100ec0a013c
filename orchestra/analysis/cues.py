"""The words that tell whether a path named in a prompt is written or only read, as plain data.

Small on purpose. What no word settles counts as written: a read that is taken for a write costs time, a write
that is taken for a read costs a conflict. Measured by `benchmarks/inference.py`.
"""

from __future__ import annotations

import re

REACH = 7
"""How many words a cue may stand before the path that it is about."""

CREATE_REACH = 4
"""The same for words of making something, which turn a name that leads nowhere into a file to come."""

READ = frozenset((
    "according", "described", "specified", "explained", "listed", "outlined", "provided", "similar", "based",
    "reading", "following", "referring", "mirroring", "compared", "importing", "imported", "reusing", "running",
    "pytest", "consult", "inspect", "analyze", "analyse", "understand", "mimic", "refer", "refers",
    "stick", "adhere", "respect", "obey", "consistent", "conform", "comply",
))  # fmt: skip
"""Cues that what comes next is looked at."""

READ_VERBS = frozenset((
    "see", "read", "reads", "follow", "follows", "import", "imports", "reuse", "run", "runs", "review", "study",
    "reference", "references", "mirror", "mirrors", "compare", "grep", "cat", "style", "use", "check",
))  # fmt: skip
"""Such cues that can be nouns: behind a word of writing (`fix the import cycle in X`) they are, unless joined."""

JOINTS = frozenset(
    ("", "to", "and", "or", "it", "that", "which", "please", "should", "must", "will", "first", "¤")
)
"""What stands before a verb rather than before a noun; empty: nothing, it begins the clause."""

READ_NEARBY = {"like": 4, "unlike": 4, "use": 4, "using": 4, "per": 2, "check": 2, "context": 1}
"""Weaker cues, by their own reach."""

READ_END = re.compile(
    r"\bas (?:\w+ed |shown |seen )?in(?: the)?$|\b(?:copy|implement|load|take|derive)\b.* from(?: the)?$"
)
"""Phrases that end at the path: `as in X`, `as defined in X`, `implement step 1 from X`."""

WRITE = frozenset((
    "add", "adds", "adding", "change", "changes", "changing", "edit", "edits", "editing", "update",
    "updates", "updating", "fix", "fixes", "fixing", "create", "creates", "creating", "write", "writes",
    "writing", "modify", "modifies", "modifying", "implement", "implements", "implementing", "refactor",
    "rename", "move", "moves", "moving", "delete", "remove", "removes", "removing", "extend", "extends",
    "put", "make", "makes", "generate", "replace", "rewrite", "improve", "build", "append", "insert",
    "adjust", "migrate", "convert", "split", "extract", "introduce", "save", "store", "harden", "simplify",
    "correct", "enhance", "port", "clean",
))  # fmt: skip
"""Cues that what comes next is changed or made."""

CREATE = frozenset((
    "create", "creates", "creating", "add", "adds", "adding", "write", "writes", "writing", "new",
    "generate", "save", "put",
))  # fmt: skip
"""Cues that what comes next need not exist yet."""

TESTS = frozenset(("test", "tests", "testing", "coverage"))
TESTS_OF = frozenset(("for", "of", "covering", "against"))
"""`tests for X`: X is read."""

ARTICLES = frozenset(("a", "an", "the", "its", "this", "each", "every", "our", "no"))
"""A cue behind one of these is a noun (`the read path`), and no cue; nor is one before `of`."""

TARGET = re.compile(r"(\w+) (?:in)?to(?: (?:the|a|new|file|existing))*$")
"""`... to X`: what is added to X changes X, unless the word before goes with it (`similar to X`)."""

TOWARDS = frozenset((
    "similar", "according", "refer", "refers", "referring", "compared", "adhere", "stick", "conform", "next",
    "relative",
))  # fmt: skip
"""Words that `to` goes with."""

NEGATION = frozenset((
    "not", "don't", "don’t", "never", "no", "mustn't", "shouldn't", "without", "avoid",
))  # fmt: skip
"""One of these is in every phrase that forbids a change."""

LEAVING = frozenset(("leave", "leaving", "keep", "keeping"))
"""One of these is in every phrase that leaves something alone."""

LEADING_TO = frozenset(("in", "from", "to", "into"))
"""One of these is in every phrase that ends at a path."""

_FILLER = r"(?:the|files?|folders?|director(?:y|ies)|modules?|any|anything|of|in|under|below|existing|or|and|nor|¤|,)"
_CHANGE = r"(?:chang|touch|edit|modify|modifi|alter|updat|overwrit|writ)\w*"
_NEVER = r"(?:do not|don't|don’t|never|must not|mustn't|should not|shouldn't|may not|without|avoid|not)"

UNTOUCHED = re.compile(
    rf"\b(?:{_NEVER} (?:ever )?{_CHANGE}(?: or {_CHANGE})?|no (?:\w+ )?changes? (?:\w+ )?(?:to|in|for))"
    rf"(?: {_FILLER})*$"
)
"""`do not change X`: only where nothing but filler stands between: X may change where its API must not."""

_AS_IT_IS = r"(?:alone|untouched|unchanged|as is|as it is|as they are)"

UNTOUCHED_AFTER = re.compile(
    rf"¤(?: (?:and|or) ¤)? (?:(?:must|should|may|can|shall) (?:not|never) (?:be )?{_CHANGE}|needs? no (?:\w+ )?changes?"
    rf"|(?:(?:must|should) )?(?:stays?|remains?|(?:be|is|are) left) {_AS_IT_IS})\b"
)
"""`X must not be changed`, `X stays as it is`."""

LEFT_ALONE = re.compile(rf"\b(?:leave|leaving|keep|keeping)(?: {_FILLER})* ¤(?: (?:and|or) ¤)? {_AS_IT_IS}\b")
"""`leave X alone`."""

AFTER = re.compile(
    r"\b(?:not|never|needs?|stays?|remains?|left|alone|untouched|unchanged|as|for (?:refer|inspir|context|an ex|ex))",
)
"""One of these is in every phrase that says something of the path before it."""

READ_AFTER = re.compile(
    r"¤[^,;:]{0,40}? (?:as (?:an?|the) (?:\w+ )?(?:reference|example|template|model|guide|basis)"
    r"|for (?:reference|inspiration|context|an example|examples))\b"
)
"""`X as a template`."""

READ_HEADINGS = frozenset(
    ("context", "background", "reference", "references", "see also", "related", "related files", "reading",
     "further reading", "read first", "files to read", "resources", "examples")
)  # fmt: skip
"""Headings below which files are listed to be read."""

UNTOUCHED_HEADINGS = frozenset(
    ("do not touch", "do not change", "do not edit", "do not modify", "don't touch", "don't change",
     "off limits", "hands off", "files to preserve")
)  # fmt: skip
"""Headings below which files are listed to be left alone."""
