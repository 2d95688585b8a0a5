"""What a file is: by its content, and by its ending only where the content says nothing."""

import re

from zoo.datasets.content import head_of
from zoo.datasets.nifti import image_class, is_pair
from zoo.errors import ZooError

PICTURES, NIFTI, DICOM, ITK = "pictures", "NIfTI", "DICOM", "MHD/NRRD"
VOLUMES = (NIFTI, ITK)
ENDINGS = {
    PICTURES: (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"),
    NIFTI: (".nii", ".nii.gz", ".hdr", ".hdr.gz"),
    DICOM: (".dcm", ".ima"),
    ITK: (".mhd", ".mha", ".nrrd", ".nhdr"),
}
_MARKS = (
    (b"\x89PNG\r\n\x1a\n", PICTURES),
    (b"\xff\xd8\xff", PICTURES),
    (b"II*\0", PICTURES),
    (b"MM\0*", PICTURES),
    (b"II+\0", PICTURES),
    (b"MM\0+", PICTURES),
    (b"GIF8", PICTURES),
    (b"NRRD000", ITK),
)
# Group and element, then type and length or the length alone, then the value's beginning
_FIRST_ELEMENT = re.compile(
    rb"[\x02\x08]\0\0\0(UL\x04\0|\x04\0\0\0)..\0\0"
    rb"|\x02\0\x01\0OB\0\0\x02\0\0\0"
    rb"|(\x02\0\x02|\x08\0[\x16\x18])\0(UI.\0|.\0\0\0)[0-2]\."
    rb"|\x08\0[\x05\x08]\0(CS.\0|.\0\0\0)[A-Z]{2}",
    re.DOTALL,
)
# Of voxels beside a header, which are no item of their own
_DATA = re.compile(r"\.(img|img\.gz|raw|raw\.gz|zraw|bin)$", re.IGNORECASE)


def kind_of(path) -> str | None:
    """`"pictures"`, `"NIfTI"`, `"DICOM"` or `"MHD/NRRD"`; `None` for a file that is none of them."""
    head, name = head_of(path), path.name.lower()
    if head[128:132] == b"DICM" or is_bare_dicom(head) and not _DATA.search(name):
        return DICOM
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head.startswith(b"BM") and name.endswith(".bmp") or head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return PICTURES
    # Analyze has no mark but its header's size
    if (image := image_class(head)) and (not is_pair(head) or name.endswith((".hdr", ".hdr.gz", ".nii", ".nii.gz"))):
        return NIFTI if image else None
    if re.match(rb"\s*(ObjectType|NDims)\s*=", head):
        return ITK
    if _DATA.search(name):
        return None
    return next((kind for kind, endings in ENDINGS.items() if name.endswith(endings)), None)


def is_bare_dicom(head: bytes) -> bool:
    """Whether a file begins with an element of DICOM, without the preamble and the mark that come before them.

    The first one is a length, a kind of image, a character set or a UID.
    """
    return bool(_FIRST_ELEMENT.match(head))


def companion(name: str, files: dict) -> str | None:
    """The file of the voxels of a NIfTI or Analyze header, `NAME.img` of `NAME.hdr`, whatever its case."""
    stem = stem_of(name).lower()
    return next((other for other in files if other.lower() in (f"{stem}.img", f"{stem}.img.gz")), None)


def is_data(name: str) -> bool:
    """Whether a file's name is that of voxels beside a header."""
    return bool(_DATA.search(name))


def check_no_twins(names) -> None:
    """Makes sure that no two volumes have one name but for their ending, as `NAME.nii` beside `NAME.nii.gz` has.

    Args:
        names: Of files, with their folders.

    Raises:
        ZooError: If two have; the message names both.
    """
    known = {}
    for name in names:
        if name.lower().endswith(ENDINGS[NIFTI]):
            other = known.setdefault(stem_of(name).lower(), name)
            if other != name:
                raise ZooError(f"{name}: has the name of {other}, a copy or another image; expected one of them")


def stem_of(name: str) -> str:
    """A file's name without the ending of its kind: `p1/scan` of `p1/scan.nii.gz` and of `p1/scan.NII`."""
    stem = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    return re.sub(
        r"\.(nii|hdr|img|raw|zraw|nrrd|nhdr|mhd|mha|dcm|ima|png|jpe?g|bmp|tiff?|webp|gif)$", "", stem, flags=re.I
    )
