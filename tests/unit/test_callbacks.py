"""Callbacks are owed until they are settled, across restarts, and retried as their source retries."""

from __future__ import annotations

import threading

import pytest

from localcloud.callbacks import CallbackQueue, NewCallback
from localcloud.clock import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(tmp_path, clock):
    opened = CallbackQueue(tmp_path / "callbacks.sqlite3", clock)
    yield opened
    opened.close()


def owe(queue, *, source="ses", due_at=0.0, message_id="m", event="delivered"):
    body = b'{"event": "delivered"}'
    fields = {"content_type": "application/json", "message_id": message_id, "recipient": "a@example.com"}
    return queue.enqueue(source=source, due_at=due_at, body=body, event=event, **fields)


def test_due_ones_come_in_order_of_time_then_of_queueing(queue):
    third, first, second = owe(queue, due_at=5), owe(queue, due_at=1), owe(queue, due_at=1)
    owe(queue, due_at=100)
    assert [callback.id for callback in queue.due(now=10)] == [first, second, third]
    assert [callback.id for callback in queue.due(now=10, limit=1)] == [first]
    assert queue.pending() == 4


def test_what_is_not_due_by_the_clock_waits(queue, clock):
    owe(queue, due_at=clock.now() + 60)
    assert queue.due() == []
    clock.advance(61)
    assert len(queue.due()) == 1


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (204, "delivered"), (500, "lost"), (None, "lost")])
def test_ses_tries_once(queue, status, state):
    """SES documents no retry: whatever is answered, that was it."""
    owed = owe(queue)
    queue.settle(owed, status=status, answer="x")
    assert (queue.pending(), queue.due()) == (0, [])
    (story,) = queue.history()
    assert story["state"] == state
    assert [(attempt["status"], attempt["answer"]) for attempt in story["attempts"]] == [(status, "x")]


@pytest.mark.parametrize("status", [204, 500, None])
def test_sendcloud_resends_after_1_2_4_8_16_minutes_unless_200(queue, clock, status):
    owed = owe(queue, source="sendcloud", due_at=clock.now())
    for attempt, minutes in enumerate((1, 2, 4, 8, 16), start=1):
        (callback,) = queue.due()
        assert callback.attempt == attempt
        queue.settle(owed, status=status, answer="")
        clock.advance(minutes * 60 - 5)
        assert queue.due() == []
        clock.advance(6)
    (last,) = queue.due()
    assert (last.attempt, last.body) == (6, b'{"event": "delivered"}')
    queue.settle(owed, status=status, answer="")
    clock.advance(86400)
    assert queue.due() == []
    assert queue.history()[0]["state"] == "lost"
    assert len(queue.history()[0]["attempts"]) == 6


def test_retries_count_from_when_the_attempt_was_due(queue, clock):
    """A clock that jumps by a day leaves no attempt undone, and each is told as of its own time."""
    start = clock.now()
    owed = owe(queue, source="sendcloud", due_at=start)
    clock.advance(86400)
    dues = []
    while due := queue.due():
        dues.append(round(due[0].due_at - start))
        queue.settle(owed, status=500, answer="")
    assert dues == [0, 60, 180, 420, 900, 1860]
    (story,) = queue.history()
    assert story["state"] == "lost"
    assert len({one["at"] for one in story["attempts"]}) == 6
    assert story["attempts"][-1]["at"] == story["due_at"]


def test_an_attempt_is_never_of_the_future(queue, clock):
    """What is settled before it was due was made now."""
    queue.settle(owe(queue, source="sendcloud", due_at=clock.now() + 5000), status=500, answer="")
    clock.advance(61)
    assert len(queue.due()) == 1


def test_sendcloud_is_content_with_200(queue):
    queue.settle(owe(queue, source="sendcloud"), status=200, answer="ok")
    assert (queue.pending(), queue.history()[0]["state"]) == (0, "delivered")


def test_settling_twice_or_what_was_never_owed_changes_nothing(queue):
    owed = owe(queue)
    queue.settle(owed, status=200, answer="first")
    queue.settle(owed, status=500, answer="second")
    queue.settle(12345, status=200, answer="?")
    assert [attempt["answer"] for attempt in queue.history()[0]["attempts"]] == ["first"]


def test_history_is_newest_first_and_by_message(queue):
    owe(queue, message_id="a")
    newest = owe(queue, message_id="b")
    assert [story["message_id"] for story in queue.history()] == ["b", "a"]
    assert [story["id"] for story in queue.history("b")] == [newest]
    assert len(queue.history(limit=1)) == 1
    assert queue.history("b")[0]["body"] == '{"event": "delivered"}'
    assert queue.history("b")[0]["due_at"] == "1970-01-01T00:00:00.000Z"


def test_a_killed_process_owes_them_still(queue, tmp_path, clock):
    owed = owe(queue)
    again = CallbackQueue(tmp_path / "callbacks.sqlite3", clock)
    assert [callback.id for callback in again.due()] == [owed]
    again.close()


def test_the_same_origin_is_owed_once(queue):
    """A service that was killed before its own commit queues the same event again."""
    new = NewCallback("ses", 0.0, b"{}", "application/json", "m", "a@example.com", "open", origin="m/1")
    assert queue.enqueue_many([new, new._replace(origin="m/2")]) == 2
    assert queue.enqueue_many([new]) == 0
    assert queue.pending() == 2


def test_reset_forgets_and_never_gives_an_id_twice(queue):
    """Whoever holds an old id must not settle a new callback by it."""
    old = owe(queue)
    queue.reset()
    assert (queue.pending(), queue.history()) == (0, [])
    assert owe(queue) > old


def test_many_threads_may_queue_and_settle(queue):
    def work() -> None:
        for _ in range(50):
            queue.settle(owe(queue), status=200, answer="")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (queue.pending(), len(queue.history(limit=1000))) == (0, 200)
