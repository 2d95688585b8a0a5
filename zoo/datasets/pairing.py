"""Which image each mask is of, by the names of both."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from zoo.datasets.kinds import PICTURES
from zoo.datasets.names import (
    BETWEEN,
    CHANNEL,
    MASK_NAMES,
    MASK_WORDS,
    PHASE,
    STRUCTURE,
    Place,
    image_core,
    last_of,
    mask_cores,
)
from zoo.errors import ZooError

MIDDLE = re.compile(rf"(.+?){BETWEEN}(?:{MASK_NAMES}){BETWEEN}(.+)", re.IGNORECASE)


@dataclass
class _Images:
    """Files that may be images, by their folders and their names in lower case."""

    by_name: dict[tuple, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_core: dict[tuple, list[str]] = field(default_factory=lambda: defaultdict(list))  # without a word such as image
    in_folder: dict[tuple, list[str]] = field(default_factory=lambda: defaultdict(list))  # not named as masks

    def of(self, where: tuple, core: str) -> str | None:
        """The image of that name; in a folder of a single image, that one for a mask of no further name."""
        for index in (self.by_name, self.by_core):
            if members := index.get((where, core.lower())):
                if len(members) > 1:
                    raise ZooError(f"{members[0]}: has a mask and the name of {members[1]}; expected one image a mask")
                return members[0]
        alone = self.in_folder.get(where, [])
        return alone[0] if not core and len(alone) == 1 else None

    def beginning(self, where: tuple, core: str) -> tuple[str, str] | None:
        """The image whose name a mask's begins with, and the rest of the mask's, which has no number."""
        for cut in reversed([found.start() for found in re.finditer(BETWEEN, core)]):
            rest = core[cut + 1 :]
            if not re.search(r"\d", rest) and not PHASE.search(rest) and (image := self.of(where, core[:cut])):
                return image, rest
        return None


def pair_masks(
    names: list[str], places: dict[str, Place], kind: str, aside: list[dict], rules: dict[str, str]
) -> dict[str, str]:
    """The image of each mask; what is neither is set aside.

    Masks lie in folders of masks, or have a word such as `gt` at the end or the beginning of their names, or within.

    Args:
        names: Of all files.
        places: What the folders of each say.
        kind: `"pictures"`, `"NIfTI"` or `"MHD/NRRD"`.
        aside: What is set aside, in place.
        rules: By what masks are told, in place.

    Raises:
        ZooError: If a mask may be of two images, an image may have two masks, or masks are there and no image of them.
    """
    in_mask_folders = [name for name in names if places[name].role == "mask"]
    if in_mask_folders and len(in_mask_folders) == len(names):
        folder = PurePosixPath(in_mask_folders[0]).parent
        raise ZooError(f"{folder}: may be masks whose images are missing, or images; expected images in another folder")
    images = _index([name for name in names if places[name].role != "mask"], places, kind, aside)
    masks, orphans = {}, []
    every_is_named_as_a_mask = not images.in_folder
    for (where, _), members in images.by_name.items():
        cores = mask_cores(last_of(members[0]))
        partner = _partner(members[0], where, cores, images) or _bids_partner(members[0], images) if cores else None
        partner = partner or _within(members[0], where, images)
        if partner is not None and partner != members[0]:
            for name in members:
                _take(masks, name, partner)
            rules["mask"] = "files named after their image with a word such as gt or mask"
        elif cores and not every_is_named_as_a_mask:
            orphans += members
    aside += [{"item": name, "reason": "is named as a mask, and its image is not there"} for name in orphans]
    for name in in_mask_folders:
        where, stem = _where(places[name]), last_of(name)
        partner = _partner(name, where, [stem, *mask_cores(stem)], images)
        if partner is None and (partner := _bids_partner(name, images)) and not _says_mask(name):
            aside.append({"item": name, "reason": "a derivative that is not named as a mask"})
            continue
        if partner is None:
            aside.append({"item": name, "reason": "lies in a folder of masks, and its image is not there"})
            orphans.append(name)
        else:
            _take(masks, name, partner)
            rules["mask"] = "folders named after masks, files as their images"
    if orphans and not masks:
        raise ZooError(f"{orphans[0]}: is a mask by its name, and no image has its name; expected such as p1 and p1_gt")
    return masks


def _index(names: list[str], places: dict[str, Place], kind: str, aside: list[dict]) -> _Images:
    images = _Images()
    for name in names:
        stem, place = last_of(name), places[name]
        if (channel := CHANNEL.search(stem)) and place.role == "image" and place.split:
            stem = stem[: channel.start()]
            if channel.group(1) != "0000":
                aside.append({"item": name, "reason": "another channel than the first, _0000"})
                continue
        images.by_name[_where(place), stem.lower()].append(name)
        if mask_cores(stem):
            continue
        images.in_folder[_where(place)].append(name)
        if (core := image_core(stem)) is not None:
            images.by_core[_where(place), core.lower()].append(name)
    for members in images.by_name.values():
        if len(members) > 1 and kind != PICTURES:  # NAME.nii beside NAME.nii.gz
            raise ZooError(f"{members[0]}: has the name of {members[1]}, a copy or another image; expected one of them")
    return images


def _where(place: Place) -> tuple:
    """The folders that an image and its mask have in common."""
    return (place.split, *(word.lower() for word in place.rest if not word.lower().startswith("ses-")))


def _partner(mask: str, where: tuple, cores: list[str], images: _Images) -> str | None:
    """The image of a mask of these names, the first that there is."""
    for core in cores:
        if (image := images.of(where, core)) is not None:
            return image
    for core in cores:
        if (found := images.beginning(where, core)) is not None:
            _check_whole(mask, *found)
            return found[0]
    return None


def _within(mask: str, where: tuple, images: _Images) -> str | None:
    """The image of a mask whose word stands within its name, as in `p1_mask_lv`."""
    found = MIDDLE.fullmatch(last_of(mask))
    if found is None or (image := images.of(where, found.group(1))) is None:
        return None
    _check_whole(mask, image, found.group(2))
    return image


def _check_whole(mask: str, image: str, rest: str) -> None:
    """Raises a `ZooError` if what is left of a mask's name is a part of the heart."""
    for word in re.split(BETWEEN, rest):
        if re.fullmatch(STRUCTURE, word, re.IGNORECASE):
            raise ZooError(
                f"{mask}: is a mask of {word} of {image}; expected one mask of all structures, "
                f"such as {last_of(image)}_gt"
            )


def _take(masks: dict[str, str], mask: str, image: str) -> None:
    if other := next((name for name, of in masks.items() if of == image), None):
        raise ZooError(f"{image}: may have the mask {other} or {mask}; expected one")
    masks[mask] = image


def _bids_partner(name: str, images: _Images) -> str | None:
    """The image of a BIDS derivative: the one whose entities (`sub-01`, `ses-1`, …) the mask's name has too."""
    entities = set(re.findall(r"[a-z]+-[a-zA-Z0-9]+", PurePosixPath(name).name))
    if not any(entity.startswith("sub-") for entity in entities):
        return None
    fitting = []
    for image in (image for members in images.in_folder.values() for image in members):
        own = set(re.findall(r"[a-z]+-[a-zA-Z0-9]+", PurePosixPath(image).name))
        if own and own <= entities:
            fitting.append(image)
    return fitting[0] if len(fitting) == 1 else None


def _says_mask(name: str) -> bool:
    """Whether a derivative's name says that it is a mask, or that of a folder of its pipeline does."""
    words = re.split(r"[_\-. /]", name.lower())
    return any(re.fullmatch(MASK_NAMES, word) or word in MASK_WORDS - {"derivatives"} for word in words)
