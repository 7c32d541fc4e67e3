"""Say why a claim is next, in words for `--verbose`.

`Frontier` decides; these sentences follow its order of queues and the rank that it used.
"""

from __future__ import annotations

from harvester.model import API_PAGE
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import (
    Claim,
    ConfirmClaim,
    DecideClaim,
    DetailsClaim,
    JudgeClaim,
    SeedClaim,
    SimilarClaim,
    SweepClaim,
)
from harvester.pipeline.plan import Plan


def reason_of(claim: Claim, frontier: Frontier, plan: Plan) -> str:
    """Return why the frontier handed out this claim."""
    match claim:
        case SimilarClaim(sound_id):
            return _rank_text(sound_id, frontier, plan)
        case DetailsClaim():
            return f"their records are missing; one request fetches up to {API_PAGE}"
        case ConfirmClaim():
            return "the batch of records came without it"
        case JudgeClaim():
            return "no sound waits that is known to match"
        case SeedClaim(page):
            return "the search gives the first sounds" if page == 1 else "the sounds of the page before are used up"
        case SweepClaim():
            return "the sweep comes before the similar lists"
        case DecideClaim():
            return "nothing else is left to fetch"


def _rank_text(sound_id: int, frontier: Frontier, plan: Plan) -> str:
    group, number = frontier.rank_of(sound_id)
    if group == 0:
        return f"seed {number + 1:.0f} of this run"
    order, what = plan.order, f"{number:g}"
    if group == 2 or order == "popular":
        order, what = "popular", f"{-number:,.0f} downloads" if group == 1 else f"{plan.order} cannot rank it"
    elif order == "breadth":
        what = f"{number:.0f} steps from a seed"
    return f"order {order}: {what}, before {frontier.waiting:,} others"
