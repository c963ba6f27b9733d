"""What a handler is given, and its route, on the native path."""

cimport cython

from commscaffoldd.core.deferred import too_late_to_defer

cdef dict MODES = {"pool": POOL, "concurrent": CONCURRENT, "inline": INLINE}  # by place
cdef int UNKNOWN = 4  # so many quick runs make a handler one that is known to be quick


@cython.final
cdef class Way:
    """A route, and what the path has to know of it."""

    def __cinit__(self, route):
        self.route = route
        self.function = route.function
        self.mode = MODES[route.place]
        self.slowness = UNKNOWN


@cython.final
@cython.freelist(1024)
cdef class NativeRequest:
    """One message, on its way to its handler. Attributes as those of `request.Request`."""

    @property
    def route(self):
        """The handler's route."""
        return self.way.route

    def defer(self):
        """See `request.Request.defer`."""
        if self.deferred is not None:
            self.deferred.kept = True
            return self.deferred
        deferred = self.connection.defer(self)
        if self.returned:  # this look and what follows are one step for the handler's thread
            raise too_late_to_defer(self.id)
        if self.deferred is None:
            self.deferred = deferred
        return self.deferred

    def reply(self, body):
        """See `request.Request.reply`. Any thread."""
        return not self.given_up and self.connection.reply(self.id, self.sequence, body)

    def __repr__(self):
        """As that of `request.Request`."""
        return (
            f"Request(connection={self.connection!r}, id={self.id!r}, sequence={self.sequence!r}, "
            f"body={self.body!r}, route={self.way.route!r})"
        )


cdef NativeRequest make_request(
    object connection, int64_t generation, uint64_t message_id, uint64_t sequence, bytes body, Way way
):
    cdef NativeRequest request = NativeRequest.__new__(NativeRequest)
    request.connection = connection
    request.generation = generation
    request.id = message_id
    request.sequence = sequence
    request.body = body
    request.way = way
    return request


cdef Mode mode_of(object work) except *:
    """Where a message, or a hook's call, is run."""
    if type(work) is NativeRequest:
        return (<NativeRequest> work).way.mode
    return MODES[work.route.place]
