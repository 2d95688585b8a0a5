"""The queue: one at a time, places that are told, stopping, and long jobs that let others go first."""

import asyncio
import threading
import time

import pytest

from zoo.errors import ZooError


@pytest.fixture
def jobs():
    from jobs import Jobs

    return Jobs()


class Work:
    """A job that goes on step by step as the test lets it."""

    def __init__(self, steps: int = 1, may_pause: bool = False, result="done"):
        self.steps, self.may_pause, self.result = steps, may_pause, result
        self.go, self.log = threading.Semaphore(0), []

    def __call__(self):
        from jobs import News

        for step in range(self.steps):
            self.go.acquire()
            self.log.append(step)
            yield News(f"step {step}", step + 1, self.steps, may_pause=self.may_pause)
        yield self.result


def until(true, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_jobs_run_one_at_a_time_and_tell_their_place(jobs):
    from panel import waiting

    works = [Work(), Work(), Work()]
    first, second, third = (jobs.submit(work, 10.0, visitor) for visitor, work in enumerate(works))
    until(lambda: first.state == "running")
    assert [jobs.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    assert "3rd in the queue, about 20 s" in waiting(jobs, third)
    for work in works:
        work.go.release()
    until(lambda: third.over)
    assert [job.outcome() for job in (first, second, third)] == ["done"] * 3


def test_an_unknown_wait_is_not_told(jobs):
    from panel import waiting

    work = Work()
    jobs.submit(work)
    second = jobs.submit(Work())
    assert jobs.wait(second) is None and "2nd in the queue<" in waiting(jobs, second)
    work.go.release()


def test_the_next_request_of_a_visitor_replaces_the_last(jobs):
    from jobs import Stopped

    works = [Work(2), Work(result="new")]
    old = jobs.submit(works[0], None, "me")
    until(lambda: old.state == "running")
    new = jobs.submit(works[1], None, "me")
    works[0].go.release()
    until(lambda: old.over)
    assert old.state == "superseded" and works[0].log == [0]
    works[1].go.release()
    until(lambda: new.over)
    assert new.outcome() == "new"
    with pytest.raises(Stopped):
        old.outcome()


def test_what_waits_is_stopped_at_once(jobs):
    work = Work()
    jobs.submit(work)
    second = jobs.submit(Work(), None, "me")
    jobs.stop("me")
    assert second.state == "stopped" and second.thread is None
    work.go.release()


def test_a_long_job_lets_others_go_first_and_comes_back(jobs):
    long, short = Work(3, may_pause=True), Work(result="short")
    one = jobs.submit(long)
    until(lambda: one.state == "running")
    two = jobs.submit(short)
    long.go.release()
    until(lambda: two.state == "running")
    assert one.state == "waiting" and jobs.ahead(one) == 1
    short.go.release()
    until(lambda: two.over and one.state == "running")
    long.go.release(2)
    until(lambda: one.over)
    assert (one.outcome(), long.log) == ("done", [0, 1, 2])


def test_a_long_job_is_stopped_while_others_go_first(jobs):
    long, short = Work(3, may_pause=True), Work()
    one = jobs.submit(long, None, "me")
    two = jobs.submit(short)
    long.go.release()
    until(lambda: two.state == "running")
    jobs.stop("me")
    until(lambda: one.over)
    assert one.state == "stopped" and long.log == [0] and two.state == "running"
    short.go.release()
    until(lambda: two.over)


def test_faults_are_told_and_stop_nobody_else(jobs, capsys):
    def bad():
        raise ZooError("count: expected a number")
        yield

    def broken():
        raise RuntimeError("/secret/path")
        yield

    first, second, third = jobs.submit(bad), jobs.submit(broken), jobs.submit(lambda: iter(["fine"]))
    until(lambda: third.over)
    with pytest.raises(ZooError, match="count: expected a number"):
        first.outcome()
    with pytest.raises(ZooError, match="Something broke here, not with you") as told:
        second.outcome()
    assert "secret" not in str(told.value) and "secret" in capsys.readouterr().err
    assert third.outcome() == "fine"


def test_a_full_queue_sends_people_away(jobs, monkeypatch):
    import jobs as module

    monkeypatch.setattr(module, "MOST_WAITING", 1)
    work = Work()
    jobs.submit(work)
    jobs.submit(Work())
    with pytest.raises(ZooError, match="1 visitors are waiting already"):
        jobs.submit(Work())
    work.go.release()


def test_a_job_that_nobody_follows_is_stopped(jobs):
    work = Work(2)
    job = jobs.submit(work)

    async def leave():
        follow = jobs.follow(job)
        await anext(follow)
        await follow.aclose()

    asyncio.run(leave())
    work.go.release(2)
    until(lambda: job.over)
    assert job.state == "stopped"


def test_work_with_news_is_given_up_when_it_is_stopped(jobs):
    from events import with_news
    from jobs import News

    seen, go = [], threading.Event()

    def slow(tell):
        for step in range(1000):
            seen.append(step)
            tell(step)
            go.wait(0.01)
        return "end"

    def work():
        result = yield from with_news(slow, lambda step: News(f"{step}"))
        yield result

    job = jobs.submit(work, None, "me")
    until(lambda: seen)
    jobs.stop("me")
    until(lambda: job.over)
    count = len(seen)
    time.sleep(0.1)
    assert len(seen) == count < 1000
