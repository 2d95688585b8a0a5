"""Seeded assignments of patients, lesions or images to splits, and the search for duplicates."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

SPLITS = ("train", "validation", "test")


def seeded_order(ids: Iterable[str], seed: int) -> list[str]:
    """`ids` in an order drawn by hashing each with the seed: no id's place relative to another depends on a third."""
    return sorted(ids, key=lambda item: hashlib.sha256(f"{seed}:{item}".encode()).digest())


def share_out(sizes: Mapping[str, int], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """Shares groups out to splits so that each split gets about its fraction of the items.

    Args:
        sizes: Items of each group; a group (a patient, say, or two with identical images) is never divided.
        fractions: The share of every split but the last named one, which takes the rest. A split gets at least one
            item where there is more than one.
        seed: Of the order in which groups are taken.

    Returns:
        The split of each group.
    """
    *first, rest = fractions
    total = sum(sizes.values())
    room = {split: max(1, round(fractions[split] * total)) if total > 1 else 0 for split in first}
    assignment = {}
    for group in seeded_order(sizes, seed):
        assignment[group] = next((split for split in first if sizes[group] <= room[split]), rest)
        if assignment[group] != rest:
            room[assignment[group]] -= sizes[group]
    return assignment


def find_duplicates(contents: Mapping[str, Iterable[Hashable]]) -> list[list[str]]:
    """Groups of two or more ids that share a content hash, directly or through others; sorted."""
    holders = defaultdict(list)
    for item, hashes in contents.items():
        for content in set(hashes):
            holders[content].append(item)
    group = {item: [item] for item in contents}
    for items in holders.values():
        merged = sorted({member for item in items for member in group[item]})
        for member in merged:
            group[member] = merged
    return [list(members) for members in sorted({tuple(members) for members in group.values() if len(members) > 1})]
