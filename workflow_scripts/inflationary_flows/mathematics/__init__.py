"""The mathematics: eigenbasis, schedules, denoisers, the pfODE, its solvers and the flow they make.

Nothing here reads or writes a file, and nothing here knows how a network was trained.
"""
