from libc.stdint cimport int64_t, uint64_t

from commscaffoldd.core.native.queues cimport Backlog, ReadyQueue
from commscaffoldd.core.native.request cimport Way
from commscaffoldd.core.native.sending cimport SendQueue
from commscaffoldd.core.native.slot cimport NativeSlot
from commscaffoldd.core.native.turn cimport InlineTurns
from commscaffoldd.core.native.wire cimport Arrival, Wire

cdef enum Entered:  # what became of a message
    WAITING  # among the slot's pending ones
    ASIDE  # answered at once, or concurrent
    CLOSED  # its connection has been closed for it

cdef struct Entry:
    uint64_t message_id
    void* way  # borrowed from Ways; NULL: free


cdef class Ways:
    cdef list _all
    cdef Entry* _entries
    cdef uint64_t _mask

    cdef Way find(self, uint64_t message_id)


cdef class Dispatcher:
    cdef object _engine
    cdef Wire _wire
    cdef SendQueue _send_queue
    cdef ReadyQueue _ready
    cdef Backlog _backlog
    cdef Ways _ways
    cdef object _unrouted
    cdef object _runner
    cdef object _deferrals
    cdef object _settled  # its `done`: looked at in each turn
    cdef InlineTurns _inline
    cdef object _handed_back
    cdef bint _crowded
    cdef double _flood_rate  # messages a second; 0: no limit
    cdef double _flood_burst
    cdef readonly object counters
    cdef readonly list held

    cdef int _take(self, Arrival* arrival, double now) except -1
    cdef Entered _enter(
        self, NativeSlot slot, object connection, int64_t generation, uint64_t message_id, uint64_t sequence, bytes body
    ) except *
    cdef int _begin(self, NativeSlot slot, Py_ssize_t added) except -1
    cdef int _complete(self, deferred) except -1
    cdef int _write(self) except -1
    cdef int _go_on(self, NativeSlot slot) except -1
