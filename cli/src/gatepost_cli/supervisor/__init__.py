"""Keeping a stack running: started in stages, each process started again when it dies, stopped in reverse order."""
