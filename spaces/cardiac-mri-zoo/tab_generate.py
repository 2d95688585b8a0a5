"""The tab where visitors generate images; there are hearts the moment the page opens."""

from dataclasses import dataclass

import gradio as gr

import pictures
from asking import DRAWN, SHOWN, Request, check_number, first_class
from catalogue import Catalogue
from controls import Controls, add_controls
from exports import FORMATS, write_zip
from jobs import Jobs
from panel import Panel, Task, add_download
from results import provenance, result_html
from sampling import Result, sample, stored_result
from widgets import Select, models, options
from zoo.errors import ZooError

ARRIVAL, FIRST = "NOR", 8  # whose hearts are there at first, and how many
WAIT = pictures.progress("Opening")
EARLIER = "Earlier results"
KEPT = 8  # results of a visit that one may come back to
READY = '<p class="quiet">Press <strong>Generate</strong>.</p>'
RUN_LINK = (
    "() => { if (new URLSearchParams(location.search).has('model')) document.getElementById('ask-generate').click() }"
)


@dataclass
class Generate:
    """What other tabs need of this one.

    Args:
        controls (`Controls`): What is asked.
        panel (`Panel`): Where the answer stands.
        measure (`gr.Button`): Hands the answer to the tab that measures.
    """

    controls: Controls
    panel: Panel
    measure: gr.Button


def build(catalogue: Catalogue, jobs: Jobs, page: gr.Blocks) -> Generate:
    """Adds the content of the sheet."""
    names = catalogue.images
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            controls = add_controls(catalogue, names, SHOWN, FIRST, guests=True)
            panel = Panel(jobs, "generate", "Generate")
        with gr.Column(scale=5, min_width=300):
            panel.add_view(WAIT)
            with gr.Column(visible=False, elem_classes="after") as after:
                with gr.Row():
                    for format, words in FORMATS.items():
                        add_download(f"Download {words}", _writer(format), panel.state, size="sm", min_width=90)
                    measure = gr.Button("Measure this", size="sm", min_width=90)
                    card = gr.Button("Card", size="sm", min_width=90)
                same = models(catalogue, names, title="The same in …")
                kept, earlier = gr.State([]), Select(title=EARLIER, visible=False)
            text = gr.Markdown(visible=False, elem_classes="card")

    arrival = stored_result(catalogue, names[0], ARRIVAL, FIRST)

    def read_link(request: gr.Request):
        """The controls as the link says; without one those of the first model."""
        query = dict(request.query_params)
        try:
            asked = Request.from_query(query) if "model" in query else None
            model = asked.model if asked else names[0]
            chosen = controls.choose(model, names) if "/" in model else model
            described = controls.describe(model, asked)
        except ZooError as error:
            skipped = [gr.skip()] * (3 + len(controls.described))
            return [*skipped, pictures.problem(f"This link: {error}"), None, gr.skip()]
        if asked is None:
            known = catalogue.load(model).class_names
            first = next(iter(known.values()), [])
            described[0] |= {"value": ARRIVAL if ARRIVAL in first else DRAWN}
            view = result_html(arrival) if arrival else READY
            return [chosen, *described, 0, FIRST, view, arrival, gr.update(visible=arrival is not None)]
        return [chosen, *described, asked.seed, asked.count, *[gr.skip()] * 3]

    def ask(*values) -> Task:
        request = controls.request(*values)
        check_number("images", request.count, 1, SHOWN)
        return Task(lambda: sample(catalogue, request), catalogue.seconds(request.model, request.count))

    def ask_stored(model, label, *values) -> Task:
        """The stored hearts of a class, at once; where there are none they are made."""
        found = stored_result(catalogue, model, label, FIRST)
        return Task(lambda: [found], at_once=True) if found else ask(model, label, *values)

    def ask_same(other, found: Result | None) -> Task:
        if found is None:
            raise ZooError("the same in another model: generate something first")
        pipe = catalogue.load(other)
        first = next(iter(found.request.classes.values()), "")
        request = found.request.model_copy(
            update={"model": other, "classes": first_class(pipe, first), "steps": None, "guidance": None}
        )
        return Task(lambda: sample(catalogue, request), catalogue.seconds(other, request.count))

    def ask_earlier(query, kept: list[Result]) -> Task:
        found = [one for one in kept if one.request.query == query]
        if not found:
            raise ZooError("earlier results: expected one of this visit")
        return Task(lambda: found, at_once=True)

    def show_card(found: Result | None):
        return gr.update(value=catalogue.card(found.request.model) if found else "", visible=found is not None)

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    extra, shown = [after, text], lambda found: [gr.update(visible=True), gr.update(visible=False)]
    panel.start.elem_id = "ask-generate"
    clicks = [panel.start.click, controls.seed.submit, controls.count.submit]
    for triggers, asks, inputs in (
        (clicks, ask, controls.inputs),
        (controls.labels[0].input, ask_stored, controls.inputs),
        (same.input, ask_same, [same, panel.state]),
        (earlier.input, ask_earlier, [earlier, kept]),
    ):
        answered = panel.on(triggers, asks, inputs, result_html, extra, shown)
        answered.then(keep, [panel.state, kept], [kept, earlier], **quiet)
    card.click(show_card, panel.state, text, **quiet)
    loaded = page.load(
        read_link,
        None,
        [controls.model, *controls.described, controls.seed, controls.count, panel.view, panel.state, after],
        **quiet,
    )
    loaded.then(keep, [panel.state, kept], [kept, earlier], **quiet)
    loaded.then(None, None, None, js=RUN_LINK)
    return Generate(controls, panel, measure)


def keep(found: Result | None, kept: list[Result]) -> tuple:
    """A result joins those of the visit, the last one first; the menu of them is there once there are two."""
    if found is None:
        return gr.skip(), gr.skip()
    kept = [found, *(one for one in kept if one.request != found.request)][:KEPT]
    choices = options((provenance(one), one.request.query) for one in kept)
    return kept, gr.update(choices=choices, value=found.request.query, title=EARLIER, visible=len(kept) > 1)


def _writer(format: str):
    def write(found: Result | None, folder):
        if found is None:
            raise ZooError("download: generate something first")
        return write_zip(found, format, folder)

    return write
