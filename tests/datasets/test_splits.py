from collections import Counter

from zoo.datasets.splits import find_duplicates, split_groups

FRACTIONS = {"validation": 0.2, "train": 0.8}


def test_shares_are_kept_within_each_label():
    labels = {f"p{i:03d}": "ABCDE"[i % 5] for i in range(100)}
    split_of = split_groups(labels, FRACTIONS, seed=0)
    counts = Counter((labels[name], split) for name, split in split_of.items())
    assert counts == {(label, split): n for label in "ABCDE" for split, n in (("validation", 4), ("train", 16))}


def test_another_seed_is_another_division():
    labels = {f"p{i:03d}": "A" for i in range(100)}
    assert split_groups(labels, FRACTIONS, seed=0) == split_groups(dict(reversed(labels.items())), FRACTIONS, seed=0)
    assert split_groups(labels, FRACTIONS, seed=0) != split_groups(labels, FRACTIONS, seed=1)


def test_one_label_does_not_disturb_another():
    labels = {f"p{i:03d}": "AB"[i % 2] for i in range(40)}
    only_a = {name: label for name, label in labels.items() if label == "A"}
    both = split_groups(labels, FRACTIONS, seed=0)
    assert {name: both[name] for name in only_a} == split_groups(only_a, FRACTIONS, seed=0)


def test_groups_stay_together_whatever_the_seed():
    labels = {f"p{i}": "A" for i in range(20)}
    together = [["p1", "p2", "p3"], ["p7", "p9"]]
    for seed in range(30):
        split_of = split_groups(labels, FRACTIONS, seed, together)
        assert split_of["p1"] == split_of["p2"] == split_of["p3"]
        assert split_of["p7"] == split_of["p9"]
        assert Counter(split_of.values())["validation"] == 4


def test_small_labels_give_every_split_one_if_they_can():
    fractions = {"test": 0.1, "validation": 0.1, "train": 0.8}
    assert Counter(split_groups(dict.fromkeys("abc", 0), fractions, 0).values()) == dict.fromkeys(fractions, 1)
    assert set(split_groups(dict.fromkeys("ab", 0), fractions, 0).values()) == {"train"}


def test_duplicates_are_found_through_others():
    contents = {"a": [1, 2], "b": [2, 3], "c": [3], "d": [4], "e": [5, 6], "f": [6]}
    assert find_duplicates(contents) == [["a", "b", "c"], ["e", "f"]]
    assert find_duplicates({"a": [1, 1], "b": [2]}) == []


def test_splits_have_room_for_the_smallest_group():
    labels = {f"p{i:02d}": "A" for i in range(20)}
    together = [[f"p{5 * i + j:02d}" for j in range(5)] for i in range(4)]
    counts = Counter(split_groups(labels, {"test": 0.1, "validation": 0.1, "train": 0.8}, 0, together).values())
    assert counts == {"test": 5, "validation": 5, "train": 10}
