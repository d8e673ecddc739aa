"""What servers share: sockets, connections that end, bodies of bounded size, and errors as one line. Needs `serve`."""
