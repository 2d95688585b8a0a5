"""Seeded assignments of patients, lesions or images to splits, and the search for duplicates."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

FRACTIONS = {"test": 0.1, "validation": 0.1, "train": 0.8}  # of sources that come undivided


def split_groups(
    labels: Mapping[str, Hashable], fractions: Mapping[str, float], seed: int, together: Iterable[list[str]] = ()
) -> dict[str, str]:
    """Divides items (patients, lesions, images) into splits within each label.

    Items are taken in the order of a hash of the seed and their name, so that the place of one relative to another does
    not depend on a third.

    Args:
        labels: The label of each item.
        fractions: The share of each split; the last one takes what the others leave. Within a label every other split
            gets at least one item, if there are enough for one in each.
        seed: Of the order.
        together: Disjoint groups of items that must share a split; they count as their first item's label. Names that
            are not in `labels` are ignored.

    Returns:
        The split of each item.
    """
    leader = {item: group[0] for group in together for item in group}
    groups = defaultdict(list)
    for item in sorted(labels):
        groups[leader.get(item, item)].append(item)
    by_label = defaultdict(list)
    for name in sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()):
        by_label[labels[groups[name][0]]].append(groups[name])

    *first, rest = fractions
    split_of = {}
    for members in by_label.values():
        total = sum(map(len, members))
        least = int(len(members) >= len(fractions))
        room = {split: max(least, round(fractions[split] * total)) for split in first}
        for group in members:
            split = next((split for split in first if len(group) <= room[split]), rest)
            if split != rest:
                room[split] -= len(group)
            split_of.update(dict.fromkeys(group, split))
    return split_of


def find_duplicates(contents: Mapping[str, Iterable[Hashable]]) -> list[list[str]]:
    """Groups of two or more items that share a content hash, directly or through others; sorted.

    Args:
        contents: The hashes of each item's content.
    """
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
