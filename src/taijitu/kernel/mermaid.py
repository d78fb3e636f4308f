"""A chart as a Mermaid flowchart.

Nothing is added to the chart and nothing left out; it only becomes easier to look at: arrows that
run side by side share one line, and what is true of every state of a group is said of the group.
"""

import re
from collections.abc import Iterable, Mapping

from taijitu.kernel.chart import Arrow, Chart, Line, Node
from taijitu.kernel.record import Record

LIT = "fill:#ffd54f,stroke:#b26a00,stroke-width:3px,color:#000"
DOT = "fill:#888,stroke:#888"
BOX = "fill:none,stroke:#888,stroke-dasharray:4 4"
"""Looks that can be seen on light and on dark paper."""

RESERVED = frozenset(
    (
        *("class", "classdef", "click", "default", "direction", "end", "flowchart", "graph"),
        *("href", "linkstyle", "style", "subgraph"),
    )
)
"""Words that mean something in a flowchart and so cannot name a node."""

SOLID, DOTTED = "--", "-."
HEAD = {SOLID: "-->", DOTTED: ".->"}


class Strand(Record):
    """Arrows that run side by side, or just one."""

    source: str
    target: str
    line: Line
    labels: tuple[str, ...]


def mermaid(chart: Chart) -> str:
    """The chart as text that begins with `flowchart LR`, without a fence."""
    groups = groups_of(chart.nodes)
    lines = [
        "flowchart LR",
        *(node_line(node) for node in chart.nodes if node.group not in groups),
        *(line for name, nodes in groups.items() for line in group_lines(name, nodes)),
        *(strand_line(strand) for strand in strands(chart.arrows, groups)),
    ]
    styles = {node.name: DOT for node in chart.nodes if not node.label}
    styles |= dict.fromkeys(groups, BOX)
    styles |= {chart.lit: LIT} if chart.lit else {}
    lines += (f"style {identifier(name)} {style}" for name, style in styles.items())
    return "\n".join(lines) + "\n"


def groups_of(nodes: Iterable[Node]) -> dict[str, tuple[Node, ...]]:
    """Groups of which the chart shows more than one state."""
    groups: dict[str, tuple[Node, ...]] = {}
    for node in nodes:
        if node.group:
            groups[node.group] = (*groups.get(node.group, ()), node)
    return {name: members for name, members in groups.items() if len(members) > 1}


def strands(arrows: Iterable[Arrow], groups: Mapping[str, tuple[Node, ...]]) -> list[Strand]:
    """Arrows of one kind between the same two ends, as one."""
    side_by_side: dict[tuple[str, str, Line], dict[str, None]] = {}
    for arrow in shared_by_groups(arrows, groups):
        ends = arrow.source, arrow.target, arrow.line
        side_by_side.setdefault(ends, {})[arrow.label] = None
    return [Strand(*ends, tuple(labels)) for ends, labels in side_by_side.items()]


def shared_by_groups(
    arrows: Iterable[Arrow], groups: Mapping[str, tuple[Node, ...]]
) -> list[Arrow]:
    """What leaves every state of a group in the same way leaves the group, once."""
    shown = {Arrow(a.source, a.label, a.target, a.line): None for a in arrows}
    group_of = {node.name: name for name, nodes in groups.items() for node in nodes}
    result: dict[Arrow, None] = {}
    for arrow in shown:
        group = group_of.get(arrow.source, "")
        leaving = [
            Arrow(node.name, arrow.label, arrow.target, arrow.line)
            for node in groups.get(group, ())
        ]
        everywhere = bool(leaving) and all(other in shown for other in leaving)
        source = group if everywhere else arrow.source
        result[Arrow(source, arrow.label, arrow.target, arrow.line)] = None
    return list(result)


def group_lines(name: str, nodes: Iterable[Node]) -> list[str]:
    return [
        f'subgraph {identifier(name)}[" "]',
        *(node_line(node) for node in nodes),
        "end",
    ]


def node_line(node: Node) -> str:
    text = quoted(f"{node.mark} {node.label}".strip() or " ")
    match node.shape:
        case "initial":
            return f"{identifier(node.name)}(({text}))"
        case "state":
            return f"{identifier(node.name)}([{text}])"
        case "actor":
            return f"{identifier(node.name)}{{{{{text}}}}}"


def strand_line(strand: Strand) -> str:
    dash = SOLID if strand.line == "solid" else DOTTED
    label = quoted("<br/>".join(plain_text(label) for label in strand.labels), escaped=True)
    return f"{identifier(strand.source)} {dash} {label} {HEAD[dash]} {identifier(strand.target)}"


def identifier(name: str) -> str:
    """A name as Mermaid can read it."""
    plain = re.sub(r"\W", "_", name)
    return f"{plain}_" if plain.lower() in RESERVED else plain


def quoted(text: str, *, escaped: bool = False) -> str:
    return f'"{text if escaped else plain_text(text)}"'


def plain_text(text: str) -> str:
    """Text in which nothing is markup."""
    for char, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(char, entity)
    return text
