"""A dissector for Wireshark and tshark, in Lua."""
