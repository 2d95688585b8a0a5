"""One way of working for all tabs: a request, a job that tells how far it is and can be stopped, a result."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

import pictures
from jobs import Job, Jobs, Stopped
from zoo.errors import ZooError

STOPPED = '<p class="quiet" role="status">Stopped.</p>'
FETCH = (
    "file => { if (!file) return; const link = document.createElement('a'); link.href = file.url; "
    "link.download = file.orig_name; link.click() }"
)


@dataclass(frozen=True)
class Task:
    """Work for the queue.

    Args:
        work (callable): Returns an iterator over `News`, and the result last.
        seconds (`float`, *optional*): What it will take.
        at_once (`bool`): Whether it only looks something up, and need not wait for its turn.
    """

    work: Callable[[], Iterator]
    seconds: float | None = None
    at_once: bool = False


class Panel:
    """Where a tab's answer stands, and what stops it.

    Args:
        jobs (`Jobs`): The queue.
        name (`str`): Of the tab.
        label (`str`): Of the button that asks.
    """

    def __init__(self, jobs: Jobs, name: str, label: str):
        self.jobs, self.name = jobs, name
        with gr.Row(elem_classes="buttons"):
            self.start = gr.Button(label, variant="primary", min_width=120)
            self.stop = gr.Button("Stop", interactive=False, min_width=80, elem_classes="stop")
        self.view = None
        self.state = gr.State()
        self.stop.click(self._stop, None, None, queue=False, show_progress="hidden", api_visibility="private")

    def add_view(self, value: str = "") -> gr.HTML:
        """Adds the place of the answer."""
        self.view = gr.HTML(value, elem_classes="result view")
        return self.view

    def on(self, triggers, ask: Callable, inputs, show: Callable, extra=(), with_result: Callable | None = None):
        """Answers events, in the one way.

        Args:
            triggers: Events, such as `button.click`.
            ask (callable): Turns the inputs into a `Task`; what is wrong with them is told in place of a result.
            inputs: Components.
            show (callable): Turns a result into HTML.
            extra: Further components that a result fills; they are emptied before and where there is none.
            with_result (callable, *optional*): Turns a result into a value for each of them.

        Returns:
            The event, for what follows it.
        """
        nothing = [gr.update(visible=False)] * len(extra)

        async def run(request: gr.Request, *values):
            def page(view, result=None, running=False):
                filled = with_result(result) if result is not None and with_result else nothing
                return [view, gr.update(interactive=running), result, *filled]

            try:
                task = await asyncio.to_thread(ask, *values)
                if task.at_once:
                    self._stop(request)
                    result = await asyncio.to_thread(lambda: list(task.work())[-1])
                    yield page(await asyncio.to_thread(show, result), result)
                    return
                job = self.jobs.submit(task.work, task.seconds, (request.session_hash, self.name))
                async for _ in self.jobs.follow(job):
                    yield page(waiting(self.jobs, job), running=True)
                if job.state == "superseded":
                    yield [gr.skip()] * (3 + len(extra))  # the next one speaks
                    return
                result = job.outcome()
                yield page(await asyncio.to_thread(show, result), result)
            except Stopped:
                yield page(STOPPED)
            except ZooError as error:
                yield page(pictures.problem(str(error)))

        return gr.on(
            triggers,
            run,
            inputs,
            [self.view, self.stop, self.state, *extra],
            preprocess=False,  # values as they were sent: they are checked here
            trigger_mode="multiple",  # the next request of a visitor replaces the last
            concurrency_limit=None,  # the jobs have a queue of their own
            show_progress="hidden",
            api_visibility="private",
        )

    def _stop(self, request: gr.Request) -> None:
        self.jobs.stop((request.session_hash, self.name))


def waiting(jobs: Jobs, job: Job) -> str:
    """A job's place in the queue, or how far it is."""
    ahead = jobs.ahead(job)
    if ahead:
        seconds = jobs.wait(job)
        when = "" if seconds is None else f", about {max(1, round(seconds))} s"
        return pictures.progress(f"{ordinal(ahead + 1)} in the queue{when}")
    news, remaining = job.news, job.remaining
    if news is None:
        return pictures.progress("Starting")
    left = "" if remaining is None or remaining < 3 else f", about {round(remaining)} s left"
    return pictures.progress(news.words + left, news.done, news.total, news.picture, news.spacing_mm) + news.html


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, …"""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def add_download(label: str, make: Callable, inputs, **look) -> gr.Button:
    """A button whose file is made when it is clicked, and is downloaded at once: no link that outlives its file.

    Args:
        label (`str`): Of the button.
        make (callable): Given the inputs and a folder, writes a file there and returns its path.
        inputs: Components.
        look: As of `gr.Button`.
    """
    button = gr.Button(label, **look)
    file = gr.DownloadButton(visible=False)

    def run(*values):
        try:
            with tempfile.TemporaryDirectory() as folder:
                return gr.update(value=file.move_resource_to_block_cache(make(*values, Path(folder))))
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    made = button.click(run, inputs, file, show_progress="hidden", api_visibility="private", concurrency_limit=4)
    made.then(None, file, None, js=FETCH)
    return button
