"""pfdcm's daemon: JSON messages in; queries, retrieves and a data tree of settings behind them."""

__version__ = "2.1.0"
