"""Where messages are kept until they are delivered."""
