"""Millimetres, handedness and grey values survive, whatever way a file stores its axes."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zoo import ZooError
from zoo.datasets.masks import laid_on
from zoo.datasets.nifti import read_nifti
from zoo.datasets.orientation import to_patient, turn

ORIENTATIONS = [np.stack(pair, axis=1) for pair in itertools.product(
    itertools.permutations(range(3)), itertools.product((1, -1), repeat=3))]  # fmt: skip
# Columns and rows of a short-axis stack of a real scanner: right, front, head
COLUMN, ROW = np.array([-0.48, -0.86, -0.16]), np.array([0.46, -0.09, -0.88])


def affine_of(columns, rows, spacing, origin=(10, -20, 30)) -> np.ndarray:
    """Columns and rows by their directions, slices along their normal."""
    columns = np.asarray(columns, float) / np.linalg.norm(columns)
    rows = np.asarray(rows, float) - columns * (columns @ np.asarray(rows, float))
    rows /= np.linalg.norm(rows)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([columns, rows, np.cross(columns, rows)], axis=1) * spacing
    affine[:3, 3] = origin
    return affine


def read(path, voxels, affine, **header):
    nifti = nibabel.Nifti1Image(voxels, affine)
    for name, value in header.items():
        getattr(nifti.header, f"set_{name}")(*value)
    nifti.to_filename(path)
    return read_nifti(path, (2, 3, 4))


@pytest.mark.parametrize("columns, rows", [((-1, 0, 0), (0, -1, 0)), (COLUMN, ROW), ((-1, 0, 0), (0, 0, -1))])
def test_the_48_ways_to_store_a_stack_are_read_alike(tmp_path, columns, rows):
    voxels = np.random.default_rng(0).integers(0, 1000, (9, 8, 3)).astype(np.int16)
    stack = nibabel.Nifti1Image(voxels, affine_of(columns, rows, (1.25, 1.5, 8)))
    first = read(tmp_path / "a.nii", voxels, stack.affine)
    np.testing.assert_array_equal(first.voxels, voxels.T)  # it is upright as it is
    for orientation in ORIENTATIONS:
        turned = stack.as_reoriented(orientation)
        found = read(tmp_path / "b.nii", np.asarray(turned.dataobj), turned.affine)
        np.testing.assert_array_equal(found.voxels, first.voxels)
        np.testing.assert_allclose(found.affine, first.affine, atol=1e-4)
        assert found.spacing == pytest.approx((1.5, 1.25)) and found.thickness == pytest.approx(8)
        assert found.lies_on(first) is None


@settings(max_examples=40, deadline=None)
@given(
    voxels=st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]).flatmap(
        lambda dtype: arrays(dtype, (5, 4, 3), elements=st.integers(0, 200))
    ),
    sides=st.tuples(*[st.floats(0.5, 3)] * 2, st.floats(5, 12)),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
    scaling=st.tuples(st.sampled_from([0.5, 2.0, 10.0]), st.sampled_from([-100.0, 0.0, 7.0])),
    version=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
)
def test_every_voxel_keeps_its_place_in_the_patient(
    tmp_path_factory, voxels, sides, angles, orientation, scaling, version
):
    a, b, c = np.radians(angles)
    turns = [np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) for t in (a, b, c)]
    rotation = np.eye(3)
    for (i, j), part in zip(((0, 1), (1, 2), (0, 2)), turns, strict=True):
        step = np.eye(3)
        step[np.ix_([i, j], [i, j])] = part
        rotation = step @ rotation
    affine = np.eye(4)
    affine[:3, :3] = rotation * sides
    affine[:3, 3] = 11, -7, 3
    stack = version(voxels, affine).as_reoriented(orientation)
    stack.header.set_slope_inter(*scaling)
    stack.header.set_xyzt_units("mm")
    path = tmp_path_factory.mktemp("x") / "a.nii.gz"
    path.write_bytes(gzip.compress(stack.to_bytes(), 1))
    stored = nibabel.load(path)
    try:
        found = read_nifti(path)
    except ZooError as error:
        assert "lies at 45°" in str(error)
        return
    expected = np.asanyarray(stored.dataobj)
    # Where the reader says that a voxel lies is where the file says, and the grey value there is the file's
    for index in itertools.product(*map(range, found.voxels.shape)):
        place = found.affine @ [*index[::-1], 1]
        at = np.linalg.inv(stored.affine) @ place
        np.testing.assert_allclose(at, np.rint(at), atol=1e-2)
        assert found.voxels[index] == expected[tuple(np.rint(at[:3]).astype(int))]
    assert np.linalg.det(found.affine[:3, :3]) > 0  # never a mirror image
    assert sorted([*found.spacing, found.thickness]) == pytest.approx(sorted(sides), rel=1e-4)
    assert found.thickness == pytest.approx(sides[2], rel=1e-4)
    # No other turn of the picture runs more to the left, back and feet
    columns, rows = -found.affine[:3, 0], -found.affine[:3, 1]
    assert columns[np.abs(columns).argmax()] > 0 or rows[np.abs(rows).argmax()] > 0


def test_a_tie_is_refused_where_the_picture_depends_on_it():
    half = affine_of((-1, -1, 0), (1, -1, 0), (1, 1, 8))
    with pytest.raises(ZooError, match="a.nii: lies at 45° between the patient's axes"):
        to_patient(np.zeros((4, 4, 2)), half, (1, 1, 8), "a.nii")
    # Rows to the back and to the feet alike: both ways are the same picture
    assert turn(affine_of((-1, 0, 0), (0, -1, -1), (1, 1, 8)), 2, "a.nii") == ([0, 1, 2], [False] * 3)


def test_forms_and_units_of_the_header(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 1000, (9, 8, 3)).astype(np.int16)
    lps, ras = np.diag([-1.5, -1.5, 8, 1]), np.diag([1.5, 1.5, 8, 1])

    def header(sform=None, qform=None, zooms=(1.5, 1.5, 8), units="mm"):
        nifti = nibabel.Nifti1Image(voxels, None)
        nifti.header.set_zooms(zooms)
        nifti.header.set_xyzt_units(units)
        nifti.set_sform(sform, 0 if sform is None else 1, update_affine=False)
        nifti.set_qform(qform, 0 if qform is None else 1, update_affine=False)
        if qform is None:
            nifti.header.set_zooms(zooms)
        nifti.to_filename(tmp_path / "a.nii")
        return read_nifti(tmp_path / "a.nii")

    np.testing.assert_array_equal(header(sform=lps).voxels, voxels.T)
    np.testing.assert_array_equal(header(sform=ras).voxels, voxels[::-1, ::-1].T)
    np.testing.assert_array_equal(header(qform=ras).voxels, voxels[::-1, ::-1].T)
    both = header(sform=lps, qform=ras)
    np.testing.assert_array_equal(both.voxels, voxels.T)
    assert both.notes == ["sform and qform disagree by 180°: axes are those of the sform"]
    none = header()
    np.testing.assert_array_equal(none.voxels, voxels.T)
    assert none.affine is None and "orientation unknown" in none.notes[0] and none.spacing == (1.5, 1.5)
    other = header(sform=lps, zooms=(1, 1, 1))
    assert other.spacing == (1.5, 1.5) and "sform and pixdim disagree by more than 1 %" in other.notes[0]
    acdc = header(sform=np.diag([-1, -1, 1, 1]), zooms=(1.25, 1.75, 10))
    assert (acdc.spacing, acdc.thickness) == ((1.75, 1.25), 10) and "directions alone" in acdc.notes[0]
    np.testing.assert_allclose(np.diag(acdc.affine), [-1.25, -1.75, 10, 1])
    broken = header(sform=np.zeros((4, 4)), qform=ras)
    assert broken.notes == ["its sform is no affine and is left out"]
    np.testing.assert_array_equal(broken.voxels, voxels[::-1, ::-1].T)
    for unit, factor in (("micron", 1000), ("meter", 0.001), ("unknown", 1)):
        found = header(sform=lps * factor, zooms=np.array([1.5, 1.5, 8]) * factor, units=unit)
        assert found.spacing == pytest.approx((1.5, 1.5)) and found.thickness == pytest.approx(8)
        np.testing.assert_allclose(np.diag(found.affine)[:3], [-1.5, -1.5, 8], rtol=1e-5)
    with pytest.raises(ZooError, match="voxels of 1500 x 1500 x 8000 mm; expected 0.01 to 50 mm a side"):
        header(sform=lps * 1000, zooms=(1500, 1500, 8000))


@pytest.mark.parametrize("stack", [0, 1, 2])
def test_slices_are_found_by_their_distance_where_no_axes_are_given(stack):
    voxels = np.random.default_rng(0).integers(0, 1000, (9, 8, 3))
    stored = np.moveaxis(voxels, 2, stack)
    found = to_patient(stored, None, np.insert([1.5, 1.25], stack, 8), "a.nii")
    # A rotation of the array: slices run backwards where their axis stands between the others
    np.testing.assert_array_equal(found.voxels, voxels[..., :: -1 if stack == 1 else 1].T)
    assert found.spacing == (1.25, 1.5) and found.thickness == 8 and "orientation unknown" in found.notes[0]


def test_a_file_of_two_and_one_without_orientation(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 1000, (9, 8, 3)).astype(np.int16)
    for kind, ending in (
        (nibabel.Nifti1Pair, "pair"),
        (nibabel.Nifti2Pair, "second"),
        (nibabel.AnalyzeImage, "analyze"),
    ):
        kind(voxels, np.diag([1.5, 1.5, 8, 1])).to_filename(tmp_path / f"{ending}.hdr")
        found = read_nifti(tmp_path / f"{ending}.hdr", second=tmp_path / f"{ending}.img")
        if kind is nibabel.AnalyzeImage:
            assert found.affine is None and (found.voxels == voxels.T).all()
        else:
            np.testing.assert_array_equal(found.voxels, voxels[::-1, ::-1].T)
        assert found.spacing == (1.5, 1.5) and found.thickness == 8
    with pytest.raises(ZooError, match="its voxels lie in another file; expected NAME.img beside NAME.hdr"):
        read_nifti(tmp_path / "pair.hdr")


def test_masks_lie_on_their_images_or_are_refused(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 4, (9, 8, 3)).astype(np.int16)
    image = read(tmp_path / "a.nii", voxels, np.diag([-1.5, -1.5, 8, 1]))
    reasons = {
        "same": read(tmp_path / "m.nii", voxels, np.diag([-1.5, -1.5, 8, 1])),
        "rounded": read(tmp_path / "m.nii", voxels, np.diag([-1.501, -1.499, 8.01, 1])),
        "eye": read(tmp_path / "m.nii", voxels, np.eye(4)),
        "mirrored": read(tmp_path / "m.nii", voxels, np.diag([1.5, 1.5, 8, 1])),
        "moved": read(tmp_path / "m.nii", voxels, affine_of((-1, 0, 0), (0, -1, 0), (1.5, 1.5, 8), (3, 0, 0))),
    }
    assert [name for name, mask in reasons.items() if mask.lies_on(image) is None] == ["same", "rounded"]


def test_a_mask_without_orientation_is_turned_as_its_image_is(tmp_path):
    ras = np.diag([1.5, 1.25, 8, 1])
    image = np.random.default_rng(0).integers(0, 900, (9, 8, 3)).astype(np.int16)
    labels = (image > 450).astype(np.uint8)

    def write(name, array, affine, sides=(1.5, 1.25, 8), kind=nibabel.Nifti1Image):
        nifti = kind(array, None)
        nifti.header.set_zooms(sides)
        if affine is not None:
            nifti.set_sform(affine, 1)
        nifti.to_filename(tmp_path / name)
        second = tmp_path / name.replace(".hdr", ".img") if name.endswith(".hdr") else None
        return read_nifti(tmp_path / name, second=second)

    for form in (ras, np.diag([-1.5, 1.25, -8, 1]), None):
        for own in (ras, None):
            if form is not None and own is not None:
                continue
            whole, mask = write("a.nii", image, form), write("m.nii", labels, own)
            found = laid_on(mask, whole, "m.nii")
            np.testing.assert_array_equal(found.voxels, whole.voxels > 450)
            assert any("taken to be stored as its image is" in note for note in whole.notes) == (form is not own)
    whole = write("a.nii", image, ras)
    for kind, sides in ((nibabel.AnalyzeImage, (1.5, 1.25, 8)), (nibabel.Nifti1Pair, (1, 1, 1))):
        mask = write("m.hdr", labels, None, sides, kind)
        np.testing.assert_array_equal(laid_on(mask, whole, "m").voxels, whole.voxels > 450)
    with pytest.raises(
        ZooError, match="m: mask without orientation, of voxels of 2 x 2 x 8 mm; expected its image's 1.5"
    ):
        laid_on(write("m.nii", labels, None, (2, 2, 8)), whole, "m")
    with pytest.raises(ZooError, match=r"m: mask of shape \(8, 9, 3\); expected its image's \(9, 8, 3\)"):
        laid_on(write("m.nii", labels.transpose(1, 0, 2), None, (1.25, 1.5, 8)), whole, "m")


def test_the_axis_of_slices_is_the_images_where_the_mask_knows_no_lengths(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 900, (6, 6, 6))
    image = to_patient(voxels, None, (8, 1.5, 1.5), "a.nii")
    mask = to_patient((voxels > 450).astype(np.uint8), None, (1, 1, 1), "m.nii")
    np.testing.assert_array_equal(laid_on(mask, image, "m.nii").voxels, image.voxels > 450)


def test_lengths_of_analyze_are_in_its_unit(tmp_path):
    image = nibabel.AnalyzeImage(np.arange(60, dtype=np.int16).reshape(5, 4, 3), None)
    image.header.set_zooms((0.15, 0.15, 0.8))
    image.header["vox_units"] = b"cm"
    image.to_filename(tmp_path / "a.hdr")
    found = read_nifti(tmp_path / "a.hdr", second=tmp_path / "a.img")
    assert found.spacing == pytest.approx((1.5, 1.5)) and found.thickness == pytest.approx(8)
    assert found.notes[0] == "lengths are in units of cm: turned into mm"
