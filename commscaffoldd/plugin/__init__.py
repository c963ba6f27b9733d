"""The plugin host: hook specifications, discovery, message-ID table."""
