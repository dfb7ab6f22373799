"""Rules that choose between others tensor by tensor, as C calls them."""
