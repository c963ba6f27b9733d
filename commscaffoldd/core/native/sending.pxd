from libc.stdint cimport uint8_t

from commscaffoldd.core.native.flight cimport Flight
from commscaffoldd.core.native.posix cimport sem_t
from commscaffoldd.core.native.slot cimport NativeSlot
from commscaffoldd.core.native.wire cimport Totals, Wire


cdef class SendQueue:
    # -- for all, with the GIL
    cdef Wire _wire
    cdef object _engine
    cdef list _slots
    cdef bint _closed
    cdef bint _sleeping  # the sender waits for `_wake`
    cdef sem_t _wake
    # -- the sender's
    cdef uint8_t* _scratch
    cdef Flight* _flights
    cdef Py_ssize_t _flying
    cdef Py_ssize_t _capacity
    cdef Totals _totals

    cdef int append(self, NativeSlot slot) except -1
    cdef int append_quietly(self, NativeSlot slot) except -1
    cdef void wake(self) noexcept
    cdef list take(self)
    cdef int _reserve(self, Py_ssize_t flights) except -1
