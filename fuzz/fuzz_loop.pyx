"""The fuzzer: mutates inputs, executes them, and keeps those that reach something new. All of it without the GIL."""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove

from commscaffoldd.core.native.frames cimport encode
from commscaffoldd.core.native.header cimport Place, Shape, read_field, write_field

from fuzz_target cimport HEAD, MOST_SPLITS, choose_shape, execute, stream_at

from fuzz_target import FAILURES

cdef extern void coverage_begin() nogil
cdef extern size_t coverage_news() nogil
cdef extern size_t coverage_edges() nogil

cdef enum:
    MOST_INPUTS = 1 << 16
    MOST_STEPS = 6  # mutations of one input
    MOST_BODY = 300  # of frames that are put in

# Sizes and limits, and their neighbours.
cdef uint64_t[20] INTERESTING = [
    0, 1, 2, 7, 8, 16, 69, 70, 71, 127, 255, 999, 1000, 1048576, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF,
    0x3FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF,
]

cdef struct Input:
    uint8_t* data
    size_t size


cdef class Fuzzer:
    """One run.

    Attributes:
        executions: so far.
        inputs: kept so far, those that were given among them.
    """

    cdef readonly uint64_t executions
    cdef readonly size_t inputs
    cdef Input* _inputs
    cdef Py_buffer _current
    cdef uint8_t* _data  # the input being made, in `_current`
    cdef uint32_t* _size
    cdef size_t _room
    cdef uint64_t _random

    def __cinit__(self, current, uint64_t seed):
        """A fuzzer that makes its inputs in `current`: four bytes for the size, then the input.

        If that is a file's memory, an input that kills the process can be read from it.
        """
        PyObject_GetBuffer(current, &self._current, PyBUF_WRITABLE)
        self._size = <uint32_t*> self._current.buf
        self._data = <uint8_t*> self._current.buf + 4
        self._room = self._current.len - 4
        self._random = seed * 2 + 1
        self._inputs = <Input*> calloc(MOST_INPUTS, sizeof(Input))
        if self._inputs == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef size_t index
        for index in range(self.inputs):
            free(self._inputs[index].data)
        free(self._inputs)
        PyBuffer_Release(&self._current)

    @property
    def edges(self):
        """How many edges of the code under test have been seen."""
        return coverage_edges()

    def add(self, bytes data not None):
        """Execute an input and keep it. Returns what was wrong, or `None`."""
        if not 0 < len(data) <= <Py_ssize_t> self._room:
            raise ValueError(f"an input of {len(data)} bytes; allowed: 1 to {self._room}")
        memcpy(self._data, <const uint8_t*> data, len(data))
        self._size[0] = len(data)
        failure = self._execute()
        self._keep()
        return FAILURES[failure] if failure else None

    def run(self, uint64_t executions):
        """Execute so many mutated inputs. Returns what was wrong with the last one, or `None`."""
        cdef uint64_t index
        cdef int failure = 0
        if not self.inputs:
            raise ValueError("no inputs to begin with")
        with nogil:
            for index in range(executions):
                self._make()
                failure = self._execute()
                if failure:
                    break
                if coverage_news():
                    self._keep()
        return FAILURES[failure] if failure else None

    def input(self, size_t index):
        """One of the inputs that were kept."""
        if index >= self.inputs:
            raise IndexError(index)
        return self._inputs[index].data[: self._inputs[index].size]

    cdef int _execute(self) noexcept nogil:
        self.executions += 1
        coverage_begin()
        return execute(self._data, self._size[0])

    cdef void _keep(self) noexcept nogil:
        cdef Input* kept = &self._inputs[self.inputs]
        if self.inputs == MOST_INPUTS:
            return
        kept.data = <uint8_t*> malloc(self._size[0])
        if kept.data == NULL:
            return
        kept.size = self._size[0]
        memcpy(kept.data, self._data, kept.size)
        self.inputs += 1

    # -- mutation ------------------------------------------------------------------------------------------

    cdef uint64_t _below(self, uint64_t limit) noexcept nogil:
        """A random number (xorshift64*)."""
        cdef uint64_t state = self._random
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        self._random = state
        return ((state * <uint64_t> 0x2545F4914F6CDD1D) >> 16) % limit

    cdef void _make(self) noexcept nogil:
        """A mutation of some input that was kept; short ones more often, for they are executed faster."""
        cdef Input* chosen = &self._inputs[self._below(self.inputs)]
        cdef Input* other
        cdef uint64_t steps = 4
        while steps:
            steps -= 1
            other = &self._inputs[self._below(self.inputs)]
            if other.size < chosen.size and self._below(8):
                chosen = other
        memcpy(self._data, chosen.data, chosen.size)
        self._size[0] = <uint32_t> chosen.size
        steps = 1 + self._below(MOST_STEPS)
        while steps:
            steps -= 1
            self._mutate(self._below(11))

    cdef void _mutate(self, uint64_t kind) noexcept nogil:
        cdef uint8_t* data = self._data
        cdef size_t size = self._size[0], at = self._below(size), length
        if kind == 0:
            data[at] ^= 1 << self._below(8)
        elif kind == 1:
            data[at] = <uint8_t> self._below(256)
        elif kind == 2:
            self._write_number(at)
        elif kind == 3:
            self._remove(at, 1 + self._below(32))
        elif kind == 4:  # what stands elsewhere
            length = min(1 + self._below(64), size - at)
            if self._insert(self._below(size), length):
                memmove(data + self._below(self._size[0] - length), data + at, length)
        elif kind == 5:
            self._splice(at)
        elif kind == 6:  # other options, layout or number of pieces
            data[self._below(min(size, <size_t> HEAD))] = <uint8_t> self._below(256)
        elif kind == 7:
            if size > HEAD and stream_at(data, size) > HEAD:
                data[HEAD + self._below(stream_at(data, size) - HEAD)] = <uint8_t> self._below(30)
        elif kind == 8:
            self._write_length()
        else:
            self._insert_frame()

    cdef bint _insert(self, size_t at, size_t length) noexcept nogil:
        if self._size[0] + length > self._room:
            return False
        memmove(self._data + at + length, self._data + at, self._size[0] - at)
        self._size[0] += <uint32_t> length
        return True

    cdef void _remove(self, size_t at, size_t length) noexcept nogil:
        length = min(length, self._size[0] - at)
        if length == self._size[0]:
            return
        memmove(self._data + at, self._data + at + length, self._size[0] - at - length)
        self._size[0] -= <uint32_t> length

    cdef void _splice(self, size_t at) noexcept nogil:
        """This input's beginning and another one's end."""
        cdef Input* other = &self._inputs[self._below(self.inputs)]
        cdef size_t begin = self._below(other.size), length = min(other.size - begin, self._room - at)
        memcpy(self._data + at, other.data + begin, length)
        self._size[0] = <uint32_t> (at + length)

    cdef void _write_number(self, size_t at) noexcept nogil:
        cdef Place place
        cdef uint64_t number = INTERESTING[self._below(20)] + self._below(5) - 2
        place.offset = 0
        place.width = <unsigned short> (1 << self._below(4))
        if at + place.width <= self._size[0]:
            write_field(self._data + at, &place, self._below(2), number)

    cdef size_t _find_frame(self, const Shape* shape) noexcept nogil:
        """Where some frame of the stream begins, or its incomplete rest; at most the input's size."""
        cdef size_t size = self._size[0], at = stream_at(self._data, size), end
        cdef uint64_t skipped = self._below(8), length
        while skipped:
            skipped -= 1
            if size - at < shape.header_size:
                break
            length = read_field(self._data + at, &shape.length, shape.swap) + <uint64_t> shape.body_offset
            if length > size or size - at - shape.header_size < length:
                break
            at += shape.header_size + length
        return at

    cdef void _write_length(self) noexcept nogil:
        """A frame's length: what is near a limit, or near what it was."""
        cdef Shape shape
        cdef size_t at
        cdef uint64_t number
        if not choose_shape(self._data, self._size[0], &shape):
            return
        at = self._find_frame(&shape)
        if self._size[0] - at < shape.header_size:
            return
        number = read_field(self._data + at, &shape.length, shape.swap)
        if self._below(2):
            number = INTERESTING[self._below(20)] - <uint64_t> (self._below(2) * <uint64_t> shape.body_offset)
        write_field(self._data + at, &shape.length, shape.swap, number + self._below(5) - 2)

    cdef void _insert_frame(self) noexcept nogil:
        """A good frame at a place where one may begin: else hardly any input would have many."""
        cdef Shape shape
        cdef uint8_t[MOST_BODY] body
        cdef size_t at, index, size = self._below(MOST_BODY if self._below(4) == 0 else 12)
        if not choose_shape(self._data, self._size[0], &shape):
            return
        at = self._find_frame(&shape)
        for index in range(size):
            body[index] = <uint8_t> self._below(256)
        if self._insert(at, shape.header_size + size):
            encode(self._data + at, &shape, self._below(300), self._below(300), body, size)
