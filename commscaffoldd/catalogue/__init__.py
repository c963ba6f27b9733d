"""The catalogue: what clients can say to a daemon, as data; and what is made of it: pages, clients, a dissector."""
