from commscaffoldd.core.native.gate cimport Gate
from commscaffoldd.core.native.posix cimport sem_t
from commscaffoldd.core.native.slot cimport NativeSlot
from commscaffoldd.core.native.writer cimport Writer


cdef class SendQueue:
    # With the GIL, all of it.
    cdef readonly Writer writer
    cdef list _slots
    cdef bint _closed
    cdef bint _sleeping  # the sender waits for `_wake`
    cdef sem_t _wake
    cdef bint _awaited  # the reactor waits at `_sent`
    cdef Gate _sent

    cdef int append(self, NativeSlot slot) except -1
    cdef int append_quietly(self, NativeSlot slot) except -1
    cdef void wake(self) noexcept
    cpdef list take(self)
    cdef Py_ssize_t under_way(self) noexcept
    cdef void await_sent(self) noexcept
