"""The reader study: can a person tell real from synthetic, and which model makes the better hearts?"""

import csv
import os
import random
import secrets
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from zoo.errors import ZooError
from zoo.metrics.intervals import share_figure

VARIABLE, REPO_VARIABLE = "ZOO_ANSWERS", "ZOO_ANSWERS_REPO"
COLUMNS = ["time", "reader", "model", "other", "reference", "mode", "number", "truth", "answer", "correct", "seconds"]
SINGLE, PAIRS, MODELS, SCORE = "real or synthetic", "which is real", "model against model", "score from 1 to 5"
CHOICES = {
    SINGLE: ("real", "synthetic"),
    PAIRS: ("left", "right"),  # where the real one is
    MODELS: ("left", "right"),  # which looks more like a real heart
    SCORE: ("1", "2", "3", "4", "5"),  # from no heart to one that could be real
}
ROUND = 10  # pictures, or pairs
UPLOAD_MINUTES = 5


@dataclass
class Item:
    """A picture, or a pair of them.

    Args:
        shown (`list[np.ndarray]`): uint8 `(height, width, channels)`.
        truth (`str`): What is true of it: `"real"` or `"synthetic"` of one; of a pair, where the real one, or the first
            model's, is.
        token (`str`): By which an answer says what it is an answer to.
        answer (`str`): What was answered; empty before.
    """

    shown: list[np.ndarray]
    truth: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    answer: str = ""

    @property
    def correct(self) -> bool:
        """Whether the answer is the truth."""
        return self.answer == self.truth


@dataclass
class Round:
    """What one reader is at; it stays on the server.

    Args:
        model, other (`str`): Whose images are looked at; `other` is empty unless two models are compared.
        reference (`str`): Where the real ones come from.
        mode (`str`): One of `CHOICES`.
        items (`list[Item]`): All of the round, in the order in which they are shown.
        spacing_mm (`float`, *optional*): Side of a pixel.
        reader (`str`): A random name.
        answers (`list[bool]`): Whether each answer so far was right, of earlier rounds of this kind too.
    """

    model: str
    other: str
    reference: str
    mode: str
    items: list[Item]
    spacing_mm: float | None
    reader: str = field(default_factory=lambda: secrets.token_hex(4))
    answers: list[bool] = field(default_factory=list)
    at: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __deepcopy__(self, memo):
        return self  # gradio copies what a page starts with; a round is one

    @property
    def item(self) -> Item | None:
        """What the reader looks at; `None` after the last."""
        return self.items[self.at] if self.at < len(self.items) else None

    def take(self, token: str, choice: str, seconds: float) -> dict | None:
        """Takes the answer to what is shown: once, and only to that.

        Returns:
            `dict`: A row for `Answers`; `None` if the token is that of no open picture.

        Raises:
            ZooError: If the choice is none.
        """
        if choice not in CHOICES[self.mode]:
            raise ZooError(f"answer: expected one of {', '.join(CHOICES[self.mode])}")
        with self.lock:
            item = self.item
            if item is None or item.token != token or item.answer:
                return None
            item.answer = choice
        judged = self.mode in (SINGLE, PAIRS)
        if judged:
            self.answers.append(item.correct)
        return {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "reader": self.reader,
            "model": self.model,
            "other": self.other,
            "reference": self.reference,
            "mode": self.mode,
            "number": self.at + 1,
            "truth": item.truth,
            "answer": choice,
            "correct": int(item.correct) if judged else "",
            "seconds": round(min(max(seconds, 0.0), 3600.0), 2),
        }

    def next(self, token: str) -> None:
        """Goes on from an answered picture; a second call for the same one does nothing."""
        with self.lock:
            if self.item is not None and self.item.token == token and self.item.answer:
                self.at += 1


def make_items(mode: str, first: list, second: list, rng: random.Random | None = None) -> list[Item]:
    """A round: as many of each truth, in random order.

    Args:
        mode (`str`): One of `CHOICES`.
        first (`list[np.ndarray]`): Real images; of `MODELS`, those of the first model.
        second (`list[np.ndarray]`): Synthetic images, or those of the other model.
        rng (`random.Random`, *optional*): Nobody can foresee the order without it.

    Raises:
        ZooError: If the mode is unknown, there are too few images, or their size would give them away.
    """
    if mode not in CHOICES:
        raise ZooError(f"mode: expected one of {', '.join(CHOICES)}")
    rng, half = rng or random.SystemRandom(), ROUND // 2
    need = half if mode in (SINGLE, SCORE) else ROUND
    if len(first) < need or len(second) < need:
        raise ZooError(f"images: a round takes {need} of each kind, there are {min(len(first), len(second))}")
    if first[0].shape != second[0].shape:
        sizes = ["x".join(map(str, images[0].shape[:2])) for images in (first, second)]
        raise ZooError(f"images of {sizes[0]} and of {sizes[1]} pixels: their size would give them away")
    if mode in (SINGLE, SCORE):
        items = [Item([image], "real") for image in first[:half]]
        items += [Item([image], "synthetic") for image in second[:half]]
    else:
        sides = ["left", "right"] * half
        rng.shuffle(sides)
        pairs = zip(first, second, sides, strict=False)
        items = [Item([a, b] if side == "left" else [b, a], side) for a, b, side in pairs]
    rng.shuffle(items)
    return items


def accuracy(answers: list[bool]) -> str:
    """The share of right answers and its 95 % interval (Wilson's), in words."""
    if not answers:
        return "No answers yet. Guessing would be right half of the time."
    found = share_figure(torch.tensor(answers), range(len(answers)))
    verdict = "which guessing explains" if found["low"] <= 0.5 <= found["high"] else "which guessing hardly explains"
    return (
        f"{sum(answers)} of {len(answers)} right: {found['value']:.0%} "
        f"(95 % interval {found['low']:.0%} to {found['high']:.0%}, {verdict})"
    )


class Answers:
    """The CSV file that answers go to.

    Args:
        path (`Path`): The file; made with its header when the first answer comes.
        repo_id (`str`, *optional*): A private dataset repo on the Hub that it is uploaded to every few minutes.
        api (`HfApi`, *optional*): The Hub's client; that of the environment otherwise.

    Raises:
        ZooError: If the file has other columns.
    """

    def __init__(self, path: Path, repo_id: str | None = None, api=None):
        self.path = path
        self._lock = threading.Lock()
        self.uploads = None
        if path.is_file() and path.stat().st_size:
            with open(path, newline="") as file:
                if next(csv.reader(file)) != COLUMNS:
                    raise ZooError(f"{VARIABLE}: {path.name} has other columns than {', '.join(COLUMNS)}; name another")
        if repo_id:
            from huggingface_hub import CommitScheduler

            path.parent.mkdir(parents=True, exist_ok=True)
            settings = {"repo_type": "dataset", "private": True, "allow_patterns": path.name, "hf_api": api}
            self.uploads = CommitScheduler(repo_id=repo_id, folder_path=path.parent, every=UPLOAD_MINUTES, **settings)
            self._lock = self.uploads.lock

    @classmethod
    def from_environment(cls) -> "Answers":
        """The file that `ZOO_ANSWERS` names, or one in a folder that is gone with the machine."""
        if os.environ.get(VARIABLE):
            path = Path(os.environ[VARIABLE])
        else:
            path = Path(tempfile.mkdtemp(prefix="zoo-answers-")) / f"answers-{secrets.token_hex(4)}.csv"
        return cls(path, os.environ.get(REPO_VARIABLE))

    def add(self, row: dict) -> None:
        """Appends a row."""
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self.path.exists() or not self.path.stat().st_size
            with open(self.path, "a", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
