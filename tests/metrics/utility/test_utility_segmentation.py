"""Shares of patients, and segmenters with and without synthetic pairs."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from utility_fakes import ImagePipeline, PairPipeline, built, hearts

import zoo.datasets
from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.metrics import dataset_share
from zoo.metrics.functional import volume_dice
from zoo.metrics.image_set import from_split
from zoo.metrics.utility import segmentation
from zoo.metrics.utility.segmentation import (
    SameData,
    dice_scores,
    draw_patients,
    patient_classes,
    segmentation_figures,
    segmentation_loss,
    train_segmenter,
)
from zoo.metrics.utility.training import draw_weights

CLASSES = {f"p{i:02}": i % 5 for i in range(80)}
SCHEDULE = replace(segmentation.SCHEDULE, steps=30)


@pytest.fixture(scope="module")
def drawn() -> BuiltDataset:
    return built({"train": 10, "validation": 2, "test": 4})


def classes_of(data: BuiltDataset) -> dict[str, int]:
    return patient_classes(data.dataset["train"], from_split(data, "train").ids)


def test_shares_grow_and_classes_take_turns():
    shares = [draw_patients(CLASSES, share, 0) for share in (0.05, 0.1, 0.25, 1.0)]
    assert [len(share) for share in shares] == [4, 8, 20, 80]
    assert all(set(small) < set(large) for small, large in zip(shares, shares[1:], strict=False))
    for patients in shares:
        counts = Counter(CLASSES[patient] for patient in patients)
        assert max(counts.values()) - min(counts[index] for index in range(5)) <= 1
    assert draw_patients(CLASSES, 0.05, 1) != shares[0]
    assert len(draw_patients(CLASSES, 0.001, 0)) == 1


def test_a_share_of_a_dataset(drawn, tmp_path):
    part = dataset_share(drawn, 0.2)
    patients = part.info["splits"]["train"]["patient_ids"]
    assert len(patients) == 2 and {classes_of(drawn)[patient] for patient in patients} == {0, 1}
    assert set(part.dataset["train"]["patient_id"]) == set(patients)
    assert part.info["splits"]["train"]["num_images"] == len(part.dataset["train"]) == 6
    assert part.dataset["test"]["patient_id"] == drawn.dataset["test"]["patient_id"]
    assert part.info["fingerprint"] not in (drawn.info["fingerprint"], dataset_share(drawn, 0.4).info["fingerprint"])
    again = zoo.datasets.load(zoo.datasets.save(part, tmp_path / "part"))
    assert again.info == part.info and len(again.dataset["train"]) == 6


def test_patients_with_the_same_images_stay_together(drawn):
    twins = BuiltDataset(drawn.dataset, drawn.info | {"duplicates": [["train00", "train02"]]})
    assert len(classes_of(twins)) == 9
    parts = (dataset_share(twins, share).info["splits"]["train"]["patient_ids"] for share in (0.2, 0.4, 0.6, 0.8))
    assert all(("train00" in patients) == ("train02" in patients) for patients in parts)


def test_a_generator_of_the_same_data_must_have_seen_no_others(drawn):
    right = dataset_share(drawn, 0.2).info["fingerprint"]
    SameData(PairPipeline(), right).check(drawn, 0.2)
    for pipe, fingerprint, share, message in (
        (
            PairPipeline(),
            drawn.info["fingerprint"],
            0.2,
            "generator of 20 % of the patients: was trained on other data",
        ),
        (PairPipeline(), None, 0.2, "was trained on other data"),
        (PairPipeline(), right, 0.4, "was trained on other data"),
        (PairPipeline(), right, 1.2, "expected a share above 0 and up to 1, got 1.2"),
        (ImagePipeline(), right, 0.2, "expected a model of images with masks, got one of family hearts"),
        (PairPipeline(size=8), right, 0.2, "the model expects 8x8"),
    ):
        with pytest.raises(ZooError, match=message):
            SameData(pipe, fingerprint).check(drawn, share)


def test_loss_is_zero_for_certainty():
    masks = torch.randint(4, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    logits = 50.0 * torch.nn.functional.one_hot(masks, 4).movedim(-1, 1).float()
    assert segmentation_loss(logits, masks).item() == pytest.approx(0, abs=1e-5)
    assert segmentation_loss(torch.zeros(2, 4, 8, 8), masks).item() > 1.5


def test_dice_of_volumes():
    truth = hearts([0, 1, 0, 1], 0)[1]
    found = truth.clone()
    found[1][found[1] == 3] = 0
    truth, found = torch.cat([truth, torch.zeros_like(truth[:1])]), torch.cat([found, torch.zeros_like(found[:1])])
    parameters = torch.nn.Parameter(torch.zeros(1))
    segmenter = SimpleNamespace(segment=lambda images: found, parameters=lambda: iter([parameters]))
    volumes = ["a", "a", "b", "b", "empty"]
    scores = dice_scores(segmenter, torch.zeros(5, 1, 16, 16, dtype=torch.uint8), truth, volumes)
    assert scores[0] == pytest.approx(volume_dice(found[:2], truth[:2], ["a", "a"])[1].mean().item())
    assert scores[0] < 1 and scores[1:].tolist() == [1, 1]  # what neither finds is agreed on


def test_figures_by_hand():
    alone, both = torch.tensor([[0.5, 0.6], [0.5, 0.7], [0.5, 0.5]]), torch.tensor([[0.6, 0.8], [0.7, 0.8], [0.5, 0.8]])
    group = segmentation_figures(
        {("shared_generator", 0.05): (alone, both), ("same_data", 0.1): (both, both)}, ["a", "b"]
    )
    assert set(group) == {"dice_shared_generator_5", "dice_same_data_10"}
    entry = group["dice_shared_generator_5"]
    assert entry["value"] == pytest.approx(0.7) and entry["real_alone"]["value"] == pytest.approx(0.55)
    assert entry["gain"]["value"] == pytest.approx(0.15) and entry["gain"]["per_seed"] == pytest.approx(
        [0.15, 0.15, 0.15]
    )
    assert 0 < entry["low"] < entry["high"] <= 1
    assert group["dice_same_data_10"]["gain"]["value"] == 0


def test_pairs_help_whoever_has_one_image():
    real, pairs, unseen = hearts([0], 1), hearts([0, 1] * 20, 2), hearts([0, 1] * 6, 3)
    images, masks = (torch.cat(part) for part in zip(real, pairs, strict=True))
    volumes, scores = [f"p{i // 2}" for i in range(12)], {}
    for name, weights in (("alone", torch.eye(41)[0]), ("both", draw_weights(torch.arange(41) >= 1))):
        trained = [train_segmenter(images, masks, weights, seed, schedule=SCHEDULE) for seed in (0, 1, 2)]
        scores[name] = torch.stack([dice_scores(network, unseen[0], unseen[1], volumes) for network in trained])
    ids = sorted(set(volumes))
    group = segmentation_figures({("shared_generator", 1.0): (scores["alone"], scores["both"])}, ids)
    assert group["dice_shared_generator_100"]["gain"]["low"] > 0
    assert group["dice_shared_generator_100"]["value"] > 0.6


def test_sizes_that_cannot_be_halved_three_times():
    images, masks = hearts([0, 1], 0, size=20)
    network = train_segmenter(images, masks, torch.ones(2), 0, schedule=replace(SCHEDULE, steps=1))
    assert list(network.config.block_out_channels) == [8, 16, 32]
