#!/usr/bin/python3
"""A stand-in for ``valkey-cli``: sends the words of its command line, and prints the answer."""

import socket
import sys

with socket.create_connection(("127.0.0.1", 6379), 3) as server:
    server.sendall(" ".join(sys.argv[1:]).encode() + b"\r\n")
    print(server.recv(4096).decode().strip())
