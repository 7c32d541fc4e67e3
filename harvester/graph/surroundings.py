"""Find the neighbours of selected sounds that were not selected."""

from __future__ import annotations

from dataclasses import dataclass

from harvester.graph.selection import Selected

MOST_AROUND = 2_000
"""The largest number of sounds around a selection."""

_MOST_EDGES = 50
"""The number of edges that are kept of one sound outside, the best first."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Sounds outside of a selection that have an edge with one inside.

    `near` has them by id, ascending; each with the selected sounds that it has an edge with, in either direction, the
    highest score first, at most 50. `total` is how many there are, those that `near` leaves out included.
    """

    near: dict[int, tuple[int, ...]]
    total: int


def find_surroundings(selected: Selected, most: int = MOST_AROUND) -> Surroundings:
    """Return at most `most` sounds around a selection.

    Those with the most edges come first, then those with the highest score. Sounds that are gone are left out, and so
    are edges that the selection's rule leaves out.
    """
    state, rule = selected.state, selected.edge_rule
    scores: dict[int, dict[int, float]] = {}
    for inside in selected.sound_ids:
        ways = [(other, inside, other, edge) for other, edge in state.graph.succ[inside].items()]
        ways += [(other, other, inside, edge) for other, edge in state.graph.pred[inside].items()]
        for other, source, target, attributes in ways:
            if other in selected or state.is_gone(other):
                continue
            found = rule.edge(source, target, attributes)
            if found is not None:
                near = scores.setdefault(other, {})
                near[inside] = max(near.get(inside, 0.0), found.score or 0.0)
    best = sorted(scores, key=lambda one: (-len(scores[one]), -max(scores[one].values()), one))[:most]
    return Surroundings({one: _best_first(scores[one]) for one in sorted(best)}, len(scores))


def _best_first(scores: dict[int, float]) -> tuple[int, ...]:
    return tuple(sorted(scores, key=lambda one: (-scores[one], one))[:_MOST_EDGES])
