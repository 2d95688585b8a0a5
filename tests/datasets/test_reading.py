"""Files known by their content: pictures of any depth, MetaImage and NRRD, zips, texts and bounds."""

import gzip
import os
import unicodedata
import zipfile

import nibabel
import numpy as np
import pytest
from fake_acdc import heart, picture_of, write_nifti, write_patient
from PIL import Image

from zoo import ZooError
from zoo.datasets import build_acdc, build_folder, build_isic, images, report_text
from zoo.datasets.content import read_bytes, unpacked
from zoo.datasets.itk import data_file, read_itk, unit_of
from zoo.datasets.kinds import kind_of
from zoo.datasets.nifti import read_nifti
from zoo.datasets.pictures import read_masks, read_pages


def build(source, **options):
    return build_folder(source, progress=False, **options)


def noise(seed=0, shape=(20, 20), top=256, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def test_kinds_are_known_by_content(tmp_path):
    for name, kind in (("a", "PNG"), ("b.nii", "TIFF"), ("c.dcm", "JPEG"), ("d.txt", "BMP"), ("e.x", "WEBP")):
        Image.fromarray(noise()).save(tmp_path / name, kind)
        assert kind_of(tmp_path / name) == ("pictures" if kind != "BMP" else None)  # two letters are no mark
    nibabel.Nifti1Image(noise(shape=(4, 4, 4)), None).to_filename(tmp_path / "v.nii.gz")
    (tmp_path / "v.nii.gz").rename(tmp_path / "v.png")
    nibabel.Nifti2Image(noise(shape=(4, 4, 4)), None).to_filename(tmp_path / "w.nii")
    (tmp_path / "w.nii").rename(tmp_path / "w.bin")
    assert kind_of(tmp_path / "v.png") == kind_of(tmp_path / "w.bin") == "NIfTI"
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    (tmp_path / "text.csv").write_text("ObjectType,1")
    assert kind_of(tmp_path / "empty.nii.gz") == "NIfTI" and kind_of(tmp_path / "text.csv") is None


@pytest.mark.parametrize("dtype, top", [(np.uint8, 256), (np.uint16, 4096), (np.uint16, 65536), (np.float32, 9)])
def test_pictures_of_any_depth_fill_the_range(tmp_path, dtype, top):
    array = noise(top=top, dtype=dtype)
    Image.fromarray(array).save(tmp_path / "a.tif")
    (found,) = read_pages(tmp_path / "a.tif", 1)
    expected = array if dtype == np.uint8 else (array - array.min()) / (np.ptp(array.astype(float))) * 255
    np.testing.assert_allclose(np.asarray(found), expected, atol=1)


def test_pages_are_pictures_of_one_split(tmp_path):
    for number in range(10):
        pages = [Image.fromarray(noise(10 * number + page)) for page in range(3)]
        pages[0].save(tmp_path / f"{number}.tif", save_all=True, append_images=pages[1:])
        labels = [Image.fromarray(noise(page, top=2)) for page in range(3)]
        labels[0].save(tmp_path / f"{number}_gt.tif", save_all=True, append_images=labels[1:])
    built = build(tmp_path, size=20)
    assert {name: split.num_rows for name, split in built.dataset.items()} == {"train": 24, "validation": 3, "test": 3}
    np.testing.assert_array_equal(images(built.dataset["test"], "mask")[1, ..., 0], noise(1, top=2))
    assert "and 9 more: has 3 pages, each a picture" in report_text(built.info)
    labels[0].save(tmp_path / "4_gt.tif")
    with pytest.raises(ZooError, match="4_gt.tif: mask of 1 pages; expected its image's 3"):
        build(tmp_path)
    pages[0].save(tmp_path / "4.tif", save_all=True, append_images=[Image.fromarray(noise(shape=(5, 5)))])
    with pytest.raises(ZooError, match=r"4.tif: has pages of \(20, 20\) and of \(5, 5\) pixels; expected one size"):
        build(tmp_path)


def test_masks_are_labels_by_their_content(tmp_path):
    ring = noise(top=2)
    for name, array, mode in (
        ("ones.png", ring, None),
        ("full.png", ring * 255, None),
        ("bits.png", ring * 255, "1"),
        ("rgb.png", ring, "RGB"),
    ):
        picture = Image.fromarray(array)
        (picture.convert(mode) if mode else picture).save(tmp_path / name)
        np.testing.assert_array_equal(np.asarray(read_masks(tmp_path / name)[0]), ring)
    Image.fromarray(np.kron(ring, np.ones((8, 8), np.uint8)) * 255).save(tmp_path / "lossy.jpg", quality=95)
    np.testing.assert_array_equal(np.asarray(read_masks(tmp_path / "lossy.jpg")[0])[::8, ::8], ring)
    Image.fromarray(noise()).save(tmp_path / "grey.png")
    with pytest.raises(ZooError, match="grey.png: mask has 2.. different values; expected labels"):
        read_masks(tmp_path / "grey.png")
    hole = noise(top=9, dtype=np.float32)
    hole[2, 3] = np.nan
    Image.fromarray(hole).save(tmp_path / "hole.tif")
    with pytest.raises(ZooError, match="hole.tif: has NaN or infinite values; expected finite intensities"):
        read_pages(tmp_path / "hole.tif", 1)
    Image.fromarray(noise(top=4) * np.uint16(300)).save(tmp_path / "deep.png")
    with pytest.raises(ZooError, match="deep.png: mask has values from 0 to 900"):
        read_masks(tmp_path / "deep.png")


@pytest.mark.parametrize("ending", ["nrrd", "mha", "mhd", "nhdr"])
def test_metaimage_and_nrrd_lie_as_their_nifti_does(tmp_path, ending):
    itk = pytest.importorskip("SimpleITK")
    voxels = np.random.default_rng(0).integers(0, 900, (9, 8, 3)).astype(np.int16)
    image = itk.GetImageFromArray(voxels.T)
    image.SetSpacing((1.25, 1.5, 8))
    image.SetOrigin((5, -6, 7))
    turn, _ = np.linalg.qr([[0.48, -0.46, 0.7], [0.86, 0.09, -0.5], [-0.16, 0.88, 0.4]])
    image.SetDirection((turn * np.sign(np.linalg.det(turn))).ravel().tolist())
    itk.WriteImage(image, str(tmp_path / "p1.nii"))
    itk.WriteImage(image, str(tmp_path / f"p1.{ending}"))
    found, expected = read_itk(tmp_path / f"p1.{ending}"), read_nifti(tmp_path / "p1.nii")
    np.testing.assert_array_equal(found.voxels, expected.voxels)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-3)
    assert found.spacing == pytest.approx(expected.spacing) and found.thickness == pytest.approx(8)
    (tmp_path / "p1.nii").unlink()
    assert build(tmp_path).dataset["train"].num_rows == 3
    with zipfile.ZipFile(tmp_path.parent / f"{ending}.zip", "w") as archive:
        for path in tmp_path.iterdir():
            archive.write(path, path.name)
    assert build(tmp_path.parent / f"{ending}.zip").dataset["train"].num_rows == 3


def test_what_a_metaimage_leaves_out_is_said(tmp_path):
    pytest.importorskip("SimpleITK")
    voxels = np.random.default_rng(0).integers(0, 900, (9, 8, 3)).astype("<i2")
    (tmp_path / "a.raw").write_bytes(voxels.tobytes("F"))
    header = "ObjectType = Image\nNDims = 3\nDimSize = 9 8 3\nElementType = MET_SHORT\n"
    for name in ("a.raw", "A.RAW"):  # as Windows takes it
        (tmp_path / "a.mhd").write_text(f"{header}ElementSpacing = 1.25 1.5 8\nElementDataFile = {name}\n")
        found = read_itk(tmp_path / "a.mhd", files={"a.raw": tmp_path / "a.raw"})
        np.testing.assert_array_equal(found.voxels, voxels.T)
        assert found.spacing == (1.5, 1.25) and not any("no spacing" in note for note in found.notes)
    (tmp_path / "a.mhd").write_text(f"{header}ElementDataFile = a.raw\n")
    found = read_itk(tmp_path / "a.mhd")
    assert found.spacing == (1, 1) and found.notes[0] == "its header gives no spacing: 1 mm is put down"


@pytest.mark.parametrize(
    "units, scale", [('"cm" "cm" "cm"', 10), ('"mm" "mm" "mm"', 1), ('"um" "um" "um"', 0.001), (None, 1)]
)
def test_lengths_of_a_nrrd_are_in_its_unit(tmp_path, units, scale):
    pytest.importorskip("SimpleITK")
    sides = np.array([1.5, 1.25, 8]) / scale
    directions = " ".join(str(tuple(row.tolist())).replace(" ", "") for row in np.diag(sides))
    header = "NRRD0005\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 9 8 3\n"
    header += f"space directions: {directions}\nspace origin: (1,2,3)\nendian: little\nencoding: raw\n"
    header += f"space units: {units}\n" if units else ""
    voxels = noise(shape=(9, 8, 3), top=900, dtype="<i2")
    (tmp_path / "a.nrrd").write_bytes(header.encode() + b"\n" + voxels.tobytes("F"))
    found = read_itk(tmp_path / "a.nrrd")
    assert found.spacing == pytest.approx((1.25, 1.5)) and found.thickness == pytest.approx(8)
    np.testing.assert_allclose(found.affine[:3, 3], np.array([-1, -2, 3]) * scale)
    assert any("turned into mm" in note for note in found.notes) == (scale != 1)


def test_units_of_length_are_known_or_refused():
    assert unit_of(b"NDims = 3\nDistanceUnits = cm\nElementDataFile = LOCAL\n\xff", "a.mha") == ("cm", 10)
    assert unit_of(b'NRRD0005\nunits: "mm" "mm" "mm" "ms"\n\nunits: "ly"', "a.nrrd") == ("mm", 1)
    for told in ('"in" "in" "in"', '"mm" "mm" "cm"'):
        with pytest.raises(ZooError, match="a.nrrd: lengths in units of .*; expected mm, cm, m or um alone"):
            unit_of(f"NRRD0005\nspace units: {told}\n\n".encode(), "a.nrrd")


def test_a_header_names_no_file_outside_its_folder():
    for name in (b"../secret.raw", b"/etc/passwd", b"LIST", b"a/b.raw", b"%03d.raw", b".hidden", b"c:\\x.raw"):
        with pytest.raises(ZooError, match="expected one file in its own folder"):
            data_file(b"ObjectType = Image\nElementDataFile = " + name + b"\n", "a.mhd")
    assert data_file(b"NRRD0004\ndata file: scan.raw\n\n", "a.nhdr") == "scan.raw"
    assert data_file(b"NRRD0004\ntype: short\n\n", "a.nrrd") is None


def test_what_is_unpacked_is_bounded_whatever_its_members(tmp_path):
    volume = nibabel.Nifti1Image(noise(shape=(6, 5, 4)), np.eye(4)).to_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(volume[:500]) + gzip.compress(volume[500:]) + b"\0" * 7)
    np.testing.assert_array_equal(read_nifti(path).voxels, noise(shape=(6, 5, 4))[::-1, ::-1].T)
    for data in (gzip.compress(bytes(2 << 20)), gzip.compress(volume) + gzip.compress(bytes(2 << 20))):
        with pytest.raises(ZooError, match="a.nii.gz: expected at most 1 MB unpacked"):
            unpacked(data, "a.nii.gz", 1 << 20)
    with pytest.raises(ZooError, match="is larger than 10 bytes"):
        read_bytes(path, 10)
    header = bytearray(volume)
    header[42:48] = np.int16([32000, 32000, 32000]).tobytes()  # terabytes
    path.write_bytes(header)
    with pytest.raises(ZooError, match="truncated or no NIfTI .32768000000000 bytes of voxels are promised"):
        read_nifti(path)


def packed(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, data)
    return path


def test_zips_of_any_tool(tmp_path):
    volume = nibabel.Nifti1Image(noise(shape=(20, 20, 4)), None).to_bytes()
    good = packed(
        tmp_path / "a.zip", [("all\\p1\\a.nii", volume), ("__MACOSX\\p1\\._a.nii", b"x"), ("all\\.DS_Store", b"")]
    )
    assert build(good).info["splits"]["train"]["patient_ids"] == ["p1"]
    for members, message in (
        ([("../a.nii", volume)], "points out of the zip"),
        ([("p1\\a.nii", volume), ("p1/a.nii", volume)], "holds two files of one name"),
    ):
        with pytest.raises(ZooError, match=message):
            build(packed(tmp_path / "b.zip", members))
    data = bytearray(good.read_bytes())
    data[data.find(volume[:40]) + 600] ^= 255  # the checksum does not fit any more
    (tmp_path / "c.zip").write_bytes(data)
    with pytest.raises(ZooError, match="a.nii: truncated or unreadable .Bad CRC-32"):
        build(tmp_path / "c.zip")


def test_links_pipes_and_circles_do_not_hang(tmp_path):
    folder = tmp_path / "in"
    write_nifti(folder / "p1" / "a.nii", picture_of(heart(), seed=0))
    (folder / "p1" / "above").symlink_to(folder)
    (folder / "p1" / "gone.nii").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "p1" / "pipe.nii")
    built = build(folder)
    assert built.info["splits"]["train"] == {"num_images": 6, "patient_ids": ["p1"]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_texts_with_marks(acdc, tmp_path, encoding):
    path = acdc / "training" / "patient001" / "Info.cfg"
    expected = build_acdc(acdc, progress=False).info["fingerprint"]
    path.write_bytes(path.read_text().encode(encoding))
    assert build_acdc(acdc, progress=False).info["fingerprint"] == expected
    (tmp_path / "isic" / "images").mkdir(parents=True)
    lines = ["image_id,lesion_id,dx,label"] + [f"I{i},L{i},nv,{'benign malignant'.split()[i % 2]}" for i in range(6)]
    for i in range(6):
        Image.fromarray(noise(i, (20, 20, 3))).save(tmp_path / "isic" / "images" / f"I{i}.jpg")
    (tmp_path / "isic" / "metadata.csv").write_bytes("\r\n".join(lines).encode(encoding))
    assert build_isic(tmp_path / "isic", progress=False).dataset["train"].num_rows == 2


def test_colours_and_complex_numbers_are_named_and_skipped(tmp_path):
    write_patient(tmp_path / "rest" / "patient001")
    colour = np.zeros((9, 8, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for name, array, what in (
        ("rgb", colour, "colours"),
        ("complex", np.ones((9, 8, 3), np.complex64), "complex numbers"),
    ):
        folder = tmp_path / name
        for number in range(3):
            write_nifti(folder / f"p{number}.nii", picture_of(heart(), seed=number))
        nibabel.Nifti1Image(array, np.eye(4)).to_filename(folder / "x.nii")
        with pytest.raises(ZooError, match=f"x.nii: holds {what}; expected one number a voxel"):
            build(folder)
        assert [entry["item"] for entry in build(folder, skip_bad=True).info["skipped"]] == ["x.nii"]


def test_a_void_label_leaves_the_others(tmp_path):
    array = np.array([[0, 1, 2], [3, 255, 0]], np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(read_masks(tmp_path / "a.png")[0]), array)
    for number in range(3):
        Image.fromarray(noise(number)).save(tmp_path / f"{number}.png")
        Image.fromarray(np.resize(array, (20, 20))).save(tmp_path / f"{number}_gt.png")
    (tmp_path / "a.png").unlink()
    assert "the label 255 of its mask is kept beside others" in report_text(build(tmp_path).info)


def test_labels_in_the_transparency_of_a_mask(tmp_path):
    ring = noise(top=2)
    for colour in (0, 255):
        pixels = np.dstack([np.full((20, 20, 3), colour, np.uint8), ring * 255])
        Image.fromarray(pixels).save(tmp_path / "a.png")
        np.testing.assert_array_equal(np.asarray(read_masks(tmp_path / "a.png")[0]), ring)
    Image.fromarray(np.dstack([noise(1, top=2)] * 3 + [ring * 255])).save(tmp_path / "a.png")
    with pytest.raises(ZooError, match="a.png: mask with other labels in its colours than in its transparency"):
        read_masks(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_white_zero_is_turned_at_any_depth(tmp_path, dtype):
    ramp = np.tile(np.linspace(0, 255, 32), (32, 1)).astype(dtype)
    Image.fromarray(ramp).save(tmp_path / "a.tif", tiffinfo={262: 0})
    expected = ramp if dtype is np.uint8 else 255 - ramp.astype(float)  # Pillow turns 8 bits as it writes, no more
    np.testing.assert_allclose(np.asarray(read_pages(tmp_path / "a.tif", 1)[0]), expected, atol=1)


def test_a_picture_with_nan_is_named(tmp_path):
    Image.fromarray(np.array([[0.5, np.nan]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ZooError, match="a.tif: has NaN or infinite values; expected finite intensities"):
        read_pages(tmp_path / "a.tif", 1)


def test_one_name_in_two_forms_of_unicode(tmp_path):
    for number, form in enumerate(("NFC", "NFD")):
        name = unicodedata.normalize(form, "M\u00fcller.nii")
        write_nifti(tmp_path / "in" / name, picture_of(heart(), seed=number))
    with pytest.raises(ZooError, match="its name is there twice, in other Unicode characters"):
        build(tmp_path / "in")
    (tmp_path / "in" / unicodedata.normalize("NFD", "M\u00fcller.nii")).unlink()
    table = tmp_path / "x.csv"
    table.write_text(unicodedata.normalize("NFD", "patient,group\nM\u00fcller,HCM\n"))
    assert build(tmp_path / "in", labels=table).dataset["train"].num_rows == 6
