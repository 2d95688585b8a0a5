"""The columns of a cardiac dataset and the names of its classes, shared by ACDC and the phantom."""

import datasets

PATHOLOGIES = ["NOR", "MINF", "DCM", "HCM", "RV"]
PHASES = ["ED", "ES"]
LEVELS = ["basal", "mid", "apical"]
SPLITS = ["train", "validation", "test"]

SPACING = datasets.List(datasets.Value("float32"), length=2)  # of rows and of columns, in mm

CARDIAC_FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "mask": datasets.Image(),  # 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle
        "patient_id": datasets.Value("string"),
        "frame": datasets.Value("int32"),
        "phase": datasets.ClassLabel(names=PHASES),
        "pathology": datasets.ClassLabel(names=PATHOLOGIES),
        "slice_index": datasets.Value("int32"),
        "num_slices": datasets.Value("int32"),
        "slice_level": datasets.ClassLabel(names=LEVELS),
        "pixel_spacing": SPACING,
        "original_spacing": SPACING,
        "slice_thickness": datasets.Value("float32"),
        "height": datasets.Value("float32"),  # cm
        "weight": datasets.Value("float32"),  # kg
    }
)


def slice_level(from_base: int, num_slices: int) -> int:
    """Index in `LEVELS` of a slice counted from the base: the stack in thirds."""
    return from_base * len(LEVELS) // num_slices
