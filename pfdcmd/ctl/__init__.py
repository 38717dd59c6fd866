"""pfdcmctl, the command line of pfdcm: a client that knows its JSON-RPC methods and nothing of its insides."""
