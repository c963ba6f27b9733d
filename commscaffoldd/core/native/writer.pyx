"""A writer: it takes outboxes with the GIL, encodes and sends without it, and enters what it has sent with it.

    slots with replies ──launch, with the GIL──► flights ──fly, without──► ──land, with the GIL──► slots

One system call for each connection and batch. A writer belongs to one thread at a time.
"""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from commscaffoldd.core.native.flight cimport SCRATCH_SIZE, Flight, begin_flight, fly as fly_one
from commscaffoldd.core.native.slot cimport NativeSlot

cdef Py_ssize_t FIRST_FLIGHTS = 64


cdef class Writer:
    """Writes to many connections at once. See the module's text."""

    def __cinit__(self, Wire wire not None, landed):
        """A writer.

        Args:
            wire: whose slots they are.
            landed: called with slots with which something shall go on, now that their client has read, and with
                slots whose socket has failed, each with its generation of that time.
        """
        self._wire = wire
        self._landed = landed
        self._scratch = <uint8_t*> malloc(SCRATCH_SIZE)
        if self._scratch == NULL:
            raise MemoryError
        self._reserve(FIRST_FLIGHTS)

    def __dealloc__(self):
        free(self._flights)
        free(self._scratch)

    def write(self, list slots not None, counters):
        """Write what waits for these slots, as far as their sockets take it; count it.

        Returns:
            Slots for which the sender must look again: somebody else is writing to them, or replies have come
            meanwhile. This does not look again itself: it must end.
        """
        busy = self.launch(slots)
        self.fly()
        return busy + self.land(counters)

    cpdef list launch(self, list slots):
        """Begin a flight for each slot that has something to send; give those that somebody else is writing to."""
        cdef NativeSlot slot
        cdef list freed = [], busy = []
        cdef object tap = self._wire.tap
        self._reserve(len(slots))
        self._flying = 0
        for slot in slots:
            if begin_flight(slot, &self._flights[self._flying]):
                self._flying += 1
                if tap is not None:
                    tell(tap, slot, &self._flights[self._flying - 1])
            elif slot.writing:
                busy.append(slot)
            else:
                self._wire.note_freed(slot, freed)
        if freed:
            self._landed(freed, ())
        return busy

    cpdef fly(self):
        """Send all flights, without the GIL."""
        cdef Py_ssize_t index
        with nogil:
            for index in range(self._flying):
                fly_one(&self._flights[index], self._scratch)

    cpdef list land(self, counters):
        """Enter what has flown into its slots; count it; give those for which replies have come meanwhile."""
        cdef Totals totals
        cdef Py_ssize_t index
        cdef list freed = [], failed = [], again = []
        memset(&totals, 0, sizeof(Totals))
        for index in range(self._flying):
            self._wire.land(&self._flights[index], &totals, freed, failed, again)
        self._flying = 0
        counters.messages_out += totals.messages
        counters.bytes_out += totals.bytes
        counters.sends += totals.sends
        if freed or failed:
            self._landed(freed, failed)
        return again

    cdef int _reserve(self, Py_ssize_t flights) except -1:
        cdef Flight* more
        if flights > self._capacity:
            more = <Flight*> realloc(self._flights, flights * sizeof(Flight))
            if more == NULL:
                raise MemoryError
            self._flights = more
            self._capacity = flights
        return 0


cdef int tell(object tap, NativeSlot slot, Flight* flight) except -1:
    """Tell a tap what has begun to fly. It may let other threads in: the flight is ours, and so is its slot's writing."""
    cdef Py_ssize_t index
    cdef object connection = slot.connection
    cdef list replies = [
        (flight.replies[index].message_id, flight.replies[index].sequence, <object> flight.replies[index].body)
        for index in range(flight.count)
    ]
    if replies:
        tap.sent(slot, connection, replies)
    return 0
