"""One job at a time: who waits, for how long, and how each is stopped."""

import asyncio
import contextvars
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np

from zoo.errors import ZooError

MOST_WAITING = 200  # the next one is told to come back
POLL = 0.1  # seconds between two looks at a job
BROKEN = "Something broke here, not with you. It has been written to the log; please try again."


class Stopped(Exception):
    """The work is no longer wanted."""


@dataclass(frozen=True)
class News:
    """How far a job is.

    Args:
        words (`str`): In words.
        done, total (`int`): Of whatever it counts; 0 of 0 where it cannot be told.
        picture (`np.ndarray`, *optional*): What there is to see by now, uint8.
        spacing_mm (`float`, *optional*): Side of its pixels.
        html (`str`): What there is to see by now, of what is more than a picture.
        may_pause (`bool`): Whether nothing runs until the next news is asked for, so that others may go first.
    """

    words: str
    done: int = 0
    total: int = 0
    picture: np.ndarray | None = None
    spacing_mm: float | None = None
    html: str = ""
    may_pause: bool = False


@dataclass(eq=False)
class Job:
    """What somebody has asked for.

    Args:
        work (callable): Returns an iterator over `News`, and the result last.
        seconds (`float`, *optional*): What it will take, as far as is known.
        state (`str`): `"waiting"`, `"running"`, or its end: `"done"`, `"failed"`, `"stopped"` or `"superseded"`.
    """

    work: Callable[[], Iterator]
    seconds: float | None
    state: str = "waiting"
    news: News | None = None
    result: object = None
    error: Exception | None = None
    since: float = 0.0
    ending: str = ""  # as what it is to stop
    turn: threading.Event = field(default_factory=threading.Event)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in ("waiting", "running")

    @property
    def remaining(self) -> float | None:
        """Seconds that it will still take, if that is known."""
        if self.state == "running" and self.news and 0 < self.news.done <= self.news.total:
            return (time.monotonic() - self.since) * (self.news.total / self.news.done - 1)
        if self.state == "running" and self.seconds is not None:
            return max(0.0, self.seconds - (time.monotonic() - self.since))
        return self.seconds

    def outcome(self):
        """Its result.

        Raises:
            ZooError: What it has failed with; in general words if that is nothing the visitor could mend.
            Stopped: If it was stopped.
        """
        if isinstance(self.error, ZooError):
            raise self.error
        if self.error is not None:
            raise ZooError(BROKEN) from self.error
        if self.state != "done":
            raise Stopped
        return self.result


class Jobs:
    """A queue. A pipeline's scheduler has a state, and the machine few cores: jobs run one at a time."""

    def __init__(self):
        self._lock = threading.RLock()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._latest: dict[Hashable, Job] = {}

    def submit(self, work: Callable[[], Iterator], seconds: float | None = None, visitor: Hashable = None) -> Job:
        """Puts work at the end of the queue.

        Args:
            work (callable): As of a `Job`.
            seconds (`float`, *optional*): What it will take.
            visitor (hashable, *optional*): Whose it is; what the same one has asked for before is given up.

        Raises:
            ZooError: If the queue is full.
        """
        job = Job(work, seconds)
        with self._lock:
            if visitor is not None:
                self.stop(visitor, "superseded")
                self._latest[visitor] = job
            if len(self._waiting) >= MOST_WAITING:
                raise ZooError(f"{MOST_WAITING} visitors are waiting already; please come back in a few minutes")
            self._waiting.append(job)
            self._next()
        return job

    def stop(self, whose, state: str = "stopped") -> None:
        """Stops a job, or what a visitor has asked for last; does nothing if that is over."""
        with self._lock:
            job = whose if isinstance(whose, Job) else self._latest.pop(whose, None)
            if job is None or job.over:
                return
            job.ending = state
            if job in self._waiting and job.thread is None:
                self._waiting.remove(job)
                job.state = state
            else:
                job.turn.set()

    def ahead(self, job: Job) -> int:
        """How many jobs come before one that waits; 0 if it runs."""
        with self._lock:
            return self._waiting.index(job) + (self._running is not None) if job in self._waiting else 0

    def wait(self, job: Job) -> float | None:
        """Seconds until a job's turn, if that is known."""
        with self._lock:
            if job not in self._waiting:
                return 0.0
            before = [self._running] if self._running else []
            before += list(self._waiting)[: self._waiting.index(job)]
            known = [each.remaining for each in before]
            return None if None in known else sum(known)

    async def follow(self, job: Job):
        """Yields each time there is something new of a job, until it is over; one that nobody follows is stopped."""
        last = None
        try:
            while not job.over:
                seconds = self.wait(job)
                now = self.ahead(job), job.state, job.news, seconds and round(seconds / 5)
                if now != last:
                    last = now
                    yield job
                await asyncio.sleep(POLL)
        finally:
            self.stop(job)

    def _next(self) -> None:
        """Lets the first in the queue run, if nothing does."""
        with self._lock:
            if self._running is not None or not self._waiting:
                return
            self._running = job = self._waiting.popleft()
            job.state = "running"
            if job.thread is None:
                job.since = time.monotonic()
                job.thread = threading.Thread(target=job.context.run, args=(self._run, job), daemon=True)
                job.thread.start()
            else:
                job.turn.set()

    def _run(self, job: Job) -> None:
        items, state = None, "done"
        try:
            items = iter(job.work())
            for item in items:
                if job.ending:
                    break
                if isinstance(item, News):
                    job.news = item
                    if item.may_pause:
                        self._give_way(job)
                        if job.ending:
                            break
                else:
                    job.result = item
        except Stopped:
            job.ending = job.ending or "stopped"
        except Exception as error:
            job.error, state = error, "failed"
            if not isinstance(error, ZooError):
                traceback.print_exception(error)
        finally:
            if hasattr(items, "close"):
                items.close()
            with self._lock:
                if self._running is job:
                    self._running = None
                if job in self._waiting:  # stopped while others went first
                    self._waiting.remove(job)
                job.state = job.ending or state
                self._next()

    def _give_way(self, job: Job) -> None:
        """Goes to the end of the queue, if anybody waits, and comes back when it is its turn again."""
        with self._lock:
            if not self._waiting:
                return
            job.turn.clear()
            job.state = "waiting"
            self._waiting.append(job)
            self._running = None
            self._next()
        job.turn.wait()
