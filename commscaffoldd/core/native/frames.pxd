# Cutting and encoding frames in C. Nothing here needs the GIL.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from commscaffoldd.core.native.header cimport Shape

cdef struct Frame:
    uint64_t message_id
    uint64_t sequence
    const uint8_t* body  # not owned: valid as long as what it was cut from
    size_t size

cdef struct Frames:  # a growing array
    Frame* items
    size_t count
    size_t capacity

cpdef enum Fault:
    NO_FAULT = 0
    BAD_MAGIC
    BAD_LENGTH
    BAD_CHECKSUM
    NO_MEMORY

cdef struct Cut:  # what came of cutting
    Fault fault
    uint64_t found  # what stands in the header, where there is a fault
    uint64_t expected  # what should
    size_t used  # bytes of whole frames, dropped ones among them
    size_t needed  # bytes that what is left must have before cutting it makes sense
    size_t dropped  # frames left out for a wrong checksum

cdef struct Kept:  # the beginning of a frame, between two reads; all zero for most connections at most times
    uint8_t* data
    size_t size
    size_t capacity
    size_t needed  # see Cut

cdef bint reserve(Frames* frames, size_t more) noexcept nogil
cdef void cut(const Shape* shape, const uint8_t* data, size_t size, Frames* frames, Cut* result) noexcept nogil
cdef bint keep(Kept* kept, const uint8_t* data, size_t size, size_t needed) noexcept nogil
cdef bint make_room(Kept* kept, size_t capacity) noexcept nogil
cdef void drop_kept(Kept* kept) noexcept nogil
cdef size_t encode(
    uint8_t* where, const Shape* shape, uint64_t message_id, uint64_t sequence, const uint8_t* body, size_t size
) noexcept nogil
cdef void encode_header(
    uint8_t* where, const Shape* shape, uint64_t message_id, uint64_t sequence, const uint8_t* body, size_t size
) noexcept nogil
