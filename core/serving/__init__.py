"""How the web server hands requests to the site.

A request is taken in whole before it has a thread. Its answer is made in whole before it is sent.
So a client that is slow, on purpose or not, holds a connection and perhaps a file, but no thread.
"""
