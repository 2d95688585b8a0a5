"""The reader study: can a person tell real from synthetic? What is dealt, what is answered, and what it shows."""

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

from attached import Attached
from sampling import after_each_step, default_request, fields, works_in_steps
from zoo.errors import ZooError
from zoo.metrics.intervals import share_figure
from zoo.pipelines import sample_generators
from zoo.png import to_uint8

VARIABLE, REPO_VARIABLE = "ZOO_ANSWERS", "ZOO_ANSWERS_REPO"
COLUMNS = ["time", "reader", "model", "reference", "mode", "number", "truth", "answer", "correct", "seconds"]
SINGLE, PAIRS = "one image", "pairs"
CHOICES = {SINGLE: ("real", "synthetic"), PAIRS: ("left", "right")}  # in pairs: where the real one is
ROUND = 10  # pictures, or pairs
UPLOAD_MINUTES = 5


@dataclass
class Round:
    """What one reader is at; it stays on the server.

    Args:
        model (`str`): Whose images are told from real ones.
        reference (`str`): `"real"`, or `"phantom"` where no dataset is attached.
        mode (`str`): `"one image"` or `"pairs"`.
        real, synthetic (`list[np.ndarray]`): Images not dealt yet, uint8 `(height, width, channels)`.
        spacing_mm (`float`, *optional*): Side of a pixel.
        reader (`str`): A random name.
        shown (`list[np.ndarray]`): What the reader looks at.
        truth (`str`): The right one of `CHOICES[mode]`.
        since (`float`): When it was shown.
        left (`int`): How many pictures, or pairs, are still to come.
        answers (`list[bool]`): Whether each answer so far was right, those of earlier rounds of this mode included.
    """

    model: str
    reference: str
    mode: str
    real: list[np.ndarray]
    synthetic: list[np.ndarray]
    spacing_mm: float | None
    reader: str = field(default_factory=lambda: secrets.token_hex(4))
    shown: list[np.ndarray] = field(default_factory=list)
    truth: str = ""
    since: float = 0.0
    left: int = ROUND
    answers: list[bool] = field(default_factory=list)


def open_round(
    pipe, model: str, mode: str, attached: Attached, earlier: Round | None = None, tell=lambda news: None
) -> Round:
    """Chooses real images and makes synthetic ones; nobody can foresee which.

    Args:
        pipe: The model.
        model (`str`): Its name.
        mode (`str`): `"one image"` or `"pairs"`.
        attached (`Attached`): Where the real ones come from.
        earlier (`Round`, *optional*): The reader's last round, whose score goes on where model and mode are the same.
        tell (callable): Given `(steps done, all of them)`, by a model that works in steps.

    Raises:
        ZooError: If the mode is unknown, or the reference is of another size than the model's images, which would give
            it away.
    """
    if mode not in CHOICES:
        raise ZooError(f"mode: expected one of {', '.join(CHOICES)}")
    hearts = attached.hearts("test")
    shape = (pipe.num_channels, pipe.sample_size, pipe.sample_size)
    if tuple(hearts.set.images.shape[1:]) != shape:
        size = "x".join(map(str, hearts.set.images.shape[2:]))
        raise ZooError(
            f"{model} makes images of {shape[1]}x{shape[2]} pixels and the others have {size}, which would give them "
            "away; choose another model"
        )
    real = list(hearts.choose(ROUND, None, None))
    reference = "real" if attached.is_real else "phantom"
    if len(real) < ROUND:
        raise ZooError(f"{attached.title} images: a round takes {ROUND}, the dataset's test split has {len(real)}")
    game = Round(model, reference, mode, real, synthetic_images(pipe, model, tell), pipe.config.get("pixel_spacing_mm"))
    if earlier is not None:
        game.reader = earlier.reader
        if (earlier.model, earlier.mode) == (model, mode):
            game.answers = list(earlier.answers)
    return game


def synthetic_images(pipe, model: str, tell=lambda news: None) -> list[np.ndarray]:
    """`ROUND` images of a seed that nobody knows, in 8 bits as the real ones; uint8 `(height, width, channels)`."""
    request = default_request(pipe, model, [None] * len(fields(pipe)), ROUND, secrets.randbelow(2**32))
    settings = dict(request.settings)
    if works_in_steps(pipe):
        total = request.settings["num_inference_steps"]
        settings |= after_each_step(lambda step, tensors: tell((step + 1, total)))
    generators = sample_generators(request.seed, range(ROUND))
    images = pipe(ROUND, generator=generators, output_type="np", **settings).images
    return list(to_uint8(images))


def deal(game: Round, rng: random.Random | None = None) -> Round:
    """Shows the next image, or pair, and forgets the last one; none after the last of the round."""
    rng = rng or random.SystemRandom()
    game.shown = []
    if not game.left:
        return game
    game.left -= 1
    game.truth = rng.choice(CHOICES[game.mode])
    if game.mode == SINGLE:
        game.shown = [(game.real if game.truth == "real" else game.synthetic).pop()]
    else:
        game.shown = [game.real.pop(), game.synthetic.pop()][:: 1 if game.truth == "left" else -1]
    game.since = time.monotonic()
    return game


def answer(game: Round, choice: str) -> dict:
    """Takes an answer to what is shown.

    Returns:
        `dict`: A row for `Answers`.

    Raises:
        ZooError: If nothing is shown, or the choice is none.
    """
    if not game.shown:
        raise ZooError("answer: expected one to each picture; start a round first")
    if choice not in CHOICES[game.mode]:
        raise ZooError(f"answer: expected {' or '.join(CHOICES[game.mode])}")
    game.answers.append(choice == game.truth)
    row = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "reader": game.reader,
        "model": game.model,
        "reference": game.reference,
        "mode": game.mode,
        "number": len(game.answers),
        "truth": game.truth,
        "answer": choice,
        "correct": int(game.answers[-1]),
        "seconds": round(time.monotonic() - game.since, 2),
    }
    game.shown = []
    return row


def accuracy(answers: list[bool]) -> str:
    """The share of right answers and its 95 % interval (Wilson's), in words."""
    if not answers:
        return "No answers yet. Guessing would be right half of the time."
    found = share_figure(torch.tensor(answers), range(len(answers)))
    verdict = "which guessing explains" if found["low"] <= 0.5 <= found["high"] else "which guessing hardly explains"
    return (
        f"**{sum(answers)} of {len(answers)} right: {found['value']:.0%}** "
        f"(95 % interval {found['low']:.0%} to {found['high']:.0%}, {verdict})"
    )


class Answers:
    """The CSV file that answers go to.

    Args:
        path (`Path`): The file; made with its header when the first answer comes.
        repo_id (`str`, *optional*): A private dataset repo on the Hub that it is uploaded to every few minutes.
        api (`HfApi`, *optional*): The Hub's client; that of the environment otherwise.
    """

    def __init__(self, path: Path, repo_id: str | None = None, api=None):
        self.path = path
        self._lock = threading.Lock()
        self.uploads = None
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
