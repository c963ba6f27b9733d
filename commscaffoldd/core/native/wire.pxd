from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from commscaffoldd.core.native.flight cimport Flight
from commscaffoldd.core.native.frames cimport Frames
from commscaffoldd.core.native.slot cimport NativeSlot

cdef struct Arrival:  # what one read from one connection has brought
    PyObject* slot  # borrowed: slots live as long as the pool
    PyObject* connection  # owned
    int64_t generation
    size_t first  # frame
    size_t count
    uint8_t* owned  # memory that its frames lie in, if not the arena; freed with the arrival
    size_t received  # bytes
    size_t dropped  # frames with a wrong checksum
    bint incomplete  # a frame has begun and is not complete
    bint finished  # a frame, a dropped one perhaps, has been completed

cpdef enum TroubleKind:  # what the engine looks at itself
    ENDED = 0  # the peer has shut its side
    FAILED  # an error of the socket; `first` is errno
    FAULT  # bytes that cannot be; `fault`, `first` and `second` say which
    UNREADY  # something to read, but it must not be read now; `first` is epoll's mask
    WRITABLE  # the socket takes more
    DESCRIPTOR  # not a connection: `first` is the descriptor

cdef struct Trouble:
    TroubleKind kind
    PyObject* slot  # borrowed
    int fault
    uint64_t first
    uint64_t second
    uint8_t head[16]  # the first bytes of what was kept and read, and how many
    size_t head_size


cdef struct Totals:
    uint64_t messages
    uint64_t bytes
    uint64_t sends


cdef class Wire:
    cdef public object tap  # hears of what leaves, see tap.py; None: nobody does
    cdef int _epoll
    cdef int64_t _send_buffer
    cdef Py_ssize_t _per_connection
    cdef uint8_t* _arena
    cdef size_t _arena_used
    cdef int _begin  # the event that the next wait begins with
    cdef Frames frames
    cdef Arrival* arrivals
    cdef size_t arrivals_count
    cdef Trouble* _troubles
    cdef size_t _troubles_count

    cdef void _look(self, void* events, int count, int64_t budget, bint pausing) noexcept nogil
    cdef int64_t _receive(self, NativeSlot slot) noexcept nogil
    cdef Trouble* _trouble(self, TroubleKind kind, NativeSlot slot, uint64_t first) noexcept nogil
    cdef void _forget_arrivals(self)
    cdef int _arm(self, NativeSlot slot) except -1
    cdef bint _must_wait(self, NativeSlot slot) noexcept nogil
    cdef int note_freed(self, NativeSlot slot, list freed) except -1
    cdef int land(self, Flight* flight, Totals* totals, list freed, list failed, list again) except -1
