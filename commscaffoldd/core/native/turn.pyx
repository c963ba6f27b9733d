"""Turns, and the business threads' loop, on the native path. See `turn.TurnRunner` and `pool_loop.PoolLoop`.

All of it runs with the GIL, but what handlers do.

What runs now is written down for the watchdog with one store before the handler and one after it. Whether its reply or the
watchdog's is sent is one decision, because each of the two looks and acts in one step: see `running.Running`.
"""

import threading

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_SetSlice

from commscaffoldd.core.native.clock cimport seconds
from commscaffoldd.core.native.header cimport Header
from commscaffoldd.core.native.request cimport INLINE, POOL, mode_of
from commscaffoldd.core.native.slot cimport DRAINING
from commscaffoldd.core.turn import MESSAGES
from commscaffoldd.core.turn import Outcome as PythonOutcome

cdef Py_ssize_t TURN = MESSAGES
cdef double QUICK = 0.0002  # seconds; a handler that takes longer is slow
cdef Py_ssize_t WRITE_AT = 64  # connections that a business thread writes to at once
cdef int SLOW = 16  # so many quick runs make a slow handler a quick one again
cdef tuple OUTCOMES = (
    PythonOutcome.DONE, PythonOutcome.MORE, PythonOutcome.ELSEWHERE, PythonOutcome.PARKED, PythonOutcome.DEFERRED
)


cdef class Turns:
    """Runs turns on one thread, and is what the watchdog looks at: see `running.Watched`."""

    def __cinit__(self, *_):
        self.thread = threading.get_ident()

    @property
    def work(self):
        """See `Watched.work`."""
        return <object> self._work if self._work != NULL else None

    def give_up(self, work):
        """See `Watched.give_up`."""
        if self._work != <PyObject*> work:
            return False
        self._overdue = True
        return True

    def run(self, NativeSlot slot not None):
        """See `TurnRunner.run`."""
        outcome = OUTCOMES[<int> self.take_turn(slot)]
        return self.done, outcome

    cdef Outcome take_turn(self, NativeSlot slot) except *:
        cdef list pending = slot.pending  # one list for the slot's life
        cdef Outcome outcome = MORE
        cdef Py_ssize_t done = 0, measured = 0
        cdef double began = 0.0
        cdef object work
        cdef NativeRequest request = None
        cdef bint suspends
        if self._here == POOL:
            began = seconds()
        while done < TURN and done < PyList_GET_SIZE(pending):
            work = <object> PyList_GET_ITEM(pending, done)
            if mode_of(work) != self._here or (slot._leaving and type(work) is NativeRequest):
                outcome = ELSEWHERE
                break
            if slot.unsent > self._send_buffer and type(work) is NativeRequest:
                outcome = PARKED
                break
            done += 1
            if type(work) is NativeRequest:
                request = <NativeRequest> work
                if request.way.slowness and self._here == POOL:
                    measured += 1
                    began += self._handle_measured(slot, request)
                    suspends = request.deferred is not None and request.deferred.holds
                else:
                    suspends = self._call(slot, request)
                if suspends:
                    outcome = DEFERRED
                    break
            else:
                measured += 1
                self.begin_slow()
                self._call_hooks(work)
                self.end_slow()
        if self._here == POOL and done > measured and seconds() - began > QUICK * done:
            self._suspect(pending, done)
        PyList_SetSlice(pending, 0, done, <object> NULL)
        self.done = done
        # Parking and suspending give the right away: from then on another thread may be at `pending`, so they come last.
        if outcome == DEFERRED:
            self.done -= 1
            request.deferred.suspend()
            return outcome
        if outcome == PARKED and not slot.park(slot, self._send_buffer):
            outcome = MORE
        if outcome == MORE and not PyList_GET_SIZE(pending):
            outcome = DONE
        return outcome

    cdef int handle(self, NativeSlot slot, NativeRequest request) except -1:
        """Run one request's handler and queue its reply; nothing if a plugin has closed the connection."""
        if request.way.slowness:
            self._handle_measured(slot, request)
        else:
            self._call(slot, request)
        return 0

    cdef double _handle_measured(self, NativeSlot slot, NativeRequest request) except -1.0:
        """As `_call`, for a handler that is not known to be quick; gives the seconds that it took."""
        cdef double began
        self.begin_slow()
        began = seconds()
        try:
            self._call(slot, request)
        finally:
            began = seconds() - began
            self.end_slow()
        if began > QUICK:
            request.way.slowness = SLOW
        elif request.way.slowness:
            request.way.slowness -= 1
        return began

    cdef int _suspect(self, list pending, Py_ssize_t done) except -1:
        """Among these was one that took long: each is measured again."""
        cdef Py_ssize_t index
        for index in range(done):
            work = pending[index]
            if type(work) is NativeRequest:
                (<NativeRequest> work).way.slowness = SLOW
        return 0

    cdef int _call(self, NativeSlot slot, NativeRequest request) except -1:
        """Run one request's handler and queue its reply. Gives 1 if it is to be suspended: the answer comes later."""
        cdef Header header
        cdef int64_t size
        if slot._closing_generation == request.generation:
            return 0
        header = slot.header  # that of the slot's connection now: if it is another one, the reply is late
        self._work = <PyObject*> request  # alive as long as this runs
        try:
            result = request.way.function(request)
        except BaseException as error:  # a handler must not end a thread of ours
            self._work = NULL
            request.returned = True
            if self._overdue:
                self._overdue = False
                self._runner.fail_late(request, self._counters, error)
                return 0
            return self._finish(slot, request, self._runner.fail(request, slot.endpoint, self._counters, error))
        self._work = NULL
        request.returned = True  # and all looks at `deferred` come after it, before another thread can run
        if self._overdue:
            self._overdue = False
            self._runner.finish_late(request, self._counters, result)
            return 0
        if request.deferred is not None:
            if result is None or result is request.deferred:
                return 1
            reply = self._runner.defer(request, request.deferred, slot.endpoint, self._counters, result)
            self._finish(slot, request, reply)
            return request.deferred.holds
        if result is None:
            if request.way.troubled:
                self._runner.succeed(request)
            return 0
        if type(result) is bytes:
            size = PyBytes_GET_SIZE(result)
            if header.min_sent <= size <= header.max_sent and request.id <= header.max_id:
                if request.way.troubled:
                    self._runner.succeed(request)
                return self._queue(slot, request.generation, request.id, request.sequence, result)
        return self._finish(slot, request, self._runner.finish(request, slot.endpoint, self._counters, result))

    cdef int _call_hooks(self, object call) except -1:
        self._work = <PyObject*> call
        call.route.function(call)
        self._work = NULL
        self._overdue = False  # there is nothing to drop
        return 0

    cdef int _finish(self, NativeSlot slot, NativeRequest request, object reply) except -1:
        if reply is None:
            return 0
        message_id, sequence, body = reply
        return self._queue(slot, request.generation, message_id, sequence, body)

    cdef int _queue(
        self, NativeSlot slot, int64_t generation, uint64_t message_id, uint64_t sequence, object body
    ) except -1:
        if slot.put(generation, message_id, sequence, body):
            self.flush_soon(slot)
        else:
            self._counters.late_replies += 1
        return 0

    cdef int flush_soon(self, NativeSlot slot) except -1:
        raise NotImplementedError

    cdef int begin_slow(self) except -1:
        return 0

    cdef int end_slow(self) except -1:
        return 0


@cython.final
cdef class PoolTurns(Turns):
    """Turns of pooled handlers on a business thread."""

    def __cinit__(self, runner, counters, int64_t send_buffer, SendQueue send_queue not None, ReadyQueue ready not None):
        """See `TurnRunner`."""
        self._here = POOL
        self._runner = runner
        self._counters = counters
        self._send_buffer = send_buffer
        self._send_queue = send_queue
        self._ready = ready

    cdef int flush_soon(self, NativeSlot slot) except -1:
        if self._ready._slow:
            return self._send_queue.append_quietly(slot)  # `Loop` writes it
        return self._send_queue.append(slot)

    cdef int begin_slow(self) except -1:
        self._send_queue.wake()  # what waits there does not wait for this
        return self._ready.begin_slow()

    cdef int end_slow(self) except -1:
        return self._ready.end_slow()


@cython.final
cdef class InlineTurns(Turns):
    """Turns of inline handlers on the reactor's thread, which writes all replies of a batch at its end."""

    def __cinit__(self, runner, counters, int64_t send_buffer):
        """See `TurnRunner`."""
        self._here = INLINE
        self._runner = runner
        self._counters = counters
        self._send_buffer = send_buffer
        self.written = []

    cdef int flush_soon(self, NativeSlot slot) except -1:
        if not slot.written:
            slot.written = True
            self.written.append(slot)
        return 0


cdef class Loop:
    """One business thread's work; see `pool_loop.PoolLoop`."""

    def __cinit__(
        self, ReadyQueue ready not None, Backlog backlog not None, engine, PoolTurns turns not None, hand_back
    ):
        """See `PoolLoop`."""
        self._ready = ready
        self._backlog = backlog
        self._engine = engine
        self._turns = turns
        self._hand_back = hand_back

    def run(self):
        """Work until told to end. The business thread."""
        cdef Backlog backlog = self._backlog
        cdef SendQueue send_queue = self._turns._send_queue
        cdef object work
        self._turns.thread = threading.get_ident()
        self._ready.join()
        while True:
            work = self._ready.take()
            if work is None:
                break
            if type(work) is NativeSlot:
                self._run_turn(<NativeSlot> work)
            else:
                self._run_concurrent(<tuple> work)
            if send_queue._slots:
                if not self._ready._slow:  # any more: it may have been when they were put
                    send_queue.wake()
                elif self._ready._count == 0 or PyList_GET_SIZE(send_queue._slots) >= WRITE_AT:
                    # Beside a handler that computes, each thread that needs the GIL waits for a switch interval, the
                    # sender too. This one has it: what its turns have brought leaves with one release of it.
                    self._engine.write(send_queue.take(), self._turns._counters)
            if backlog.full and backlog.excess <= 0:
                self._engine.wake()
        send_queue.wake()
        self._ready.leave()

    cdef int _run_turn(self, NativeSlot slot) except -1:
        cdef Outcome outcome = self._turns.take_turn(slot)
        self._backlog.out_count += self._turns.done
        if slot._paused:
            self._engine.resume_if_few(slot)
        if outcome == MORE:
            self._ready.append(slot)
        elif outcome == ELSEWHERE:
            self._hand_back(slot)
        elif outcome == DONE:
            if not slot.disown_if_done():
                self._ready.append(slot)
            elif slot._state == DRAINING:
                self._engine.check_drained(slot)
        return 0

    cdef int _run_concurrent(self, tuple work) except -1:
        cdef NativeSlot slot = work[0]
        cdef NativeRequest request = work[1]
        if slot.unsent > self._turns._send_buffer and slot.park(work, self._turns._send_buffer):
            return 0
        self._turns.handle(slot, request)
        if request.deferred is not None and request.deferred.holds:
            request.deferred.suspend()
            return 0
        self._backlog.out_count += 1
        slot.running_concurrent -= 1
        if slot._paused:
            self._engine.resume_if_few(slot)
        if slot._state == DRAINING:
            self._engine.check_drained(slot)
        return 0
