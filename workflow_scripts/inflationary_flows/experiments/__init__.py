"""The experiments: a flow and arrays in, the rows of a table or the arrays of a figure out.

Nothing here reads or writes a file.
"""
