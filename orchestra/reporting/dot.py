"""A plan as a picture: a directed graph in the language of Graphviz (`orchestra plan --dot | dot -Tsvg`). Pure.

Nodes are numbered and carry their task's name as a label, so that no name can be taken for syntax.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.graph import EdgeKind, Graph
from orchestra.model.text import clean
from orchestra.reporting.outlook import Action, Outlook, Prospect
from orchestra.reporting.plan import dropped, edge_words, overlaps

_NODES: Mapping[Action, str] = {
    Action.RUN: 'style="rounded,filled", fillcolor="#ffe08a"',
    Action.MAYBE: 'style="rounded,filled,dashed", fillcolor="#fff4d1"',
    Action.REPLAY: 'style="rounded,filled", fillcolor="#cfe2ff"',
    Action.RECORD: 'style="rounded,filled,dashed", fillcolor="#cfe2ff"',
    Action.FRESH: 'style="rounded,filled", fillcolor="#d8f0d0"',
    Action.REVERTED: 'style="rounded,filled,dotted", fillcolor="#e6e6e6"',
}
_EDGES: Mapping[EdgeKind, str] = {
    EdgeKind.NEED: "style=solid, penwidth=1.5",
    EdgeKind.READ: 'style=solid, color="#3b6ea5"',
    EdgeKind.WRITE: 'style=dashed, color="#a55c3b"',
    EdgeKind.SHARE: 'style=dotted, color="#5c5c5c"',
}


def plan_dot(outlook: Outlook, graph: Graph) -> str:
    """The tasks of a build with what would become of them, and their edges by kind; no newline at the end.

    Edges that others imply are left out. Dropped ones are drawn in red, and order nothing.
    """
    chosen = {prospect.task: prospect for prospect in outlook.prospects}
    nodes = {name: f"n{number}" for number, name in enumerate(n for n in graph.order if n in chosen)}
    lines = [
        "digraph plan {",
        "  rankdir=LR;",
        '  node [shape=box, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    lines += [f"  {node} [{_node(chosen[name])}];" for name, node in nodes.items()]
    for overlap in overlaps(outlook, graph):
        if not overlap.implied:
            edge = overlap.edge
            label = _quoted(str(edge.kind))
            tooltip = _quoted(edge_words(edge, overlap.through))
            look = f"label={label}, tooltip={tooltip}, {_EDGES[edge.kind]}"
            lines.append(f"  {nodes[edge.first]} -> {nodes[edge.then]} [{look}];")
    for overlap in dropped(outlook, graph):
        edge = overlap.edge
        tooltip = _quoted(f"{edge_words(edge, overlap.through)} would close a circle")
        look = f'label="dropped", tooltip={tooltip}, style=dotted, color=red, constraint=false'
        lines.append(f"  {nodes[edge.first]} -> {nodes[edge.then]} [{look}];")
    return "\n".join([*lines, "}"])


def _node(prospect: Prospect) -> str:
    row = f"row {prospect.row}, " if prospect.row is not None else ""
    tooltip = _quoted(f"{row}{prospect.action}")
    return f"label={_quoted(prospect.task)}, tooltip={tooltip}, {_NODES[prospect.action]}"


def _quoted(text: str) -> str:
    """Any text as a quoted string that is shown as it is: no escape of its own, no entity, one line."""
    safe = clean(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"'
