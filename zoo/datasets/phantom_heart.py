"""The phantom's heart as formulas in millimetres: what is where, and how thick."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Disease:
    """What a pathology does to the mid-ventricular heart at end-diastole (mm), and how far it contracts.

    Args:
        cavity: Radius of the left ventricle's cavity.
        wall: Thickness of its wall.
        contraction: Radius of the cavity at end-systole as a share of that at end-diastole.
        right: Width of the right ventricle, from the septum outward.
        scar: Share of the wall that is lost in the middle of an infarcted sector.
        septum: Share by which the septum is thicker, and the opposite wall thinner.
    """

    cavity: float
    wall: float
    contraction: float = 0.62
    right: float = 26.0
    scar: float = 0.0
    septum: float = 0.0


DISEASES = {
    "NOR": Disease(cavity=24, wall=8),
    "MINF": Disease(cavity=27, wall=8, contraction=0.80, scar=0.6),
    "DCM": Disease(cavity=33, wall=7, contraction=0.88),
    "HCM": Disease(cavity=20, wall=15, contraction=0.50, right=22, septum=0.25),
    "RV": Disease(cavity=22, wall=8, right=38),
}
ANGLES = np.linspace(0, 2 * np.pi, 360, endpoint=False)


@dataclass
class Sections:
    """Short-axis sections of a heart on a pixel grid; lengths in mm, arrays `(slices, height, width)`.

    Args:
        radius: Distance of each pixel from the left ventricle's axis.
        angle: Its direction, 0 to the right and π/2 down.
        cavity: Radius of the cavity in that direction.
        wall: Thickness of the wall in that direction.
        right: Signed distance, about, from the outline of the right ventricle, negative within.
        mask: 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle; uint8.
        wall_thickness: Of each slice, the mean over all directions, `(slices,)`.
        cavity_area: Of each slice, in mm², `(slices,)`.
    """

    radius: np.ndarray
    angle: np.ndarray
    cavity: np.ndarray
    wall: np.ndarray
    right: np.ndarray
    mask: np.ndarray
    wall_thickness: np.ndarray
    cavity_area: np.ndarray


class Heart:
    """One patient's heart, drawn around the typical one of its pathology."""

    def __init__(self, disease: Disease, rng: np.random.Generator):
        body = np.exp(rng.normal(0, 0.05))
        self.disease = disease
        self.cavity = disease.cavity * body * np.exp(rng.normal(0, 0.05))
        self.wall = disease.wall * body * np.exp(rng.normal(0, 0.07))
        self.right = disease.right * body * np.exp(rng.normal(0, 0.07))
        self.contraction = np.clip(disease.contraction + rng.normal(0, 0.03), 0.4, 0.95)
        self.right_angle = np.pi + rng.normal(-0.1, 0.2)  # the right ventricle lies on the left of the picture
        self.scar_angle = rng.uniform(0, 2 * np.pi)
        self.waves = [(n, rng.uniform(0, 0.12 / n), rng.uniform(0, 2 * np.pi)) for n in (2, 3)]
        self.tilt = rng.normal(0, 3, 2)  # drift of the axis from base to apex, (x, y)

    def profile(self, angle: np.ndarray, level: np.ndarray, systole: bool) -> tuple[np.ndarray, np.ndarray]:
        """Radius of the cavity and thickness of the wall (mm) in each direction.

        From base to apex the heart narrows like half an ellipsoid. At end-systole the cavity shrinks and the wall keeps
        its area, and 8 % for the shortening of the long axis; a scar does not thicken.

        Args:
            angle: Directions.
            level: 0 at the base to 1 at the apex, of a shape that broadcasts with `angle`.
            systole: End-systole rather than end-diastole.
        """
        cavity = self.cavity * np.sqrt(1 - (0.92 * level) ** 2)
        wall = self.wall * (1 - 0.25 * level)
        scar = self.disease.scar
        if systole:
            area = 1.08 * ((cavity + wall) ** 2 - cavity**2)  # over π
            cavity = cavity * self.contraction
            thickened = np.sqrt(cavity**2 + area) - cavity
            scar, wall = 1 - (1 - scar) * wall / thickened if scar else 0.0, thickened
        outline = 1 + sum(height * np.cos(n * (angle - start)) for n, height, start in self.waves)
        septum = 1 + self.disease.septum * np.cos(angle - self.right_angle)
        thinning = 1 - scar * np.exp(3 * (np.cos(angle - self.scar_angle) - 1))
        return cavity * outline, wall * septum * thinning

    def sections(self, x: np.ndarray, y: np.ndarray, level: np.ndarray, systole: bool) -> Sections:
        """Cuts the heart.

        Args:
            x: Positions of the pixels to the right of the axis at the base, `(width,)`.
            y: Positions down, `(height,)`.
            level: Of each slice, 0 at the base to 1 at the apex, `(slices,)`.
            systole: End-systole rather than end-diastole.
        """
        cavity, wall = self.profile(ANGLES, level[:, None], systole)
        thickness, area = wall.mean(axis=1), np.pi * (cavity**2).mean(axis=1)

        level = level[:, None, None]
        x, y = x[None, None, :] - level * self.tilt[0], y[None, :, None] - level * self.tilt[1]
        radius, angle = np.hypot(x, y), np.arctan2(y, x)
        outside = (cavity + wall).mean(axis=1)[:, None, None]  # mean outer radius, which the right ventricle leans on
        cavity, wall = self.profile(angle, level, systole)

        outward = x * np.cos(self.right_angle) + y * np.sin(self.right_angle) - 0.8 * outside
        along = y * np.cos(self.right_angle) - x * np.sin(self.right_angle)
        width = self.right * (1 - 0.75 * level) * (0.8 if systole else 1.0)
        half_width, half_height = 0.2 * outside + width, 0.85 * outside + 0.2 * width
        right = (np.hypot(outward / half_width, along / half_height) - 1) * np.minimum(half_width, half_height)

        mask = np.where(right < 0, 1, 0)
        mask[radius < cavity + wall] = 2
        mask[radius < cavity] = 3
        return Sections(radius, angle, cavity, wall, right, mask.astype(np.uint8), thickness, area)
