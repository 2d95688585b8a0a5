"""The reader study: is this heart real or synthetic, which of two is better, how good is it?"""

import secrets
from html import escape

import gradio as gr

import pictures
from asking import MAX_SEED
from attached import Attached
from catalogue import Catalogue
from jobs import Jobs, News
from panel import Panel, Task
from rounds import CHOICES, MODELS, PAIRS, ROUND, SCORE, SINGLE, Answers, Round, accuracy, make_items
from sampling import default_request, sample
from widgets import Select, models, options
from zoo.errors import ZooError

HELP = """
Nothing but the pixels tells. Answer with the buttons or with the keys ← and → (1 to 5 for a score); Enter goes on.
Answers are kept without your name.
"""
QUESTIONS = {
    SINGLE: "Is this heart real or synthetic?",
    PAIRS: "Which of the two is real?",
    MODELS: "Which of the two looks more like a real heart?",
    SCORE: "How good is this heart? 1: no heart at all, 5: could be a patient's.",
}
# Buttons live from the moment the pictures are painted, and until the first answer
SCRIPT = """
let painted = 0;
const buttons = () => [...element.querySelectorAll('button[data-token]')];
const ready = async () => {
  await Promise.all([...element.querySelectorAll('img')].map(image => image.decode().catch(() => null)));
  requestAnimationFrame(() => requestAnimationFrame(() => {
    painted = performance.now();
    buttons().forEach(button => { button.disabled = false });
  }));
};
const choose = button => {
  if (!button || button.disabled) return;
  buttons().forEach(one => { one.disabled = true });
  const { token, choice } = button.dataset;
  trigger('answer', { token, choice, seconds: (performance.now() - painted) / 1000 });
};
element.addEventListener('click', event => choose(event.target.closest('button[data-token]')));
document.addEventListener('keydown', event => {
  if (!element.offsetParent || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
  const button = buttons().find(one => one.dataset.key === event.key);
  if (button && !button.contains(event.target)) { event.preventDefault(); choose(button); }
});
watch('value', ready);
"""


def build(catalogue: Catalogue, attached: Attached, jobs: Jobs, answers: Answers) -> None:
    """Adds the content of the sheet."""
    names = catalogue.hearts
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP)
            mode = Select(options(CHOICES), SINGLE, title="Kind of question")
            model = models(catalogue, names)
            other = models(catalogue, names, title="Against", visible=False)
            panel = Panel(jobs, "reader", "Start")
        with gr.Column(scale=5, min_width=300):
            panel.view = gr.HTML("", js_on_load=SCRIPT, elem_classes="result view")

    def ask(mode, model, other, earlier: Round | None) -> Task:
        if mode not in CHOICES:
            raise ZooError(f"mode: expected one of {', '.join(CHOICES)}")
        known = [catalogue.seconds(name, ROUND) for name in ([model, other] if mode == MODELS else [model])]
        return Task(lambda: _open(catalogue, attached, mode, model, other, earlier), sum(filter(None, known)) or None)

    def take(game: Round | None, event: gr.EventData):
        sent = event._data
        if game is None:
            return gr.skip()
        if sent["choice"] == "next":
            game.next(sent["token"])
            return page(game)
        row = game.take(sent["token"], sent["choice"], float(sent["seconds"]))
        if row is None:  # a second click on what is answered
            return gr.skip()
        answers.add(row)
        return page(game)

    panel.on(panel.start.click, ask, [mode, model, other, panel.state], page)
    panel.view.answer(
        take, panel.state, panel.view, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
    )
    mode.input(
        lambda mode: gr.update(visible=mode == MODELS), mode, other, show_progress="hidden", api_visibility="private"
    )


def _open(catalogue: Catalogue, attached: Attached, mode: str, model: str, other: str, earlier: Round | None):
    """Chooses real images and makes synthetic ones; nobody can foresee which."""
    if mode == MODELS and model == other:
        raise ZooError("against: expected another model")
    made = []
    for name in [model, other] if mode == MODELS else [model]:
        request = default_request(catalogue.load(name), name, count=ROUND, seed=secrets.randbelow(MAX_SEED))
        for result in sample(catalogue, request):
            if isinstance(result, News):
                yield result
        made.append(list(result.pictures))
    first, second = made if mode == MODELS else (list(attached.hearts("test").choose(ROUND, None, None)), made[0])
    reference = attached.title if mode != MODELS else ""
    items = make_items(mode, first, second)
    game = Round(model, other if mode == MODELS else "", reference, mode, items, result.spacing_mm)
    if earlier is not None:
        game.reader = earlier.reader
        if (earlier.model, earlier.other, earlier.mode) == (game.model, game.other, mode):
            game.answers = list(earlier.answers)
    yield game


def page(game: Round) -> str:
    """The picture that is to be answered, or the one that was with its truth, or the sheet at the end."""
    item = game.item
    if item is None:
        return _sheet(game)
    names = ("Left", "Right") if len(item.shown) == 2 else ("",)
    figures = [
        pictures.figure(image, game.spacing_mm, name, name or "The picture in question")
        for image, name in zip(item.shown, names, strict=True)
    ]
    number = f"{game.at + 1} of {ROUND}"
    if item.answer:
        words, buttons = _told(game), _button(item.token, "next", "Next", "Enter")
    else:
        keys = ("ArrowLeft", "ArrowRight") if len(CHOICES[game.mode]) == 2 else CHOICES[game.mode]
        words = f"<strong>{QUESTIONS[game.mode]}</strong> ({number})"
        buttons = "".join(
            _button(item.token, choice, choice.capitalize(), key)
            for choice, key in zip(CHOICES[game.mode], keys, strict=True)
        )
    told = f"<p role='status'>{words}</p>"
    return f"<section class='answer reader'>{told}{pictures.gallery(figures, 'large')}<p>{buttons}</p></section>"


def _button(token: str, choice: str, words: str, key: str) -> str:
    return (
        f'<button type="button" class="chip big" disabled data-token="{token}" data-choice="{choice}" '
        f'data-key="{key}">{words}</button> '
    )


def _told(game: Round) -> str:
    """The truth of what was answered."""
    item = game.item
    if game.mode == MODELS:
        chosen = game.model if item.correct else game.other
        return f"You chose <strong>{escape(chosen)}</strong>."
    if game.mode == SCORE:
        return f"You gave it {item.answer}. It is <strong>{item.truth}</strong>."
    verdict = "Correct" if item.correct else "Wrong"
    truth = f"it is {item.truth}" if game.mode == SINGLE else f"the real one is on the {item.truth}"
    return f"<strong>{verdict}</strong>: {truth}."


def _sheet(game: Round) -> str:
    """All pictures of the round with their truth and what was answered."""
    figures = []
    for number, item in enumerate(game.items, 1):
        truth = item.truth
        if game.mode == MODELS:
            truth = f"{game.model} on the {item.truth}"
        mark = "" if game.mode in (MODELS, SCORE) else "✓ " if item.correct else "✗ "
        for image in item.shown:
            figures.append(pictures.figure(image, None, f"{number}. {mark}{truth}, you: {item.answer}"))
    return (
        f"<section class='answer'><p role='status'><strong>{_score(game)}</strong></p>"
        f"{pictures.gallery(figures)}</section>"
    )


def _score(game: Round) -> str:
    if game.mode == MODELS:
        won = sum(item.correct for item in game.items)
        return escape(f"{game.model} was chosen {won} times, {game.other} {ROUND - won} times.")
    if game.mode == SCORE:
        means = []
        for truth in ("real", "synthetic"):
            given = [int(item.answer) for item in game.items if item.truth == truth]
            means.append(f"{truth} {sum(given) / len(given):.1f}")
        return "Mean score: " + ", ".join(means) + "."
    return accuracy(game.answers)
