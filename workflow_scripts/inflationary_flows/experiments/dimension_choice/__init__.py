"""How many dimensions to keep: flows of all numbers of them, by one network that knows all."""
