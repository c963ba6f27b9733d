from libc.stdint cimport uint8_t

from commscaffoldd.core.native.flight cimport Flight
from commscaffoldd.core.native.wire cimport Totals, Wire


cdef class Writer:
    cdef Wire _wire
    cdef object _landed
    cdef uint8_t* _scratch
    cdef Flight* _flights
    cdef Py_ssize_t _flying
    cdef Py_ssize_t _capacity

    cpdef list launch(self, list slots)
    cpdef fly(self)
    cpdef list land(self, counters)
    cdef int _reserve(self, Py_ssize_t flights) except -1
