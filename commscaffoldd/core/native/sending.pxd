from libc.stdint cimport uint8_t

from commscaffoldd.core.native.flight cimport Flight
from commscaffoldd.core.native.posix cimport pthread_mutex_t, sem_t
from commscaffoldd.core.native.slot cimport NativeSlot
from commscaffoldd.core.native.wire cimport Totals, Wire


cdef class SendQueue:
    cdef Wire _wire
    cdef object _engine
    cdef uint8_t* _scratch  # the sender's
    # -- with the GIL
    cdef list _slots
    cdef Flight* _spare
    cdef Totals _totals
    # -- guarded by the gate
    cdef pthread_mutex_t _gate
    cdef Flight* _first
    cdef Flight* _last
    cdef Flight* _flown
    cdef bint _sleeping
    cdef bint _closed
    cdef sem_t _wake

    cdef int append(self, NativeSlot slot) except -1
    cdef int launch(self) except -1
    cdef int land(self) except -1
    cdef bint _await_flight(self, Flight* flight) noexcept
    cdef void _send_off(self, Flight* first, Flight* last) noexcept
    cdef Flight* _make_flight(self) except NULL
    cdef bint _fly(self) noexcept nogil
    cdef bint _take_all(self, Flight** chain) noexcept nogil
