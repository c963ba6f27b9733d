"""The send queue, and what the sender's thread does with it.

    slots with replies ──launch, with the GIL──► flights ──fly, without──► ──land, with the GIL──► slots

Who puts a reply wakes the sender if it sleeps, and goes on. The sender looks when it gets the GIL, and that makes batches by
itself: a business thread that runs quick handlers keeps the GIL until its queue is empty, and all their replies leave in
one flight for each connection; one whose handler waits for something gives the GIL up, and no reply waits for that
handler; one that computes loses it after a switch interval.

Beside a handler that is not known to be quick, the business thread that has emptied the ready queue does the sender's
work itself, for all that its turns have brought (`turn.Loop`): a handler that computes makes each thread that wants the GIL
wait for a switch interval, and this one has it. Then nobody wakes the sender; but it is woken before a slow
handler begins, and by the reactor, if nothing has come for `dispatch.LOOK`, so no reply waits for a handler that has
unexpectedly become slow. Measured: 38,000 against 32,000 quick messages a second beside two computing handlers.

Measured against a sender that is given each turn's flights and sends them without ever taking the GIL: with one processor for
the server, that one carried a third of the messages, since it was woken for each of them; beside handlers that compute,
where it should have been better, both carried the same.
"""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from commscaffoldd.core.native.flight cimport SCRATCH_SIZE, begin_flight, fly
from commscaffoldd.core.native.posix cimport sem_destroy, sem_init, sem_post, sem_wait


cdef class SendQueue:
    """Slots with something in their outbox. Any thread puts; the sender takes, in `run`."""

    def __cinit__(self, Wire wire not None, engine):
        """A queue.

        Args:
            wire: whose slots they are.
            engine: is told of slots with which something shall go on, and of sockets that have failed.
        """
        self._wire = wire
        self._engine = engine
        self._slots = []
        self._scratch = <uint8_t*> malloc(SCRATCH_SIZE)
        if self._scratch == NULL:
            raise MemoryError
        self._reserve(64)
        sem_init(&self._wake, 0, 0)

    def __dealloc__(self):
        free(self._flights)
        free(self._scratch)
        sem_destroy(&self._wake)

    # -- any thread, with the GIL --------------------------------------------------------------------------

    def put(self, NativeSlot slot not None):
        """Have the slot's outbox written."""
        self.append(slot)

    def close(self):
        """Let `run` return once all before has been sent."""
        self._closed = True
        sem_post(&self._wake)

    cdef int append(self, NativeSlot slot) except -1:
        self.append_quietly(slot)
        self.wake()
        return 0

    cdef int append_quietly(self, NativeSlot slot) except -1:
        """Put a slot into the queue for somebody who takes it soon; `wake` has the sender take it."""
        # A slot is in the queue at most once: `dirty` is cleared before its outbox is taken.
        if not slot.dirty:
            slot.dirty = True
            self._slots.append(slot)
        return 0

    cdef void wake(self) noexcept:
        """Wake the sender, if it sleeps and there is something for it."""
        if self._sleeping and self._slots:
            self._sleeping = False
            sem_post(&self._wake)

    cdef list take(self):
        """Take all slots, to write to them on another thread than the sender's."""
        cdef list fresh = [], slots = self._slots  # made first: see `launch`
        cdef NativeSlot slot
        self._slots = fresh
        for slot in slots:
            slot.dirty = False
        return slots

    # -- the sender's thread -------------------------------------------------------------------------------

    def run(self, counters):
        """Send what is put, until closed; count it."""
        while True:
            if self._slots:
                self.launch()
                self.fly()
                self.land(counters)
            elif self._closed:
                return
            else:
                self._sleeping = True
                with nogil:
                    sem_wait(&self._wake)  # if it ends early, by a signal or an old wake-up, there is nothing yet
                self._sleeping = False

    def launch(self):
        """Begin a flight for each slot in the queue that has something to send."""
        cdef NativeSlot slot
        # First: making a list may run the garbage collector, and that anybody's code, which may put slots.
        cdef list fresh = [], freed = [], slots = self._slots
        self._slots = fresh
        self._reserve(len(slots))
        self._flying = 0
        for slot in slots:
            slot.dirty = False
            if begin_flight(slot, &self._flights[self._flying]):
                self._flying += 1
            elif not slot.writing:  # else the reactor is writing to it, and looks into the outbox again
                self._wire._note_freed(slot, freed)
        if freed:
            self._engine.landed(freed, ())

    def fly(self):
        """Send all flights, without the GIL."""
        cdef Py_ssize_t index
        with nogil:
            for index in range(self._flying):
                fly(&self._flights[index], self._scratch)

    def land(self, counters):
        """Enter what has flown into its slots."""
        cdef Py_ssize_t index
        cdef list freed = [], failed = [], again = []
        memset(&self._totals, 0, sizeof(Totals))
        for index in range(self._flying):
            self._wire._land(&self._flights[index], &self._totals, freed, failed, again)
        self._flying = 0
        counters.messages_out += self._totals.messages
        counters.bytes_out += self._totals.bytes
        counters.sends += self._totals.sends
        for slot in again:  # replies have come for them meanwhile
            self.append(slot)
        if freed or failed:
            self._engine.landed(freed, failed)

    cdef int _reserve(self, Py_ssize_t flights) except -1:
        cdef Flight* more
        if flights > self._capacity:
            more = <Flight*> realloc(self._flights, flights * sizeof(Flight))
            if more == NULL:
                raise MemoryError
            self._flights = more
            self._capacity = flights
        return 0
