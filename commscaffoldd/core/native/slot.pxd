from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from commscaffoldd.core.native.frames cimport Kept
from commscaffoldd.core.native.header cimport Header, Shape

cdef enum SlotState:  # as slot.State
    FREE = 0
    OPEN
    DRAINING
    LINGERING
    COOLING
    MOVING

cdef struct Reply:
    PyObject* body  # owned; a bytes object
    uint64_t message_id
    uint64_t sequence

cdef struct Outbox:
    Reply* items
    Py_ssize_t count
    Py_ssize_t capacity

cdef struct Unsent:  # encoded, and not taken by the socket yet
    uint8_t* data
    size_t start
    size_t end


cdef class NativeSlot:
    # -- for all, with the GIL
    cdef readonly Py_ssize_t index
    cdef readonly object outlet
    cdef public int64_t generation
    cdef int _state
    cdef public object connection
    cdef public object endpoint
    cdef readonly list pending
    cdef PyObject* pending_list  # the same, for those without the GIL
    cdef int64_t send_buffer
    cdef list _parked
    cdef public Py_ssize_t running_concurrent
    cdef bint _owned
    cdef public int64_t unsent
    cdef public double over_since
    cdef int64_t _closing_generation
    cdef public int64_t asked_to_end
    cdef Outbox outbox
    cdef public bint dirty  # in the send queue
    cdef bint _leaving
    cdef public int64_t messages_out
    # -- the writer's, from `writing` being set, with the GIL, to the flight's landing
    cdef bint writing
    cdef Unsent left
    cdef bint _blocked
    # -- the reactor's; others may read
    cdef readonly int fd
    cdef uint32_t interest
    cdef bint _paused
    cdef bint written  # in the dispatcher's list
    cdef bint in_frame  # the deadlines know of an incomplete frame
    cdef Kept kept
    cdef Header header
    cdef const Shape* shape  # of `header`
    cdef public double opened_at
    cdef public double last_seen
    cdef public object end_reason
    cdef public object end_detail
    cdef public double tokens
    cdef public double tokens_at
    cdef public int64_t messages_in

    cdef bint put(self, int64_t generation, uint64_t message_id, uint64_t sequence, object body) except -1
    cdef void forget_outbox(self)
    cpdef bint try_own(self) noexcept
    cpdef bint disown_if_done(self) noexcept
    cpdef list take_parked(self)


cdef void free_replies(Reply* items, Py_ssize_t count)


cdef extern from *:
    """
    static inline Py_ssize_t commscaffoldd_list_size(PyObject *list) { return ((PyVarObject *)list)->ob_size; }
    """
    Py_ssize_t list_size "commscaffoldd_list_size"(PyObject* some_list) nogil


cdef inline Py_ssize_t count_waiting(NativeSlot slot) noexcept nogil:
    """How many of its messages wait or run, near enough."""
    return list_size(slot.pending_list) + slot.running_concurrent
