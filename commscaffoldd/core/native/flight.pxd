from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint64_t

from commscaffoldd.core.native.header cimport Shape
from commscaffoldd.core.native.slot cimport NativeSlot, Reply, Unsent

cdef enum:
    SCRATCH_SIZE = 1 << 17  # headers and copied bodies of one connection's batch

cdef struct Flight:  # one connection's batch on its way out; belongs to its writer
    PyObject* slot  # borrowed
    PyObject* header  # owned: whose shape is used
    const Shape* shape
    int64_t generation
    int fd
    Reply* replies
    Py_ssize_t count
    Unsent left
    size_t sent
    size_t sends
    int error
    bint full  # the socket takes no more


cdef bint begin_flight(NativeSlot slot, Flight* flight) noexcept
cdef void fly(Flight* flight, uint8_t* scratch) noexcept nogil
