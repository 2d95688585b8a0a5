"""The phantom: analytic short-axis hearts with masks, phases and pathologies, made from a seed and nothing else."""

import datasets
import numpy as np
from scipy import ndimage
from tqdm.auto import tqdm

from zoo import png
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.classes import chosen
from zoo.datasets.phantom_heart import DISEASES, Heart, Sections
from zoo.datasets.presets import Preset, get_preset
from zoo.datasets.resample import intensity_window
from zoo.datasets.schema import CARDIAC_FEATURES, PATHOLOGIES, PHASES, SPLITS, slice_level
from zoo.datasets.splits import split_groups
from zoo.errors import ZooError
from zoo.sources import PHANTOM

FEATURES = datasets.Features(
    {
        **CARDIAC_FEATURES,
        "true_wall_thickness_mm": datasets.Value("float32"),
        "true_cavity_area_mm2": datasets.Value("float32"),
    }
)


def build_phantom(
    preset: str = "phantom-64",
    *,
    num_patients: int = 100,
    classes: list[str] | None = None,
    phases: list[str] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds a set of synthetic patients, each with an ED and an ES stack of 7 to 10 slices.

    Pathologies take turns and differ as in reality: thick walls and small cavities for HCM, wide cavities that hardly
    contract for DCM, a thinned sector for MINF, a wide right ventricle for RV. Masks are the formulas read at the
    pixel centres. Two more columns hold the analytic truth: `true_wall_thickness_mm`, the mean radial thickness of the
    left wall, and `true_cavity_area_mm2`. Patient *i* depends on `seed` and *i* alone.

    Args:
        preset: `phantom-64`.
        num_patients: At least 1; divided about 64/16/20 into `train`, `validation` and `test` within each pathology.
        classes: The pathologies to take of these patients; `None` takes all five.
        phases: `["ED"]` or `["ES"]`; `None` takes both.
        seed: Of the patients and of the division.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the preset is unknown or there is no patient.
    """
    preset = get_preset(preset, "phantom")
    if num_patients < 1:
        raise ZooError(f"num_patients {num_patients}: expected at least 1")
    classes = chosen(classes, PATHOLOGIES, preset.name)
    kept = [PHASES.index(phase) for phase in chosen(phases, PHASES, preset.name, "phases")]
    pathology_of = {f"phantom{i:03d}": PATHOLOGIES[i % len(PATHOLOGIES)] for i in range(num_patients)}
    split_of = split_groups(pathology_of, {"test": 0.2, "validation": 0.16, "train": 0.64}, seed)
    rows = {split: [] for split in SPLITS}
    patients = tqdm(pathology_of.items(), preset.name, unit="patient", disable=not progress)
    for index, (patient, pathology) in enumerate(patients):
        if pathology not in classes:
            continue
        for row in patient_rows(pathology, preset, np.random.default_rng([seed, index])):
            if row["phase"] in kept:
                row["pathology"] = classes.index(pathology)
                rows[split_of[patient]].append({"patient_id": patient, **row})
    info = {
        "name": "Cardiac phantom",
        "preset": preset.name,
        "seed": seed,
        "duplicates": [],
        "skipped": [],
        "license": PHANTOM.license,
        "citation": "",
        "preprocessing": {
            "size": preset.size,
            "spacing_mm": preset.spacing,
            "percentiles": list(preset.percentiles),
            "center": "centroid of the patient's masks",
            "num_patients": num_patients,
        },
    }
    features = datasets.Features({**FEATURES, "pathology": datasets.ClassLabel(names=classes)})
    return assemble(rows, features, info)


def patient_rows(pathology: str, preset: Preset, rng: np.random.Generator) -> list[dict]:
    """The rows of one synthetic patient, without its name."""
    heart = Heart(DISEASES[pathology], rng)
    chest = Chest(rng)
    count = int(rng.integers(7, 11))
    end_systole = int(rng.integers(9, 14))
    common = {
        "pathology": PATHOLOGIES.index(pathology),
        "num_slices": count,
        "pixel_spacing": [preset.spacing] * 2,
        "original_spacing": [preset.spacing] * 2,
        "slice_thickness": round(rng.uniform(75, 90) / count, 1),
        "height": round(rng.normal(170, 9)),
        "weight": round(rng.normal(75, 12)),
    }
    level = np.linspace(0, 1, count)
    position = (np.arange(preset.size) - (preset.size - 1) / 2) * preset.spacing
    wide = np.arange(-100, 100, 4.0)  # all of the heart, to find its centroid
    masks = [heart.sections(wide, wide, level, systole).mask for systole in (False, True)]
    _, row, column = ndimage.center_of_mass(np.concatenate(masks) > 0)
    x, y = position + np.interp(column, range(len(wide)), wide), position + np.interp(row, range(len(wide)), wide)

    rows = []
    for phase, frame in ((PHASES.index("ED"), 1), (PHASES.index("ES"), end_systole)):
        sections = heart.sections(x, y, level, systole=phase == PHASES.index("ES"))
        scan = png.to_uint8(intensity_window(chest.scan(sections, position, level, rng), preset.percentiles))
        for index in range(count):
            slice_row = {
                "image": png.encode(scan[index]),
                "mask": png.encode(sections.mask[index]),
                "frame": frame,
                "phase": phase,
                "slice_index": index,
                "slice_level": slice_level(index, count),
                "true_wall_thickness_mm": float(sections.wall_thickness[index]),
                "true_cavity_area_mm2": float(sections.cavity_area[index]),
            }
            rows.append(common | slice_row)
    return rows


class Chest:
    """What surrounds a heart, and how the scanner shows both; brightness is relative to 1."""

    def __init__(self, rng: np.random.Generator):
        self.blood = rng.uniform(0.75, 0.95)
        self.muscle = rng.uniform(0.16, 0.28)
        self.fat = rng.uniform(0.7, 1.1)
        self.liver = rng.uniform(0.25, 0.4)
        self.noise = rng.uniform(0.015, 0.04)
        self.wall_angle = rng.normal(-2.2, 0.15)  # up and to the left
        self.wall_distance = rng.uniform(50, 60)
        self.diaphragm = rng.uniform(38, 54)
        self.diaphragm_slope = rng.normal(-0.15, 0.1)
        self.aorta = (rng.uniform(34, 48), rng.uniform(36, 50), rng.uniform(8, 11))
        self.fat_angle = rng.uniform(0, 2 * np.pi)
        self.papillary = [(rng.normal(center, 0.2), rng.uniform(0.12, 0.2)) for center in (-0.7, 2.0)]
        self.shading = rng.normal(0, 0.15, 2)

    def scan(self, heart: Sections, position: np.ndarray, level: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A stack as balanced cine MRI shows it: float `(slices, height, width)`, not negative.

        Args:
            heart: The sections to show.
            position: Of the pixels, to the right and down of the picture's centre, `(size,)`.
            level: Of each slice, 0 at the base to 1 at the apex, `(slices,)`.
            rng: Draws texture and noise.
        """
        x, y, level = position[None, None, :], position[None, :, None], level[:, None, None]
        shape = heart.radius.shape

        # From the back to the front; each shape covers what lies behind it.
        picture = np.full(shape, 0.06)  # lung
        toward_wall = x * np.cos(self.wall_angle) + y * np.sin(self.wall_angle) + 0.002 * (x - y) ** 2 / 2
        depth = toward_wall - self.wall_distance + 6 * level
        picture = cover(picture, -depth - 8, 0.3)  # muscle between the ribs
        picture = cover(picture, -depth, self.fat * (0.8 + 0.2 * np.cos(depth / 3)))
        below = y + self.diaphragm_slope * x + 0.002 * x**2 - self.diaphragm + 8 * level
        picture = cover(picture, -below, self.liver)
        aorta_x, aorta_y, aorta = self.aorta
        from_aorta = np.hypot(x - aorta_x, y - aorta_y) - aorta
        picture = cover(cover(picture, from_aorta - 2, self.muscle), from_aorta, self.blood)

        outer = heart.radius - heart.cavity - heart.wall
        sac = np.minimum(outer, heart.right - 3)
        picture = cover(picture, sac - 3 - 3 * np.cos(heart.angle - self.fat_angle), self.fat * 0.8)
        picture = cover(picture, sac - 1, 0.1)  # the dark line that fat and muscle share
        picture = cover(picture, heart.right - 3, self.muscle)
        picture = cover(picture, heart.right, self.blood * 0.9)
        picture = cover(picture, outer, self.muscle)
        picture = cover(picture, heart.radius - heart.cavity, self.blood)
        visible = np.clip(4 * level, 0, 1) * np.clip(4 * (0.9 - level), 0, 1)  # papillary muscles are mid-ventricular
        for angle, size in self.papillary:
            inside = 0.68 * heart.cavity
            apart = np.sqrt(heart.radius**2 + inside**2 - 2 * heart.radius * inside * np.cos(heart.angle - angle))
            picture = cover(picture, apart - size * heart.cavity * visible, self.muscle * 1.2)

        texture = ndimage.gaussian_filter(rng.standard_normal(shape), (0, 1.2, 1.2))
        shading = np.exp((self.shading[0] * x + self.shading[1] * y + 0.25 * toward_wall) / position.max())
        picture = ndimage.gaussian_filter(picture * (1 + 0.4 * texture) * shading, (0, 0.5, 0.5))
        real, imaginary = rng.normal(0, self.noise, (2, *shape))
        return np.hypot(picture + real, imaginary)  # the magnitude of a complex signal: Rician noise


def cover(picture: np.ndarray, distance: np.ndarray, brightness: float | np.ndarray) -> np.ndarray:
    """Paints a shape with an edge about 2 mm wide; `distance` from its outline in mm is negative within."""
    return picture + (brightness - picture) / (1 + np.exp(np.clip(distance / 0.6, -30, 30)))
