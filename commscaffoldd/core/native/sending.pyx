"""The send queue, and what the sender's thread does: it sends without ever needing the GIL to do so.

A handler that computes keeps the GIL for a switch interval at a time, and a thread that wants it waits so long. A sender
that took the GIL before and after each batch would add that to each reply. So whoever has put replies into
outboxes, and has the GIL, turns them into *flights* (`flight.pyx`), and the sender takes those from a list with a
lock of its own, the gate, encodes and sends:

    dirty slots ──launch, with the GIL──► flights to fly ──the sender, without──► flown ──land, with the GIL──► slots

- *Launching* is done at the end of a turn, by the thread that ran it; before a handler that is not known to be quick
  begins; by who pushes; and by the reactor in each of its turns. So what waits for being launched waits for quick
  handlers only. Should one of those take long unexpectedly, the reactor is there within 2 ms (`Dispatcher.longest_wait`).
- *Landing* gives the bodies back and enters what was sent into the slot. It is not urgent, and is done by whoever
  launches next, and by the reactor. The sender does it itself, and takes the GIL for it, if something waits
  for it (`awaited`), if the socket is full, or has failed. Who makes something wait for a slot (a pause, parked work, a
  drain, a closing) lands what has flown, and marks what is still in the air: `await_landing`.

The gate is held for a few instructions. Who has the GIL may take it; who has it never takes the GIL.
"""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from commscaffoldd.core.native.flight cimport SCRATCH_SIZE, begin_flight, fly
from commscaffoldd.core.native.posix cimport (
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, sem_destroy, sem_init, sem_post,
    sem_wait
)


cdef class SendQueue:
    """Slots with something in their outbox, and flights. See the module's text."""

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
        pthread_mutex_init(&self._gate, NULL)
        sem_init(&self._wake, 0, 0)

    def __dealloc__(self):
        cdef Flight* flight
        while self._spare != NULL:
            flight = self._spare
            self._spare = flight.next
            free(flight)
        free(self._scratch)
        pthread_mutex_destroy(&self._gate)
        sem_destroy(&self._wake)

    # -- any thread, with the GIL --------------------------------------------------------------------------

    def put(self, NativeSlot slot not None):
        """Have the slot's outbox written at once."""
        self.append(slot)
        self.launch()

    def settle(self, counters):
        """Launch and land what there is; add what has been sent to these counters. The reactor's thread."""
        if self._slots or self._flown != NULL:
            self.launch()
        if self._totals.sends:
            counters.messages_out += self._totals.messages
            counters.bytes_out += self._totals.bytes
            counters.sends += self._totals.sends
            memset(&self._totals, 0, sizeof(Totals))

    def await_landing(self, NativeSlot slot not None):
        """Something waits for this slot: land what has flown, and have the sender land what is in the air."""
        self.land()
        if slot.flight != NULL and not self._await_flight(<Flight*> slot.flight):
            self.land()

    def close(self):
        """Let `run` return once all before has been sent."""
        self.launch()
        pthread_mutex_lock(&self._gate)
        self._closed = True
        pthread_mutex_unlock(&self._gate)
        sem_post(&self._wake)

    cdef int append(self, NativeSlot slot) except -1:
        """Put a slot into the queue; it is launched later."""
        if not slot.dirty:
            slot.dirty = True
            self._slots.append(slot)
        return 0

    cdef int launch(self) except -1:
        """Turn all that waits into flights, and have the sender fly them."""
        cdef NativeSlot slot
        cdef Flight* flight = NULL
        cdef Flight* first = NULL
        cdef Flight* last = NULL
        cdef list slots, freed = None
        cdef bint flown = False
        self.land()
        if not self._slots:
            return 0
        slots = self._slots
        self._slots = []
        for slot in slots:
            slot.dirty = False
            if flight == NULL:
                flight = self._make_flight()
            if begin_flight(slot, flight):
                slot.flight = flight
                if last == NULL:
                    first = flight
                else:
                    last.next = flight
                last = flight
                flight.awaited = slot.is_awaited()
                flight = NULL
            elif slot.writing:  # by an earlier flight: the next launch, after its landing, takes this one
                slot.dirty = True
                self._slots.append(slot)
                if slot.flight != NULL and not self._await_flight(<Flight*> slot.flight):
                    flown = True
            else:
                if freed is None:
                    freed = []
                self._wire._note_freed(slot, freed)
        if flight != NULL:
            flight.next = self._spare
            self._spare = flight
        if last != NULL:
            self._send_off(first, last)
        if freed:
            self._engine.landed(freed, ())
        if flown:  # since the landing above: what waits for it can be launched now
            self.launch()
        return 0

    cdef bint _await_flight(self, Flight* flight) noexcept:
        """Have the sender land this flight; false if some have flown, and it may be one of them: land those yourself.

        The sender asks no more whether a flight is awaited once it has flown.
        """
        cdef bint flown
        pthread_mutex_lock(&self._gate)
        flight.awaited = True
        flown = self._flown != NULL
        pthread_mutex_unlock(&self._gate)
        return not flown

    cdef void _send_off(self, Flight* first, Flight* last) noexcept:
        cdef bint wake
        pthread_mutex_lock(&self._gate)
        if self._last == NULL:
            self._first = first
        else:
            self._last.next = first
        self._last = last
        wake = self._sleeping
        self._sleeping = False
        pthread_mutex_unlock(&self._gate)
        if wake:
            sem_post(&self._wake)

    cdef Flight* _make_flight(self) except NULL:
        cdef Flight* flight = self._spare
        if flight != NULL:
            self._spare = flight.next
            return flight
        flight = <Flight*> calloc(1, sizeof(Flight))
        if flight == NULL:
            raise MemoryError
        return flight

    cdef int land(self) except -1:
        """Enter what has flown into its slots."""
        cdef Flight* flight
        cdef Flight* following
        cdef list freed, failed, again
        pthread_mutex_lock(&self._gate)
        flight = self._flown
        self._flown = NULL
        pthread_mutex_unlock(&self._gate)
        if flight == NULL:
            return 0
        freed, failed, again = [], [], []
        while flight != NULL:
            following = flight.next
            self._wire._land(flight, &self._totals, freed, failed, again)
            flight.next = self._spare
            self._spare = flight
            flight = following
        for slot in again:
            self.append(slot)
        if freed or failed:
            self._engine.landed(freed, failed)
        return 0

    # -- the sender's thread -------------------------------------------------------------------------------

    def run(self):
        """Fly what is launched, until closed."""
        cdef bint urgent
        while True:
            with nogil:
                urgent = self._fly()
            # Somebody waits for a landing, or the queue is closed and empty.
            self.launch()
            if not urgent and self._first == NULL and not self._slots:
                return

    cdef bint _fly(self) noexcept nogil:
        """Fly until a landing is awaited; false if nothing is left, and the queue is closed."""
        cdef Flight* chain
        cdef Flight* flight
        cdef bint urgent = False
        while self._take_all(&chain):
            while chain != NULL:
                flight = chain
                chain = flight.next
                fly(flight, self._scratch)
                pthread_mutex_lock(&self._gate)
                flight.next = self._flown
                self._flown = flight
                urgent = urgent or flight.awaited or flight.full or flight.error
                pthread_mutex_unlock(&self._gate)
            if urgent:
                return True
        return False

    cdef bint _take_all(self, Flight** chain) noexcept nogil:
        """Wait for flights and take them; false if the queue is closed."""
        while True:
            pthread_mutex_lock(&self._gate)
            chain[0] = self._first
            self._first = self._last = NULL
            self._sleeping = chain[0] == NULL and not self._closed
            pthread_mutex_unlock(&self._gate)
            if chain[0] != NULL:
                return True
            if self._closed:
                return False
            sem_wait(&self._wake)  # one that ends early, by a signal or an old wake-up, looks again
