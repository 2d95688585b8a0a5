"""What all events share: a queue for those that sample, a GPU where one is lent, errors in a line, news on the way."""

import functools
import inspect
import queue
import threading
from collections.abc import Callable, Generator

import gradio as gr

from zoo.errors import ZooError

try:
    from spaces import GPU as on_gpu  # ZeroGPU lends one to a function that is decorated, while it runs
except ImportError:

    def on_gpu(function):
        return function


# A pipeline's scheduler has a state, and the machine few cores: events that sample share one queue, one at a time
SAMPLING = {"concurrency_id": "sampling", "concurrency_limit": 1}


def plain_errors(function):
    """A function of an event, or a generator of one, whose `ZooError` is shown to the visitor in its one line."""

    @functools.wraps(function)
    def run(*args):
        try:
            return function(*args)
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    @functools.wraps(function)
    def generate(*args):
        try:
            yield from function(*args)
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return generate if inspect.isgeneratorfunction(function) else run


def sampling(function):
    """A function of an event that runs a network: on the GPU where one is lent, its errors in a line."""
    return on_gpu(plain_errors(function))


class Stopped(Exception):
    """The visitor has left: the work is given up."""


def with_news(work: Callable[[Callable], object], show: Callable) -> Generator:
    """Runs `work(tell)` in a thread, yields `show(news)` of what it tells, and returns its result.

    Args:
        work (callable): Takes a function of one argument, which raises `Stopped` once the generator is closed. News
            that nobody has waited for are replaced by later ones.
        show (callable): Turns news into what is yielded.
    """
    news, stop, end = queue.Queue(1), threading.Event(), object()
    outcome = {}

    def put(item) -> None:
        """Replaces what nobody has taken yet; only this thread puts."""
        try:
            news.get_nowait()
        except queue.Empty:
            pass
        news.put(item)

    def tell(item) -> None:
        if stop.is_set():
            raise Stopped
        put(item)

    def run() -> None:
        try:
            outcome["result"] = work(tell)
        except BaseException as error:  # raised again where it can be seen
            outcome["error"] = error
        put(end)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (item := news.get()) is not end:
            yield show(item)
    finally:
        stop.set()
        thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
