"""The send queue, and what the sender's thread does with it.

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

Where workers share all processors, the reactor does not go back to its sockets while what it has given to the pool is on
its way: the first replies would bring the first new messages, for which the kernel would take the processor from the sender
that is sending the rest, and batches would break into ever smaller ones. It waits until the sender is done, for `AWAIT`
at most. Measured with one processor for the server: 105,000 against 84,000 messages a second at 50 connections with one
message in flight each, and the 99th percentile of latency 0.9 against 2.3 ms.
"""

from cpython.list cimport PyList_GET_SIZE

from commscaffoldd.core.native.gate cimport gate_destroy, gate_init, gate_open, gate_wait
from commscaffoldd.core.native.posix cimport sem_destroy, sem_init, sem_post, sem_wait

cdef long AWAIT = 200_000  # nanoseconds


cdef class SendQueue:
    """Slots with something in their outbox. Any thread puts; the sender takes, in `run`."""

    def __cinit__(self, Writer writer not None):
        """A queue; `writer` is the sender's."""
        self.writer = writer
        self._slots = []
        sem_init(&self._wake, 0, 0)
        gate_init(&self._sent)

    def __dealloc__(self):
        gate_destroy(&self._sent)
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

    cpdef list take(self):
        """Take all slots, to write to them. Any thread."""
        # First: making a list may run the garbage collector, and that anybody's code, which may put slots.
        cdef list fresh = [], slots = self._slots
        cdef NativeSlot slot
        self._slots = fresh
        for slot in slots:
            slot.dirty = False
        return slots

    # -- the reactor's thread ------------------------------------------------------------------------------

    cdef Py_ssize_t under_way(self) noexcept:
        """Connections whose replies wait for the sender, or for the system call that sends them."""
        return PyList_GET_SIZE(self._slots) + self.writer._flying

    cdef void await_sent(self) noexcept:
        """Wait until the sender has sent what it is given, for a moment at most."""
        # What is opened once this has given up lets the next wait end early, no more.
        self._awaited = True
        with nogil:
            gate_wait(&self._sent, AWAIT)
        self._awaited = False

    # -- the sender's thread -------------------------------------------------------------------------------

    def run(self, counters):
        """Send what is put, until closed; count it."""
        while True:
            if self._slots:
                # Who else is writing to a slot looks into its outbox again; what came meanwhile is ours.
                self.writer.launch(self.take())
                self.writer.fly()
                for slot in self.writer.land(counters):
                    self.append_quietly(slot)
                if self._awaited and not self._slots:
                    self._awaited = False
                    gate_open(&self._sent)
            elif self._closed:
                return
            else:
                self._sleeping = True
                with nogil:
                    sem_wait(&self._wake)  # if it ends early, by a signal or an old wake-up, there is nothing yet
                self._sleeping = False
