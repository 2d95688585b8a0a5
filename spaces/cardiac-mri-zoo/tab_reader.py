"""The reader study: is this heart real or synthetic?"""

import gradio as gr

import pictures
from attached import DATASET_VARIABLE, Attached
from catalogue import Catalogue
from events import SAMPLING, plain_errors, sampling, with_news
from reading import CHOICES, PAIRS, SINGLE, Answers, Round, accuracy, answer, deal, open_round
from zoo.errors import ZooError

HELP = """
Look at each picture and say whether it is a {real} heart or one that a model has made up. Nothing but the pixels tells:
neither names nor sizes give it away. Answers are kept without your name, and show whether anyone can tell.
"""
PHANTOM = f"""
**No real images are attached here** (`{DATASET_VARIABLE}`), so drawn hearts of the phantom stand in for them: this is
for trying it out, and says nothing about the models.
"""
QUESTION = {SINGLE: "Is this heart {real} or synthetic?", PAIRS: "Which of the two is {real}?"}
DONE = "That was the last one. Press **Start** for another round."


def build(catalogue: Catalogue, attached: Attached, answers: Answers) -> None:
    """Adds the tab."""
    real = "real" if attached.is_real else "drawn (phantom)"
    with gr.Tab("Real or synthetic?", id="reader"):
        gr.Markdown(HELP.format(real=real) + ("" if attached.is_real else PHANTOM))
        state = gr.State()
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                model = gr.Dropdown(catalogue.names, label="Model")
                mode = gr.Radio(list(CHOICES), value=SINGLE, label="Show")
                start = gr.Button("Start", variant="primary")
                score = gr.Markdown(accuracy([]), elem_classes="score")
            with gr.Column(scale=3):
                question = gr.Markdown()
                shown = gr.HTML(elem_classes="result")
                with gr.Row():
                    first, second = (gr.Button("…", interactive=False, size="lg") for _ in range(2))

    def ask(game: Round, told: str):
        """The page with the next picture; nothing is told of it but its place. After the last there is the score."""
        names = ("Left", "Right") if game.mode == PAIRS else ("",)
        figures = [
            pictures.figure(image, game.spacing_mm, name) for image, name in zip(game.shown, names, strict=False)
        ]
        words = QUESTION[game.mode].format(real=real) + f" ({game.left} more to come)" if game.shown else DONE
        choices = [choice.replace("real", real).capitalize() for choice in CHOICES[game.mode]]
        buttons = [gr.update(value=choice, interactive=bool(game.shown)) for choice in choices]
        return [game, told + words, pictures.gallery(figures, "large"), *buttons, accuracy(game.answers)]

    def wait(news):
        done, total = news
        return [gr.skip(), "", pictures.progress(done, total, "Making images"), *[gr.skip()] * 3]

    @sampling
    def begin(model, mode, earlier):
        """Starts a round: question, picture as HTML, names of the two answers, score so far."""
        pipe = catalogue.load(model)
        game = yield from with_news(lambda tell: open_round(pipe, model, mode, attached, earlier, tell), wait)
        yield ask(deal(game), "")

    def reply(position: int):
        @plain_errors
        def take(game):
            """Takes the first, or the second, of the two answers, and shows the next picture."""
            if game is None:
                raise ZooError("answer: start a round first")
            row = answer(game, CHOICES[game.mode][position])
            answers.add(row)
            return ask(deal(game), _told(row, real))

        return take

    page = [state, question, shown, first, second, score]
    start.click(begin, [model, mode, state], page, show_progress_on=question, api_name="reader_start", **SAMPLING)
    for position, (button, name) in enumerate(((first, "reader_first"), (second, "reader_second"))):
        button.click(reply(position), state, page, api_name=name, show_progress="hidden")


def _told(row: dict, real: str) -> str:
    """Whether the last answer was right."""
    truth = row["truth"].replace("real", real)
    it_was = f"it was {truth}" if row["mode"] == SINGLE else f"the {real} one was on the {truth}"
    return f"**{'Correct' if row['correct'] else 'Wrong'}**: {it_was}. "
