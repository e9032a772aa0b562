"""Tools for trying the server by hand: the page, the terminal client, the demo and seeding."""
