"""What a request costs with a thousand, a hundred thousand and ten million users: `python -m bench --scale`."""
