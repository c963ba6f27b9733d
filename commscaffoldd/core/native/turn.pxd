from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from commscaffoldd.core.native.queues cimport Backlog, ReadyQueue
from commscaffoldd.core.native.request cimport Mode, NativeRequest
from commscaffoldd.core.native.sending cimport SendQueue
from commscaffoldd.core.native.slot cimport NativeSlot

cdef enum Outcome:  # as turn.Outcome
    DONE = 0
    MORE
    ELSEWHERE
    PARKED
    DEFERRED


cdef class Turns:
    cdef Mode _here
    cdef object _runner
    cdef object _counters
    cdef int64_t _send_buffer
    cdef readonly Py_ssize_t done  # messages that the last turn is done with
    cdef PyObject* _work  # what runs now; borrowed, NULL: nothing
    cdef bint _overdue  # it has been given up
    cdef public unsigned long thread

    cdef Outcome take_turn(self, NativeSlot slot) except *
    cdef int handle(self, NativeSlot slot, NativeRequest request) except -1
    cdef double _handle_measured(self, NativeSlot slot, NativeRequest request) except -1.0
    cdef int _suspect(self, list pending, Py_ssize_t done) except -1
    cdef int _call(self, NativeSlot slot, NativeRequest request) except -1
    cdef int _call_hooks(self, object call) except -1
    cdef int _finish(self, NativeSlot slot, NativeRequest request, object reply) except -1
    cdef int _queue(
        self, NativeSlot slot, int64_t generation, uint64_t message_id, uint64_t sequence, object body
    ) except -1
    cdef int flush_soon(self, NativeSlot slot) except -1
    cdef int begin_slow(self) except -1
    cdef int end_slow(self) except -1


cdef class PoolTurns(Turns):
    cdef SendQueue _send_queue
    cdef ReadyQueue _ready


cdef class InlineTurns(Turns):
    cdef list written


cdef class Loop:
    cdef ReadyQueue _ready
    cdef Backlog _backlog
    cdef object _engine
    cdef PoolTurns _turns
    cdef object _hand_back

    cdef int _run_turn(self, NativeSlot slot) except -1
    cdef int _run_concurrent(self, tuple work) except -1
