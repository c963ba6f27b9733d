from libc.stdint cimport uint8_t

from commscaffoldd.core.native.header cimport Shape

cdef enum:
    HEAD = 3  # bytes of an input in front of its split points
    MOST_SPLITS = 16
    MOST_LAYOUTS = 64

cdef bint choose_shape(const uint8_t* data, size_t size, Shape* shape) noexcept nogil
cdef size_t stream_at(const uint8_t* data, size_t size) noexcept nogil
cdef int execute(const uint8_t* data, size_t size) noexcept nogil
