"""What `orchestra init --claude` writes: how Claude Code is to work with orchestra from inside a session.

Two files in the forms that Claude Code reads (a sub-agent and a slash command, both Markdown with front matter;
code.claude.com/docs, "Subagents" and "Slash commands").
"""

from __future__ import annotations

_HOW = """\
- Never run the prompts yourself, never edit `.orchestra/`, and leave files that running tasks claim alone: each task
  works in a worktree of its own, and its result is checked, merged, verified and committed by orchestra.
- Before a build, look at `orchestra plan` (it runs nothing). If there is nothing to do, say so and stop.
- Start the build in the background: the Bash tool with `run_in_background: true` and the command
  `orchestra build --yes TASK...` (no tasks: all that are stale). Do not wait for it in the foreground, since a build
  takes minutes to hours, and do not start a second one: it would end with status 3.
- While it runs, answer the person. When you want to know how far it is, read `orchestra status --json`: `state` is
  `fresh`, `stale`, `reverted` or `blocked` for each task, with `reasons`. Look at most once a minute.
- `orchestra stop` ends a running build; what is verified by then has landed.
- When it has ended, read `orchestra history last --json` and tell the person, for each task that did not land, why,
  and what to type next. Exit status 0: all landed. 1: something failed, was rejected or could not advance. 2: a
  prompt or the manifest is wrong; the error names file, line and column. 3: the environment does not allow it.
- `orchestra explain TASK` says why a task is stale and what it waits for.
"""

AGENT = f"""\
---
name: orchestrator-agent
description: Builds this repository's prompts with orchestra and reports. Use it to carry out several prompts.
tools: Bash, Read, Glob, Grep
---

You run builds with `orchestra`, which is make for coding agents: every file in `prompts/` is a task, `orchestra.yaml`
says more about them, and a build runs only the stale ones, side by side.

{_HOW}"""

COMMAND = f"""\
---
description: Build the stale prompts of this repository with orchestra, in the background, and report
argument-hint: "[TASK...]"
allowed-tools: Bash(orchestra:*), Read
---

Build these tasks with `orchestra` (none named: all that are stale): $ARGUMENTS

{_HOW}"""

FILES = {
    ".claude/agents/orchestrator-agent.md": AGENT,
    ".claude/commands/orchestra.md": COMMAND,
}
"""By path from the root of the repository, what is written there."""
