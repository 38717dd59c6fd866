"""The storage listeners: their files, their supervisord, and what is live of them."""
