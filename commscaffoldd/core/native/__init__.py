"""The native path: the same as the Python one, compiled, and with clients' sockets touched without the GIL.

Built by `setup.py` where there is a C compiler. Which thread may do what is written in `slot.pyx`.
"""
