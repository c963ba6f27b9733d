from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from commscaffoldd.core.native.posix cimport sem_t

cdef struct Waiter:  # a thread that waits for work; on its own stack
    sem_t wake
    Waiter* next


cdef class ReadyQueue:
    cdef PyObject** _items  # a ring; owned references
    cdef size_t _first, _count, _capacity
    cdef Waiter* _idle  # threads that wait, the last one first: its caches are the warmest
    cdef Py_ssize_t _coming  # woken, and not here yet
    cdef Py_ssize_t _slow  # threads whose handler is not known to be quick
    cdef double _busy_interval, _calm_interval
    cdef Py_ssize_t _quick  # threads that are here and look again soon
    cdef int64_t _taken, _taken_at_look
    cdef double _looked  # monotonic seconds, at the last look that saw something taken

    cdef int append(self, object work) except -1
    cdef object take(self)
    cdef void wake_one(self) noexcept
    cdef int join(self) except -1
    cdef void leave(self) noexcept
    cdef int begin_slow(self) except -1
    cdef int end_slow(self) except -1
    cdef void _step_aside(self) noexcept


cdef class Backlog:
    cdef int64_t _limit
    cdef public bint full
    cdef int64_t in_count  # written by the reactor
    cdef int64_t out_count  # written by all, with the GIL: one step
