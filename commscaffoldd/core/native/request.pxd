from libc.stdint cimport int64_t, uint64_t

cdef enum Mode:  # as route.Mode
    POOL = 0
    CONCURRENT
    INLINE


cdef class Way:
    cdef readonly object route
    cdef public object function  # the quarantine may put another one here
    cdef public bint troubled  # the quarantine wants to hear of successes
    cdef Mode mode
    cdef int slowness  # 0: its handler is known to be quick; see turn.pyx


cdef class NativeRequest:
    cdef readonly object connection
    cdef readonly uint64_t id
    cdef readonly uint64_t sequence
    cdef readonly bytes body
    cdef readonly object deferred
    cdef readonly bint returned
    cdef public bint given_up
    cdef Way way
    cdef int64_t generation


cdef NativeRequest make_request(
    object connection, int64_t generation, uint64_t message_id, uint64_t sequence, bytes body, Way way
)
cdef Mode mode_of(object work) except *
