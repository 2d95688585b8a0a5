"""Maps of labels, by their values: whether an array is one, and which label each value is."""

import numpy as np

from zoo.errors import ZooError

ROUNDING = 1e-3  # that a mask's labels lie beside whole numbers where they were scaled or stored as floats
MOST_VALUES = 32  # of a mask
LARGEST = 65535
KNOWN = "0 background, 1 right ventricle, 2 myocardium, 3 left ventricle"
FEWEST_GREYS = 17  # distinct values that an image has at least
SAMPLE = 100_000


def is_label_map(array: np.ndarray) -> bool:
    """Whether an array has at least two and few different values, all of them whole, as no scan of a body has."""
    flat = array.reshape(-1)
    for values in (flat[:: max(1, flat.size // SAMPLE)], flat):  # of most images a sample says it all
        values = np.unique(values)
        if len(values) >= FEWEST_GREYS:
            return False
    return len(values) > 1 and bool(np.isfinite(values).all() and (values == np.round(values)).all())


def to_labels(voxels: np.ndarray, mask_labels: dict[int, int] | None, name: str) -> np.ndarray:
    """The labels of a mask's values, uint8.

    Args:
        voxels: The values as they are stored.
        mask_labels: The label of each value; `None` takes values from 0 to 255 as they are, and 0 and 255 as 0 and 1.
        name: Of the mask, for messages.

    Raises:
        ZooError: If values are no whole numbers, too many or too large for labels, or not among `mask_labels`.
    """
    stored = np.unique(voxels)
    values = np.unique(np.round(stored))
    if not ((stored > -ROUNDING) & (stored <= LARGEST) & (np.abs(stored - np.round(stored)) < ROUNDING)).all():
        raise ZooError(f"{name}: has values that are no labels; expected whole numbers from 0 to 255")
    if len(values) > MOST_VALUES:
        raise ZooError(f"{name}: mask has {len(values)} different values; expected labels, as many as structures")
    label_of = {int(value): int(value) for value in values}
    if set(label_of) == {0, 255} and 255 not in (mask_labels or {}):
        label_of[255] = 1
    if mask_labels is not None:
        known = {0: 0, **mask_labels}
        if unnamed := [label for label in label_of.values() if label not in known]:
            raise ZooError(f"{name}: mask has the value {unnamed[0]}, which --mask-labels does not name")
        label_of = {value: known[label] for value, label in label_of.items()}
    elif max(label_of) > 255:
        told = ", ".join(str(value) for value in label_of if value)
        raise ZooError(f"{name}: mask has the values {told}; expected at most 255, or --mask-labels that name them")
    table = np.zeros(max(label_of) + 1, np.uint8)
    table[list(label_of)] = list(label_of.values())
    return table[np.round(voxels).astype(np.int32)]


def unknown_labels(labels: np.ndarray) -> list[str]:
    """What is to be said of labels that are none of the zoo's."""
    if others := [str(value) for value in np.unique(labels) if value > 3]:
        return [f"mask has the labels {', '.join(others)}, which are none of {KNOWN}; they are kept"]
    return []
