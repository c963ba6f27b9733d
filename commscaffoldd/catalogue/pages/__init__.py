"""The page of a protocol for its clients' developers: what it says, and how it is written as Markdown and HTML."""
