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

    cdef int append(self, NativeSlot slot) except -1
    cdef int append_quietly(self, NativeSlot slot) except -1
    cdef void wake(self) noexcept
    cpdef list take(self)
