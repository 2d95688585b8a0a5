"""Seeded assignments of patients, lesions or images to splits, and the search for duplicates."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

from zoo.errors import ZooError

FRACTIONS = {"test": 0.1, "validation": 0.1, "train": 0.8}  # of sources that come undivided
REST = {"validation": 0.2, "train": 0.8}  # of sources whose test patients are set apart


def split_groups(
    labels: Mapping[str, Hashable], fractions: Mapping[str, float], seed: int, together: Iterable[list[str]] = ()
) -> dict[str, str]:
    """Divides items (patients, lesions, images) into splits within each label.

    Items are taken in the order of a hash of the seed and their name, so that the place of one relative to another does
    not depend on a third.

    Args:
        labels: The label of each item.
        fractions: The share of each split; the last one takes what the others leave. Within a label every other split
            gets at least one group, if there are enough for one in each.
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
        least = min(map(len, members)) if len(members) >= len(fractions) else 0
        room = {split: max(least, round(fractions[split] * total)) for split in first}
        for group in members:
            split = next((split for split in first if len(group) <= room[split]), rest)
            if split != rest:
                room[split] -= len(group)
            split_of.update(dict.fromkeys(group, split))
    return split_of


def divide(items: Mapping[str, tuple], together: list[list[str]], seed: int) -> dict[str, str]:
    """The split of each item: the official one, and of what that leaves open a seeded division within each class.

    Args:
        items: Official split (or `None`) and class of each.
        together: Groups of items that must share a split.
        seed: Of the order.

    Raises:
        ZooError: If items that must share a split have different official ones.
    """
    given = {split for split, _ in items.values()} - {None}
    for group in together:
        if len(apart := {items[name][0] for name in group if name in items}) > 1:
            raise ZooError(f"{', '.join(group)}: share images and lie in {' and '.join(sorted(apart))}")
    if not given - {"train"}:
        return split_groups({name: label for name, (_, label) in items.items()}, FRACTIONS, seed, together)
    if "validation" in given:
        return {name: split for name, (split, _) in items.items()}
    own = {name: label for name, (split, label) in items.items() if split == "train"}
    split_of = split_groups(own, REST, seed, together)
    return {name: split_of.get(name, split) for name, (split, _) in items.items()}


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
