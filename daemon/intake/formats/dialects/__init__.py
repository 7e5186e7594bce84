"""How each chat API writes messages, tools, requests and answers."""
