"""The master: daemonise, pidfile, supervise, reload, control socket, systemd."""
