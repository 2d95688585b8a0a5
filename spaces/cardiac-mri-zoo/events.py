"""A GPU where one is lent, and news of work that tells how far it is."""

import queue
import threading
from collections.abc import Callable, Generator

from jobs import Stopped

try:
    from spaces import GPU as on_gpu  # ZeroGPU lends one to a function that is decorated, while it runs
except ImportError:

    def on_gpu(function):
        return function


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
