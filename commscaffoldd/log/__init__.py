"""The log: one write a line, from all processes.

    log = open_log(Path("/var/log/commscaffoldd/commscaffoldd.log"), "info", "text")
    log.install("master")
    logging.getLogger("commscaffoldd.master").info("ready")

Everybody logs through `logging.getLogger` with a name that starts with `commscaffoldd`; a line that belongs
to a connection says so with `extra={"connection": connection_id}`.
"""

from commscaffoldd.log.logfile import LogFile, open_log

__all__ = ["LogFile", "open_log"]
